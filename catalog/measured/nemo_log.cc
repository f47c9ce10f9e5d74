#include "catalog/measured/nemo_log.h"

namespace portolan {

namespace {

using State = LoggedNumber::State;

/// "| 100/250 [" of a progress bar: 100.
LoggedNumber count_of_bar(const LogLine& line) {
  const std::size_t bracket = line.text.find(" [");
  const std::size_t bar = bracket == std::string_view::npos ? bracket : line.text.rfind('|', bracket);
  return bar == std::string_view::npos ? LoggedNumber{} : number_after(line.text, "|", line.is_cut_off, bar);
}

}  // namespace

void read_nemo_line(const LogLine& line, StepCollector& collector) {
  const LoggedNumber time = number_after(line.text, "train_step_timing in s", line.is_cut_off);
  if (time.state == State::kAbsent) {
    return;
  }
  LoggedNumber step = number_after(line.text, "global_step", line.is_cut_off);
  if (step.state == State::kAbsent) {
    step = number_after(line.text, "iteration ", line.is_cut_off);
  }
  if (step.state == State::kAbsent) {
    step = count_of_bar(line);
  }
  if (step.state == State::kAbsent || !collector.check(time) || !collector.check(step)) {
    return;
  }
  if (!is_step_time(time.value) || step.value < 0 || step.value > 1e15) {
    collector.check({.state = State::kMalformed});
    return;
  }
  const LoggedNumber batch = number_after(line.text, "global_batch_size", line.is_cut_off);
  collector.add_step({.step = static_cast<std::int64_t>(step.value),
                      .time = Seconds(time.value),
                      .rank = rank_before(line.text, line.text.size()),
                      .global_batch = batch.good() ? std::optional(batch.value) : std::nullopt});
}

}  // namespace portolan
