#include "catalog/measured/operation_calls.h"

#include <map>
#include <utility>

#include "catalog/measured/kernel_rules.h"

namespace portolan {

SortedWork sort_work(const TraceEvents& events) {
  SortedWork sorted;
  sorted.contexts = launch_contexts(events);
  std::vector<TimeKind> by_name;
  for (const std::string& name : events.names) {
    by_name.push_back(time_kind_of_kernel(name));
  }
  std::map<std::int32_t, OperationCall> by_span;
  for (std::size_t i = 0; i < events.work.size(); ++i) {
    const LaunchContext& context = sorted.contexts[i];
    sorted.kinds.push_back(kind_of_work(by_name[static_cast<std::size_t>(events.work[i].name)],
                                        communication_of(events, context, i)));
    if (is_communication(sorted.kinds[i])) {
      sorted.communication.push_back(i);
    } else if (context.operation_span == TraceEvents::kNone) {
      sorted.without_operation.push_back(i);
    } else {
      OperationCall& call = by_span[context.operation_span];
      call.work.push_back(i);
      call.is_backward = context.in_backward && !context.in_recompute;
    }
  }
  for (auto& [span, call] : by_span) {
    const std::int32_t operation = events.host[static_cast<std::size_t>(span)].operation;
    call.operation = &events.operations[static_cast<std::size_t>(operation)];
    sorted.calls.push_back(std::move(call));
  }
  return sorted;
}

}  // namespace portolan
