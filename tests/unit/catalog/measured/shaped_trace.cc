#include "tests/unit/catalog/measured/shaped_trace.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

}  // namespace portolan
