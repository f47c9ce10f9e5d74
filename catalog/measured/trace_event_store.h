#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/measured/trace_events.h"

namespace portolan {

/// One event's fields, as far as they are of use.
struct TraceEventFields {
  std::string phase, category, name;
  std::optional<double> start_us, duration_us, correlation, thread, sequence, forward_thread;
  std::optional<double> total_allocated, total_reserved, device_type;
  std::optional<double> external_id, elements_in, elements_out;
  TraceEvents::Communication communication;
  std::string group_name;
  TraceEvents::Operation operation;  ///< but for its name
};

/// Keeps what is of use of finished events.
class TraceEventStore {
 public:
  TraceEventStore(TraceEvents& events, const TraceEventsOptions& options)
      : events_(events), options_(options) {}
  void add(TraceEventFields& event);
  /// At the end of the trace: ranks of groups that were listed apart.
  void finish();

 private:
  void add_work(TraceEventFields& event);
  void add_launch(const TraceEventFields& event);
  void add_host(TraceEventFields& event);
  void add_memory(const TraceEventFields& event);
  std::int32_t name_index(const std::string& name);
  std::int32_t communication_index(TraceEventFields& event);
  std::int32_t operation_index(TraceEventFields& event);

  TraceEvents& events_;
  TraceEventsOptions options_;
  std::unordered_map<std::string, std::int32_t> name_indices_;
  std::unordered_map<std::string, std::int32_t> communication_indices_;
  std::unordered_map<std::string, std::int32_t> operation_indices_;
  std::vector<std::string> group_names_;  ///< of events_.communications
};

}  // namespace portolan
