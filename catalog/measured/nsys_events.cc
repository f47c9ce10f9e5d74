#include "catalog/measured/nsys_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "catalog/measured/nvtx_text.h"
#include "catalog/measured/trace_event_store.h"

namespace portolan {

namespace {

constexpr const char* kKernels = "CUPTI_ACTIVITY_KIND_KERNEL";
constexpr const char* kCopies = "CUPTI_ACTIVITY_KIND_MEMCPY";
constexpr const char* kFills = "CUPTI_ACTIVITY_KIND_MEMSET";
constexpr const char* kCalls = "CUPTI_ACTIVITY_KIND_RUNTIME";
constexpr const char* kRanges = "NVTX_EVENTS";
constexpr const char* kStrings = "StringIds";
/// Of CUPTI's copy kinds: within a device.
constexpr std::int64_t kCopyWithinDevice = 8;
/// A thread's id holds its process above these bits.
constexpr std::int64_t kThreadBits = (std::int64_t{1} << 24) - 1;

/// What c10d would have called what NCCL was asked for.
std::string_view collective_in_range(std::string_view name) {
  for (const auto& [range, collective] :
       {std::pair{"ncclAllReduce", "allreduce"}, std::pair{"ncclAllGather", "allgather"},
        std::pair{"ncclReduceScatter", "reduce_scatter"}, std::pair{"ncclBroadcast", "broadcast"},
        std::pair{"ncclAllToAll", "all_to_all"}}) {
    if (name == range) {
      return collective;
    }
  }
  return {};
}

/// Small numbers for what has large ones.
template <typename Key>
class Numbering {
 public:
  double number_of(const Key& key) {
    return static_cast<double>(numbers_.try_emplace(key, numbers_.size()).first->second);
  }
  std::optional<double> find(const Key& key) const {
    const auto found = numbers_.find(key);
    return found == numbers_.end() ? std::nullopt : std::optional(static_cast<double>(found->second));
  }

 private:
  std::map<Key, std::size_t> numbers_;
};

/// Takes the tables apart: each row becomes an event as a trace of torch.profiler has it.
class NsysReader {
 public:
  explicit NsysReader(const SqliteDatabase& database)
      : database_(database), store_(events_, {.with_operations = true}) {}

  Result<TraceEvents> read() {
    if (!database_.has_column(kKernels, "start") || !database_.has_column(kKernels, "correlationId") ||
        !database_.has_column(kStrings, "value")) {
      return bad_input(
          fmt::format("{}: has no kernels (needed: tables {} and {} of a report with --trace=cuda,nvtx)",
                      database_.file(), kKernels, kStrings));
    }
    PORTOLAN_CHECK_OK(read_strings());
    PORTOLAN_CHECK_OK(read_work());
    PORTOLAN_CHECK_OK(read_calls());
    PORTOLAN_CHECK_OK(read_communicators());
    PORTOLAN_CHECK_OK(read_ranges());
    store_.finish();
    if (events_.work.empty()) {
      return bad_input(
          fmt::format("{}: has no kernels (needed: a report with --trace=cuda,nvtx)", database_.file()));
    }
    if (events_.operations.empty()) {
      return bad_input(
          fmt::format("{}: no range has an operation's sizes (needed: training within "
                      "torch.autograd.profiler.emit_nvtx(record_shapes=True))",
                      database_.file()));
    }
    return std::move(events_);
  }

 private:
  /// A column where the table has it, else NULL.
  std::string column(const char* table, const char* name) const {
    return database_.has_column(table, name) ? name : "NULL";
  }

  Result<void> read_strings() {
    return database_.for_each_row(fmt::format("SELECT id, value FROM {}", kStrings),
                                  [&](const SqliteRow& row) {
                                    const auto id = row.integer(0);
                                    const auto text = row.text(1);
                                    if (id && text) {
                                      strings_.insert_or_assign(*id, std::string(*text));
                                    }
                                  });
  }
  std::string_view string_of(const std::optional<std::int64_t>& id) const {
    const auto found = id ? strings_.find(*id) : strings_.end();
    return found == strings_.end() ? std::string_view() : std::string_view(found->second);
  }

  static TraceEventFields span(const SqliteRow& row, const char* category) {
    TraceEventFields fields;
    fields.phase = "X";
    fields.category = category;
    if (const auto start = row.integer(0)) {
      fields.start_us = static_cast<double>(*start) * 1e-3;
      if (const auto end = row.integer(1)) {
        fields.duration_us = (static_cast<double>(*end) - static_cast<double>(*start)) * 1e-3;
      }
    }
    return fields;
  }

  /// Reads `start, end, correlationId, globalPid` and `more` of a table of device work.
  Result<void> read_device_table(const char* table, const std::string& more, const char* category,
                                 const std::function<std::string(const SqliteRow&)>& name) {
    const std::string query = fmt::format("SELECT start, \"end\", correlationId, {}, {} FROM {}",
                                          column(table, "globalPid"), more, table);
    return database_.for_each_row(query, [&](const SqliteRow& row) {
      TraceEventFields fields = span(row, category);
      fields.name = name(row);
      if (const auto correlation = row.integer(2)) {
        fields.correlation = correlations_.number_of({row.integer(3).value_or(0), *correlation});
      }
      store_.add(fields);
    });
  }

