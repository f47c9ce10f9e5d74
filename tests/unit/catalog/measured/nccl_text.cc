#include "tests/unit/catalog/measured/nccl_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "catalog/measured/nccl_test_kind.h"

namespace portolan {

namespace {

std::string number(double value) {
  return value < 1000 ? fmt::format("{:.2f}", value) : fmt::format("{:.0f}", value);
}

}  // namespace

std::string nccl_text(const NcclText& text) {
  const int num_ranks = text.num_hosts * text.ranks_per_host;
  const NcclProgram program = program_named_in(text.program).value();
  const double factor = program.kind ? bus_factor(*program.kind, num_ranks) : 1;
  const bool reduces = text.program == "all_reduce_perf" || text.program == "reduce_scatter_perf" ||
                       text.program == "sendrecv_perf";
  std::vector<std::string> lines;
  if (text.says_program) {
    lines.push_back("# nccl-tests version 2.17.6 nccl-headers=22807 nccl-library=22807");
    lines.push_back("# Collective test starting: " + text.program);
  }
  lines.push_back(
      "# nThread 1 nGpus 1 minBytes 8 maxBytes 8589934592 step: 2(factor) warmup iters: 5 iters: 20");
  lines.push_back("#");
  lines.push_back("# Using devices");
  for (int rank = 0; rank < num_ranks; ++rank) {
    const int device = rank % text.ranks_per_host;
    lines.push_back(
        fmt::format("#  Rank {:2} Group  0 Pid {:6} on     node{} device {:2} [0000:{:02x}:00] NVIDIA "
                    "A100-SXM4-80GB",
                    rank, 4000 + rank, rank / text.ranks_per_host, device, 7 + device));
  }
  lines.push_back("#");
  lines.push_back(
      "#                                                   out-of-place                 in-place");
  lines.push_back(
      "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw "
      "  "
      "busbw #wrong");
  lines.push_back(
      "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)        (us)");
  for (const std::int64_t size : text.sizes) {
    std::string line = fmt::format("{:12}  {:12}  {:>8}  {:>6}  {:>6}", size, size / 4, "float",
                                   reduces ? "sum" : "none", text.program == "broadcast_perf" ? 0 : -1);
    for (const bool in_place : {false, true}) {
      const double microseconds = text.time(size, in_place) * 1e6;
      const double algbw = static_cast<double>(size) / microseconds * 1e-3;
      line += fmt::format("  {:>7}  {:>6}  {:>6}  {:>5}", number(microseconds), number(algbw),
                          number(algbw * factor), in_place && !program.works_in_place ? "N/A" : "0");
    }
    lines.push_back(std::move(line));
  }
  lines.push_back("# Out of bounds values : 0 OK");
  lines.push_back("# Avg bus bandwidth    : 101.5");
  lines.push_back("#");
  if (text.says_program) {
    lines.push_back("# Collective test concluded: " + text.program);
  }
  std::string all;
  for (const std::string& line : lines) {
    all += text.label + line + "\n";
  }
  return all;
}

std::string with(std::string text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

}  // namespace portolan
