#include "exec/step_log.h"

#include <algorithm>

namespace portolan {

StepLog::StepLog(const RankScript& script, std::int64_t num_steps, std::int64_t num_timed_steps)
    : script_(script),
      num_steps_(num_steps),
      num_timed_steps_(num_timed_steps),
      steps_(static_cast<std::size_t>(num_steps)),
      times_(static_cast<std::size_t>(num_timed_steps) * script.ops.size()) {}

void StepLog::record(std::int64_t step, std::int64_t start_ns, const Device& device) {
  Entry& entry = steps_[static_cast<std::size_t>(step)];
  entry.start_ns = start_ns;
  entry.end_ns = device.now_ns();
  entry.usage = device.usage();
  for (std::size_t i = 0; i < script_.ops.size(); ++i) {
    const OpTimes times = device.times(static_cast<EventIndex>(i));
    const Op& op = *script_.ops[i].op;
    const double elapsed = static_cast<double>(times.end_ns - times.start_ns) * 1e-9;
    if (op.kind == OpKind::kReceive) {
      entry.receive_s += elapsed;
    } else if (op.kind == OpKind::kCollective) {
      entry.collective_s[static_cast<std::size_t>(op.collective)] += elapsed;
    }
    if (step >= first_timed_step()) {
      times_[static_cast<std::size_t>(step - first_timed_step()) * script_.ops.size() + i] = times;
    }
  }
}

OpTimes StepLog::times(std::int64_t step, EventIndex event) const {
  return times_[static_cast<std::size_t>(step - first_timed_step()) * script_.ops.size() +
                static_cast<std::size_t>(event)];
}

}  // namespace portolan
