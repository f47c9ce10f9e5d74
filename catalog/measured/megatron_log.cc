#include "catalog/measured/megatron_log.h"

#include <array>
#include <limits>

namespace portolan {

namespace {

using State = LoggedNumber::State;

/// The first of two spellings that is there.
LoggedNumber number_of(const LogLine& line, std::string_view label, std::string_view other,
                       std::size_t from) {
  const LoggedNumber number = number_after(line.text, label, line.is_cut_off, from);
  return number.state != State::kAbsent ? number : number_after(line.text, other, line.is_cut_off, from);
}

void read_iteration(const LogLine& line, StepCollector& collector) {
  constexpr std::array<std::string_view, 2> kLabels = {"elapsed time per iteration (ms)",
                                                       "elapsed_time_per_iteration_ms"};
  for (const std::string_view label : kLabels) {
    const std::size_t at = line.text.find(label);
    const std::size_t iteration =
        at == std::string_view::npos ? at : line.text.rfind("iteration", at - (at > 0));
    if (iteration == std::string_view::npos) {
      continue;
    }
    const LoggedNumber step = number_after(line.text, "iteration", line.is_cut_off, iteration);
    const LoggedNumber time = number_after(line.text, label, line.is_cut_off, at);
    if (!collector.check(step) || !collector.check(time)) {
      return;
    }
    if (!is_step_time(time.value / 1000) || step.value < 0 || step.value > 1e15) {
      collector.check({.state = State::kMalformed});
      return;
    }
    const LoggedNumber batch = number_of(line, "global batch size", "global_batch_size", iteration);
    const LoggedNumber skipped =
        number_of(line, "number of skipped iterations", "number_of_skipped_iterations", iteration);
    collector.add_step({.step = static_cast<std::int64_t>(step.value),
                        .time = Seconds(time.value / 1000),
                        .rank = rank_before(line.text, iteration),
                        .was_skipped = skipped.good() && skipped.value > 0,
                        .global_batch = batch.good() ? std::optional(batch.value) : std::nullopt});
    return;
  }
}

/// Ranks write at once: several may share a line.
void read_megatron_memory(const LogLine& line, StepCollector& collector) {
  constexpr std::string_view kLabel = "memory (MB) | allocated";
  for (std::size_t at = line.text.find(kLabel); at != std::string_view::npos;) {
    const std::size_t next = line.text.find(kLabel, at + kLabel.size());
    const bool is_last = next == std::string_view::npos;
    const std::string_view record = line.text.substr(at, is_last ? next : next - at);
    const std::optional<std::int32_t> rank = rank_before(line.text, at);
    const bool is_cut_off = is_last && line.is_cut_off;
    const auto peak = [&](std::string_view label) -> std::optional<Bytes> {
      const LoggedNumber number = number_after(record, label, is_cut_off);
      return number.state == State::kAbsent ? std::nullopt : collector.check_bytes(number, kMebi);
    };
    const std::optional<Bytes> allocated = peak("max allocated");
    const std::optional<Bytes> reserved = peak("max reserved");
    if (rank) {
      collector.add_memory(*rank, allocated, reserved);
    }
    at = next;
  }
}

}  // namespace

void read_megatron_line(const LogLine& line, StepCollector& collector) {
  read_iteration(line, collector);
  read_megatron_memory(line, collector);
}

}  // namespace portolan
