// Any bytes as a trace of torch.profiler: one line of error, or kinds with times; and rows of its operations.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "catalog/measured/kineto_events.h"
#include "catalog/measured/kineto_trace.h"
#include "catalog/measured/traced_rows.h"

namespace {

void check_rows(const std::string& text) {
  std::istringstream stream(text);
  const auto events = portolan::read_kineto_operations(stream, "fuzz.json");
  if (!events) {
    return;
  }
  const portolan::TracedRows rows = portolan::traced_rows(*events);
  bool good = rows.used.value <= rows.time.value * (1 + 1e-9) + 1e-12;
  for (const portolan::GemmRow& row : rows.products) {
    good = good && row.flops().value >= 1e9 && row.time.value >= 0;
  }
  for (const portolan::TracedCollective& one : rows.collectives) {
    good = good && one.ranks.size() >= 2 && one.size.value > 0;
  }
  for (const portolan::TracedPass& pass : rows.passes) {
    good = good && pass.elements > 0 && pass.bytes.value > 0;
  }
  if (!good) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream stream(std::string(reinterpret_cast<const char*>(data), size));
  check_rows(stream.str());
  const auto trace = portolan::read_kineto_trace(stream, "fuzz.json", {.steps_without_marks = 2});
  if (!trace) {
    const std::string& message = trace.error().message;
    if (!message.starts_with("fuzz.json") || message.find('\n') != std::string::npos) {
      std::abort();
    }
    return 0;
  }
  const std::size_t steps = trace->step_times.size();
  bool good = steps > 0 && trace->wait_times.size() == steps;
  for (std::size_t s = 0; s < steps && good; ++s) {
    good = std::isfinite(trace->step_times[s].value) && trace->wait_times[s].value >= 0;
  }
  for (const portolan::TracedKind& kind : trace->kinds) {
    good =
        good && kind.by_step.size() == steps && kind.group < static_cast<std::int32_t>(trace->groups.size());
    for (const portolan::Seconds time : kind.by_step) {
      good = good && std::isfinite(time.value) && time.value >= 0;
    }
  }
  if (!good) {
    std::abort();
  }
  return 0;
}
