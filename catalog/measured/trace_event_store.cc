#include "catalog/measured/trace_event_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace portolan {

namespace {

using Communication = TraceEvents::Communication;
using HostSpan = TraceEvents::HostSpan;

constexpr std::size_t kLongestName = 4096;

std::int64_t whole(const std::optional<double>& value) {
  return value && *value >= 0 ? static_cast<std::int64_t>(*value) : std::int64_t{TraceEvents::kNone};
}

TraceEvents::Span span_of(const TraceEventFields& event) {
  return {*event.start_us, event.duration_us.value_or(0)};
}

}  // namespace

void TraceEventStore::add(TraceEventFields& event) {
  if (event.name == "[memory]") {
    add_memory(event);
  }
  if (event.phase != "X") {
    return;
  }
  const std::string& category = event.category;
  const bool is_work = category == "kernel" || category == "gpu_memcpy" || category == "gpu_memset";
  const bool is_launch = category == "cuda_runtime" || category == "cuda_driver";
  const bool is_host = category == "cpu_op" || category == "user_annotation";
  if (!is_work && !is_launch && !is_host) {
    return;
  }
  if (!event.start_us || (!event.duration_us && !is_launch) || event.duration_us.value_or(0) < 0) {
    ++events_.num_malformed;
    return;
  }
  if (is_work) {
    add_work(event);
  } else if (is_launch) {
    add_launch(event);
  } else {
    add_host(event);
  }
}

void TraceEventStore::add_work(TraceEventFields& event) {
  events_.work.push_back({.span = span_of(event),
                          .name = name_index(event.name),
                          .communication = communication_index(event),
                          .correlation = event.correlation ? static_cast<std::int64_t>(*event.correlation)
                                                           : std::int64_t{TraceEvents::kNone},
                          .external_id = whole(event.external_id)});
}

void TraceEventStore::add_launch(const TraceEventFields& event) {
  if (event.correlation) {
    events_.launches.insert_or_assign(
        static_cast<std::int64_t>(*event.correlation),
        TraceEvents::Launch{*event.start_us, static_cast<std::int64_t>(event.thread.value_or(0))});
  }
}

void TraceEventStore::add_host(TraceEventFields& event) {
  if (event.name.starts_with("ProfilerStep#")) {
    events_.steps.push_back(span_of(event));
    return;
  }
  HostSpan host{.span = span_of(event), .thread = static_cast<std::int64_t>(event.thread.value_or(0))};
  if (event.name.starts_with("autograd::engine::evaluate_function")) {
    host.kind = HostSpan::Kind::kBackwardNode;
  } else if (event.name.starts_with("Optimizer.")) {
    host.kind = HostSpan::Kind::kOptimizer;
  } else if (event.name == "record_param_comms") {
    host.kind = HostSpan::Kind::kCommunication;
    host.communication = communication_index(event);
  } else if (!event.sequence || event.forward_thread.value_or(0) != 0) {
    host.kind = HostSpan::Kind::kOperation;
  }
  if (options_.with_operations && event.category == "cpu_op" && !event.operation.dims.empty()) {
    host.operation = operation_index(event);
    host.external_id = whole(event.external_id);
  }
  if (host.kind != HostSpan::Kind::kOperation || host.operation != TraceEvents::kNone) {
    events_.host.push_back(host);
  }
}

void TraceEventStore::add_memory(const TraceEventFields& event) {
  constexpr double kOfCuda = 1;
  const auto raise = [](std::optional<Bytes>& most, const std::optional<double>& value) {
    if (value && *value >= 0 && *value < 0x1p50) {
      most = std::max(most.value_or(Bytes(0)), Bytes(static_cast<std::int64_t>(*value)));
    }
  };
  if (event.device_type == kOfCuda) {
    raise(events_.allocated, event.total_allocated);
    raise(events_.reserved, event.total_reserved);
  }
}

std::int32_t TraceEventStore::name_index(const std::string& name) {
  const auto [place, is_new] = name_indices_.try_emplace(name.substr(0, kLongestName),
                                                         static_cast<std::int32_t>(events_.names.size()));
  if (is_new) {
    events_.names.push_back(place->first);
  }
  return place->second;
}

std::int32_t TraceEventStore::communication_index(TraceEventFields& event) {
  Communication& own = event.communication;
  if (own.collective.empty() && own.group.size == 0 && own.group.ranks.empty() && event.group_name.empty()) {
    return TraceEvents::kNone;
  }
  if (own.group.description.empty()) {
    own.group.description = event.group_name;
  }
  own.elements_in = std::max(whole(event.elements_in), std::int64_t{0});
  own.elements_out = std::max(whole(event.elements_out), std::int64_t{0});
  // Ranks of a group are looked up by its name where the event does not list them: pg_config may follow.
  const std::string key = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", own.collective, event.group_name,
                                      own.group.size, own.group.description, fmt::join(own.group.ranks, ","),
                                      own.elements_in, own.elements_out, own.type);
  const auto [place, is_new] =
      communication_indices_.try_emplace(key, static_cast<std::int32_t>(events_.communications.size()));
  if (is_new) {
    events_.communications.push_back(std::move(own));
    group_names_.push_back(event.group_name);
  }
  return place->second;
}

std::int32_t TraceEventStore::operation_index(TraceEventFields& event) {
  TraceEvents::Operation& own = event.operation;
  own.name = event.name.substr(0, kLongestName);
  const std::string key = fmt::format("{}\n{}\n{}\n{}", own.name, own.dims, own.types, own.values);
  const auto [place, is_new] =
      operation_indices_.try_emplace(key, static_cast<std::int32_t>(events_.operations.size()));
  if (is_new) {
    events_.operations.push_back(std::move(own));
  }
  return place->second;
}

void TraceEventStore::finish() {
  for (std::size_t i = 0; i < events_.communications.size(); ++i) {
    TracedGroup& group = events_.communications[i].group;
    const auto listed = events_.ranks_of_group.find(group_names_[i]);
    if (group.ranks.empty() && listed != events_.ranks_of_group.end()) {
      group.ranks = listed->second;
    }
  }
}

}  // namespace portolan