  Result<void> read_work() {
    has_processes_ = database_.has_column(kKernels, "globalPid");
    const std::string names = column(kKernels, "demangledName") + ", " + column(kKernels, "shortName");
    PORTOLAN_CHECK_OK(read_device_table(kKernels, names, "kernel", [&](const SqliteRow& row) {
      const std::string_view demangled = string_of(row.integer(4));
      return std::string(demangled.empty() ? string_of(row.integer(5)) : demangled);
    }));
    if (database_.has_column(kCopies, "correlationId")) {
      PORTOLAN_CHECK_OK(
          read_device_table(kCopies, column(kCopies, "copyKind"), "gpu_memcpy", [](const SqliteRow& row) {
            return row.integer(4) == kCopyWithinDevice ? "Memcpy DtoD" : "Memcpy";
          }));
    }
    if (database_.has_column(kFills, "correlationId")) {
      PORTOLAN_CHECK_OK(
          read_device_table(kFills, "NULL", "gpu_memset", [](const SqliteRow&) { return "Memset"; }));
    }
    return {};
  }

  /// Those that launched what the device did.
  Result<void> read_calls() {
    if (!database_.has_column(kCalls, "globalTid") || !database_.has_column(kCalls, "correlationId")) {
      return {};
    }
    return database_.for_each_row(
        fmt::format("SELECT start, \"end\", correlationId, globalTid FROM {}", kCalls),
        [&](const SqliteRow& row) {
          const auto correlation = row.integer(2), thread = row.integer(3);
          if (!correlation || !thread) {
            return;
          }
          TraceEventFields fields = span(row, "cuda_runtime");
          fields.correlation =
              correlations_.find({has_processes_ ? *thread & ~kThreadBits : 0, *correlation});
          fields.thread = threads_.number_of(*thread);
          if (fields.correlation) {
            store_.add(fields);
          }
        });
  }

  /// Visits each range with its text and its payload.
  Result<void> for_each_range(
      const std::function<void(const SqliteRow&, std::string_view text, std::string_view payload)>& visit) {
    if (!database_.has_column(kRanges, "start") || !database_.has_column(kRanges, "globalTid")) {
      return {};
    }
    const std::string query = fmt::format(
        "SELECT start, \"end\", globalTid, {}, {}, {}, {} FROM {}", column(kRanges, "text"),
        column(kRanges, "textId"), column(kRanges, "jsonText"), column(kRanges, "jsonTextId"), kRanges);
    return database_.for_each_row(query, [&](const SqliteRow& row) {
      const auto text = row.text(3), payload = row.text(5);
      visit(row, text ? *text : string_of(row.integer(4)), payload ? *payload : string_of(row.integer(6)));
    });
  }

  /// How many ranks each communicator of NCCL has.
  Result<void> read_communicators() {
    return for_each_range([&](const SqliteRow&, std::string_view text, std::string_view json) {
      if (!text.starts_with("ncclComm") || json.empty()) {
        return;
      }
      const NcclPayload payload = parse_nccl_payload(json);
      if (payload.num_ranks && *payload.num_ranks >= 1 && *payload.num_ranks < (1 << 20)) {
        const auto ranks = static_cast<std::int32_t>(*payload.num_ranks);
        ranks_of_.insert_or_assign(payload.communicator, ranks);
        events_.num_ranks = std::max(events_.num_ranks.value_or(0), ranks);
      }
    });
  }

  Result<void> read_ranges() {
    return for_each_range([&](const SqliteRow& row, std::string_view text, std::string_view json) {
      const auto thread = row.integer(2);
      if (text.empty() || !thread || !row.integer(1)) {
        return;  // a mark, or a range that never ended
      }
      TraceEventFields fields = span(row, "cpu_op");
      fields.thread = threads_.number_of(*thread);
      if (text.starts_with("nccl")) {
        add_collective(fields, text, json);
        return;
      }
      NvtxOperation operation = parse_nvtx_operation(text);
      if (operation.name.starts_with("Optimizer.")) {
        fields.category = "user_annotation";
      }
      // Operations that autograd goes back through are numbered; so are its nodes, which are none.
      if (operation.has_sequence && operation.name.find("::") != std::string::npos) {
        fields.sequence = 0;
      }
      fields.name = std::move(operation.name);
      fields.operation.dims = std::move(operation.dims);
      store_.add(fields);
    });
  }

  void add_collective(TraceEventFields& fields, std::string_view text, std::string_view json) {
    const std::string_view collective = collective_in_range(text);
    if (collective.empty()) {
      return;
    }
    const NcclPayload payload = parse_nccl_payload(json);
    fields.name = "record_param_comms";
    fields.communication.collective = collective;
    const auto ranks = ranks_of_.find(payload.communicator);
    if (ranks != ranks_of_.end() && payload.bytes && *payload.bytes >= 0 &&
        *payload.bytes < (std::int64_t{1} << 40)) {
      const auto bytes = static_cast<double>(*payload.bytes);
      const bool gathers = collective == "allgather", scatters = collective == "reduce_scatter";
      fields.communication.group.size = ranks->second;
      fields.communication.type = "Byte";
      fields.elements_in = bytes * (scatters ? ranks->second : 1);
      fields.elements_out = bytes * (gathers ? ranks->second : 1);
    }
    store_.add(fields);
  }

  const SqliteDatabase& database_;
  TraceEvents events_;
  TraceEventStore store_;
  std::unordered_map<std::int64_t, std::string> strings_;
  bool has_processes_ = false;
  Numbering<std::pair<std::int64_t, std::int64_t>> correlations_;  ///< by process and number
  Numbering<std::int64_t> threads_;
  std::map<std::string, std::int32_t> ranks_of_;  ///< by communicator
};

}  // namespace

Result<TraceEvents> read_nsys_operations(const SqliteDatabase& database) {
  return NsysReader(database).read();
}

}  // namespace portolan
