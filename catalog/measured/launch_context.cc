#include "catalog/measured/launch_context.h"

#include <algorithm>

#include "catalog/measured/kernel_rules.h"

namespace portolan {

namespace {

using HostSpan = TraceEvents::HostSpan;

struct ThreadLaunch {
  double time_us = 0;
  std::int64_t thread = 0;
  std::size_t work = 0;
};

/// What the spans around a launch tell, the innermost last.
void read_stack(const std::vector<const HostSpan*>& stack, const HostSpan* first, LaunchContext& context) {
  bool within_forward_op = false;
  bool past_node = false;
  for (auto span = stack.rbegin(); span != stack.rend(); ++span) {
    if ((*span)->operation != TraceEvents::kNone && context.operation_span == TraceEvents::kNone) {
      context.operation_span = static_cast<std::int32_t>(*span - first);
    }
    switch ((*span)->kind) {
      case HostSpan::Kind::kForwardOp:
        within_forward_op = true;
        break;
      case HostSpan::Kind::kBackwardNode:
        if (!past_node) {
          context.in_backward = true;
          context.in_recompute = within_forward_op;
          past_node = true;
        }
        break;
      case HostSpan::Kind::kOptimizer:
        context.in_optimizer = true;
        break;
      case HostSpan::Kind::kCommunication:
        if (context.communication == TraceEvents::kNone) {
          context.communication = (*span)->communication;
        }
        break;
      case HostSpan::Kind::kOperation:
        break;
    }
  }
}

/// Launches of one thread in order, and the spans that are open meanwhile.
void walk_thread(std::vector<const HostSpan*>& spans, const HostSpan* first,
                 const std::vector<ThreadLaunch>& launches, std::vector<LaunchContext>& contexts) {
  std::sort(spans.begin(), spans.end(), [](const HostSpan* a, const HostSpan* b) {
    return a->span.start_us != b->span.start_us ? a->span.start_us < b->span.start_us
                                                : a->span.duration_us > b->span.duration_us;
  });
  std::vector<const HostSpan*> open;
  std::size_t next = 0;
  const auto close_until = [&](double time_us) {
    while (!open.empty() && open.back()->span.end_us() < time_us) {
      open.pop_back();
    }
  };
  for (const ThreadLaunch& launch : launches) {
    for (; next < spans.size() && spans[next]->span.start_us <= launch.time_us; ++next) {
      close_until(spans[next]->span.start_us);
      open.push_back(spans[next]);
    }
    close_until(launch.time_us);
    read_stack(open, first, contexts[launch.work]);
  }
}

/// Operations by what kernels call them whose launch is not in the trace.
std::map<std::int64_t, std::size_t> spans_by_external_id(const TraceEvents& events) {
  std::map<std::int64_t, std::size_t> spans;
  for (std::size_t i = 0; i < events.host.size(); ++i) {
    if (events.host[i].external_id != TraceEvents::kNone) {
      spans.try_emplace(events.host[i].external_id, i);
    }
  }
  return spans;
}

}  // namespace

std::vector<LaunchContext> launch_contexts(const TraceEvents& events) {
  std::vector<LaunchContext> contexts(events.work.size());
  std::vector<ThreadLaunch> launches;
  const std::map<std::int64_t, std::size_t> by_external_id = spans_by_external_id(events);
  for (std::size_t i = 0; i < events.work.size(); ++i) {
    const auto launch = events.launches.find(events.work[i].correlation);
    contexts[i].time_us = events.work[i].span.start_us;
    if (launch != events.launches.end()) {
      contexts[i].is_known = true;
      contexts[i].time_us = launch->second.start_us;
      launches.push_back({launch->second.start_us, launch->second.thread, i});
    } else if (const auto asked = by_external_id.find(events.work[i].external_id);
               asked != by_external_id.end()) {
      const HostSpan& span = events.host[asked->second];
      contexts[i].is_known = true;
      contexts[i].time_us = span.span.start_us;
      contexts[i].operation_span = static_cast<std::int32_t>(asked->second);
      launches.push_back({span.span.start_us, span.thread, i});
    }
  }
  std::stable_sort(launches.begin(), launches.end(), [](const ThreadLaunch& a, const ThreadLaunch& b) {
    return a.thread != b.thread ? a.thread < b.thread : a.time_us < b.time_us;
  });
  std::map<std::int64_t, std::vector<const HostSpan*>> spans;
  for (const HostSpan& span : events.host) {
    spans[span.thread].push_back(&span);
  }
  for (auto begin = launches.begin(); begin != launches.end();) {
    const auto end = std::find_if(begin, launches.end(),
                                  [&](const ThreadLaunch& one) { return one.thread != begin->thread; });
    walk_thread(spans[begin->thread], events.host.data(), {begin, end}, contexts);
    begin = end;
  }
  return contexts;
}

const TraceEvents::Communication* communication_of(const TraceEvents& events, const LaunchContext& context,
                                                   std::size_t work) {
  const std::int32_t own = events.work[work].communication;
  const std::int32_t index = own != TraceEvents::kNone ? own : context.communication;
  return index == TraceEvents::kNone ? nullptr : &events.communications[static_cast<std::size_t>(index)];
}

TimeKind kind_of_work(TimeKind by_name, const TraceEvents::Communication* asked) {
  const bool is_nccl = is_communication(by_name) || by_name == TimeKind::kUnknown;
  const TimeKind by_call =
      asked != nullptr && is_nccl ? time_kind_of_collective(asked->collective) : TimeKind::kUnknown;
  return by_call != TimeKind::kUnknown ? by_call : by_name;
}

}  // namespace portolan
