#include "catalog/measured/deepspeed_log.h"

#include <algorithm>
#include <array>

namespace portolan {

namespace {

using State = LoggedNumber::State;

void add(const LoggedNumber& step, Seconds time, StepCollector& collector) {
  if (!collector.check(step)) {
    return;
  }
  if (!is_step_time(time.value) || step.value < 0 || step.value > 1e15) {
    collector.check({.state = State::kMalformed});
    return;
  }
  collector.add_step({.step = static_cast<std::int64_t>(step.value), .time = time, .rank = 0});
}

void read_throughput(const LogLine& line, const StepSize& size, StepCollector& collector) {
  LoggedNumber rate = number_after(line.text, "CurrSamplesPerSec", line.is_cut_off);
  if (rate.state == State::kAbsent) {
    rate = number_after(line.text, ", SamplesPerSec", line.is_cut_off);
  }
  if (rate.state == State::kAbsent || !collector.check(rate)) {
    return;
  }
  LoggedNumber step = number_after(line.text, "global_step", line.is_cut_off);
  if (step.state == State::kAbsent) {
    // "[timer.py:198:stop] 0/20, ...": an epoch and a step.
    const std::size_t slash = line.text.rfind('/', line.text.find("SamplesPerSec"));
    step = slash == std::string_view::npos ? LoggedNumber{}
                                           : number_after(line.text, "/", line.is_cut_off, slash);
  }
  if (step.state != State::kAbsent) {
    const double seconds = rate.value > 0 ? static_cast<double>(size.global_batch) / rate.value : 0;
    add(step, Seconds(seconds), collector);
  }
}

void read_pipeline_engine(const LogLine& line, StepCollector& collector) {
  const std::size_t steps = line.text.find("steps: ");
  const LoggedNumber time = number_after(line.text, "iter time (s)", line.is_cut_off);
  if (steps == std::string_view::npos || time.state == State::kAbsent || !collector.check(time)) {
    return;
  }
  add(number_after(line.text, "steps", line.is_cut_off, steps), Seconds(time.value), collector);
}

struct MemoryLabel {
  std::string_view label;
  bool is_reserved;
};
constexpr std::array<MemoryLabel, 3> kMemoryLabels = {
    {{"MaxMemAllocated", false}, {"Max_MA ", false}, {"Max_CA ", true}}};

void read_deepspeed_memory(const LogLine& line, StepCollector& collector) {
  for (const MemoryLabel& of : kMemoryLabels) {
    const LoggedNumber peak = number_after(line.text, of.label, line.is_cut_off);
    const std::string_view unit = line.text.substr(std::min(peak.end, line.text.size()));
    if (peak.state == State::kAbsent || !(unit.starts_with("GB") || unit.starts_with(" GB"))) {
      continue;
    }
    const std::optional<Bytes> bytes = collector.check_bytes(peak, kGibi);
    collector.add_memory(0, of.is_reserved ? std::nullopt : bytes, of.is_reserved ? bytes : std::nullopt);
  }
}

}  // namespace

void read_deepspeed_line(const LogLine& line, const StepSize& size, StepCollector& collector) {
  read_throughput(line, size, collector);
  read_pipeline_engine(line, collector);
  read_deepspeed_memory(line, collector);
}

}  // namespace portolan
