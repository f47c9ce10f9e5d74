#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/measured/kineto_events.h"

namespace portolan {

/// One event's fields, as far as they are of use.
struct KinetoEventFields {
  std::string phase, category, name;
  std::optional<double> start_us, duration_us, correlation, thread, sequence, forward_thread;
  std::optional<double> total_allocated, total_reserved, device_type;
  std::optional<double> external_id, elements_in, elements_out;
  KinetoEvents::Communication communication;
  std::string group_name;
  KinetoEvents::Operation operation;  ///< but for its name
};

/// Keeps what is of use of finished events.
class KinetoStore {
 public:
  KinetoStore(KinetoEvents& events, const KinetoEventsOptions& options)
      : events_(events), options_(options) {}
  void add(KinetoEventFields& event);
  /// At the end of the trace: ranks of groups that were listed apart.
  void finish();

 private:
  void add_work(KinetoEventFields& event);
  void add_launch(const KinetoEventFields& event);
  void add_host(KinetoEventFields& event);
  void add_memory(const KinetoEventFields& event);
  std::int32_t name_index(const std::string& name);
  std::int32_t communication_index(KinetoEventFields& event);
  std::int32_t operation_index(KinetoEventFields& event);

  KinetoEvents& events_;
  KinetoEventsOptions options_;
  std::unordered_map<std::string, std::int32_t> name_indices_;
  std::unordered_map<std::string, std::int32_t> communication_indices_;
  std::unordered_map<std::string, std::int32_t> operation_indices_;
  std::vector<std::string> group_names_;  ///< of events_.communications
};

}  // namespace portolan
