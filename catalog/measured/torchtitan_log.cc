#include "catalog/measured/torchtitan_log.h"

namespace portolan {

namespace {

using State = LoggedNumber::State;

}  // namespace

void read_torchtitan_line(const LogLine& line, const StepSize& size, std::int32_t rank_without_prefix,
                          StepCollector& collector) {
  const std::size_t at = line.text.find("step: ");
  if (at == std::string_view::npos) {
    return;
  }
  LoggedNumber rate = number_after(line.text, " tps:", line.is_cut_off, at);
  if (rate.state == State::kAbsent) {
    rate = number_after(line.text, " wps:", line.is_cut_off, at);
  }
  if (rate.state == State::kAbsent) {
    return;
  }
  const std::optional<std::int32_t> rank = rank_before(line.text, at);
  const LoggedNumber memory = number_after(line.text, " memory:", line.is_cut_off, at);
  if (memory.state != State::kAbsent && line.text.substr(memory.end).starts_with("GiB")) {
    collector.add_memory(rank.value_or(rank_without_prefix), std::nullopt,
                         collector.check_bytes(memory, kGibi));
  }
  const LoggedNumber step = number_after(line.text, "step", line.is_cut_off, at);
  if (!collector.check(rate) || !collector.check(step)) {
    return;
  }
  const double tokens = static_cast<double>(size.global_batch) * static_cast<double>(size.sequence_length);
  const double seconds = rate.value > 0 ? tokens / (rate.value * static_cast<double>(size.num_gpus)) : 0;
  if (!is_step_time(seconds) || step.value < 0 || step.value > 1e15) {
    collector.check({.state = State::kMalformed});
    return;
  }
  collector.add_step({.step = static_cast<std::int64_t>(step.value), .time = Seconds(seconds), .rank = rank});
}

}  // namespace portolan
