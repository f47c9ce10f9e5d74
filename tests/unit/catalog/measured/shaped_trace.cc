#include "tests/unit/catalog/measured/shaped_trace.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <map>

namespace portolan {

namespace {

constexpr int kForwardThread = 10, kBackwardThread = 11;

std::string complete_event(const char* category, const std::string& name, double start_us, double us,
                           int thread, const std::string& arguments) {
  return fmt::format(
      R"({{"ph": "X", "cat": "{}", "name": "{}", "pid": 1, "tid": {}, "ts": {:.3f}, "dur": {:.3f}, )"
      R"("args": {{{}}}}})",
      category, name, thread, start_us, us, arguments);
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) {
    list += (list.empty() ? "\"" : ", \"") + word + "\"";
  }
  return "[" + list + "]";
}

}  // namespace

std::string kineto_text(const ShapedTrace& trace) {
  std::vector<std::string> events;
  int id = 0;
  double now = 1000, device = 5000;
  const auto launch = [&](const std::string& kernel, double us, int thread, const std::string& more) {
    ++id;
    if (trace.with_launches) {
      events.push_back(complete_event("cuda_runtime", "cudaLaunchKernel", now, 3, thread,
                                      fmt::format(R"("correlation": {})", id)));
    }
    events.push_back(complete_event("kernel", kernel, device, us, 7,
                                    fmt::format(R"("stream": 7, "correlation": {}{})", id, more)));
    now += 5;
    device += us + 1;
  };
  int external = 0;
  for (const ShapedCall& call : trace.calls) {
    ++external;
    const int thread = call.is_backward ? kBackwardThread : kForwardThread;
    const double length = 5.0 * static_cast<double>(call.kernels.size()) + 4;
    if (call.is_backward) {
      events.push_back(complete_event("cpu_op", "autograd::engine::evaluate_function: MmBackward0", now - 1,
                                      length + 2, thread, R"("Sequence number": 4, "Fwd thread id": 1)"));
    }
    const std::vector<std::string> types(call.dims.size(), call.type);
    events.push_back(complete_event(
        "cpu_op", call.operation, now, length, thread,
        fmt::format(R"("External id": {}, "Concrete Inputs": {}, "Input type": {}, "Input Strides": [[1]], )"
                    R"("Input Dims": {})",
                    external, quoted_list(call.values), quoted_list(types), call.dims)));
    now += 2;
    for (const auto& [kernel, us] : call.kernels) {
      launch(kernel, us, thread, fmt::format(R"(, "External id": {})", external));
    }
    now += 10;
  }
  for (const ShapedCollective& one : trace.collectives) {
    launch(one.kernel, one.us, kForwardThread,
           fmt::format(R"(, "Collective name": "{}", "dtype": "BFloat16", "In msg nelems": {}, )"
                       R"("Out msg nelems": {}, "Group size": {}, "Process Group Ranks": "{}")",
                       one.collective, one.elements_in, one.elements_out, one.group_size, one.ranks));
  }
  return fmt::format("{{\"schemaVersion\": 1, \"traceEvents\": [\n{}\n]}}\n", fmt::join(events, ",\n"));
}

namespace {

constexpr std::int64_t kProcess = std::int64_t{4711} << 24;

/// The statements of a database, with its table of strings.
class NsysWriter {
 public:
  explicit NsysWriter(const NsysSchema& schema) : schema_(schema) {
    sql_ =
        "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER NOT NULL, \"end\" INTEGER NOT NULL, deviceId "
        "INTEGER, streamId INTEGER, correlationId INTEGER, demangledName INTEGER, shortName INTEGER";
    sql_ += schema.has_processes ? ", globalPid INTEGER);" : ");";
    sql_ +=
        "CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INTEGER NOT NULL, \"end\" INTEGER NOT NULL, "
        "globalTid "
        "INTEGER, correlationId INTEGER, nameId INTEGER);"
        "CREATE TABLE NVTX_EVENTS (start INTEGER NOT NULL, \"end\" INTEGER, eventType INTEGER NOT NULL, text "
        "TEXT, globalTid INTEGER, textId INTEGER";
    sql_ += schema.has_payloads ? ", jsonText TEXT, jsonTextId INTEGER);" : ");";
  }

  void kernel(const std::string& name, double start_us, double us, int correlation) {
    sql_ += fmt::format("INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES ({}, {}, 0, 7, {}, {}, {}{});",
                        ns(start_us), ns(start_us + us), correlation, string_id(name), string_id("kernel"),
                        schema_.has_processes ? fmt::format(", {}", kProcess) : "");
  }
  void call(double start_us, int thread, int correlation) {
    sql_ += fmt::format("INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES ({}, {}, {}, {}, {});", ns(start_us),
                        ns(start_us + 3), kProcess + thread, correlation, string_id("cudaLaunchKernel"));
  }
  void range(const std::string& text, double start_us, double us, int thread,
             const std::string& payload = "") {
    sql_ += fmt::format("INSERT INTO NVTX_EVENTS VALUES ({}, {}, 59, {}, {}, {}{});", ns(start_us),
                        ns(start_us + us), schema_.text_in_table ? quoted(text) : "NULL", kProcess + thread,
                        schema_.text_in_table ? "NULL" : fmt::format("{}", string_id(text)),
                        !schema_.has_payloads ? ""
                        : payload.empty()     ? ", NULL, NULL"
                                              : fmt::format(", {}, NULL", quoted(payload)));
  }
  std::string finish() {
    sql_ += "CREATE TABLE StringIds (id INTEGER NOT NULL PRIMARY KEY, value TEXT NOT NULL);";
    for (const auto& [text, id] : strings_) {
      sql_ += fmt::format("INSERT INTO StringIds VALUES ({}, {});", id, quoted(text));
    }
    return "BEGIN;" + sql_ + "COMMIT;";
  }

 private:
  static std::int64_t ns(double us) { return static_cast<std::int64_t>(us * 1000 + 0.5); }
  static std::string quoted(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
      escaped += c == '\'' ? "''" : std::string(1, c);
    }
    return "'" + escaped + "'";
  }
  int string_id(const std::string& text) {
    return strings_.try_emplace(text, static_cast<int>(strings_.size()) + 1).first->second;
  }

  NsysSchema schema_;
  std::string sql_;
  std::map<std::string, int> strings_;
};

std::string nccl_range(const std::string& collective) {
  return collective == "allreduce"         ? "ncclAllReduce"
         : collective == "_allgather_base" ? "ncclAllGather"
                                           : "ncclSend";
}

}  // namespace

void write_database(const std::string& statements, const std::string& path) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(database, statements.c_str(), nullptr, nullptr, &message), SQLITE_OK)
      << (message != nullptr ? message : "");
  sqlite3_free(message);
  sqlite3_close(database);
}

void write_nsys_database(const ShapedTrace& trace, const std::string& path, const NsysSchema& schema) {
  NsysWriter writer(schema);
  int correlation = 0;
  double now = 1000, device = 5000;
  const auto launch = [&](const std::string& kernel, double us, int thread) {
    ++correlation;
    writer.call(now, thread, correlation);
    writer.kernel(kernel, device, us, correlation);
    now += 5;
    device += us + 1;
  };
  writer.range("ncclCommInitRank", 10, 5, kForwardThread,
               R"({"NCCL communicator ID": 77, "No. of ranks": 8, "Rank": 0, "CUDA device": 0})");
  for (const ShapedCall& call : trace.calls) {
    const int thread = call.is_backward ? kBackwardThread : kForwardThread;
    const double length = 5.0 * static_cast<double>(call.kernels.size()) + 4;
    if (call.is_backward) {
      writer.range("autograd::engine::evaluate_function: MmBackward0, op_id = 7", now - 1, length + 2,
                   thread);
    }
    writer.range(fmt::format("{}{}, op_id = 9, sizes = {}", call.operation,
                             call.is_backward ? "" : ", seq = 4", call.dims),
                 now, length, thread);
    now += 2;
    for (const auto& [kernel, us] : call.kernels) {
      launch(kernel, us, thread);
    }
    now += 10;
  }
  for (const ShapedCollective& one : trace.collectives) {
    writer.range(
        nccl_range(one.collective), now - 1, 7, kForwardThread,
        fmt::format(R"({{"NCCL communicator ID": 77, "Message size [bytes]": {}}})", 2 * one.elements_in));
    launch(one.kernel, one.us, kForwardThread);
    now += 10;
  }
  write_database(writer.finish(), path);
}

}  // namespace portolan
