#include "catalog/measured/step_collector.h"

#include <algorithm>
#include <cmath>

namespace portolan {

namespace {

constexpr std::size_t kMostTimers = 64;

}  // namespace

void StepCollector::add_step(const LineOfStep& line) {
  const auto [course, is_new] = courses_.try_emplace(line.rank.value_or(-1));
  Course& own = course->second;
  if (!is_new && line.step < own.last_step) {
    ++own.run;
  }
  own.last_step = line.step;
  const auto [place, is_new_step] = step_index_.try_emplace({own.run, line.step}, steps_.size());
  if (!is_new_step) {
    LoggedStep& known = steps_[place->second];
    known.time = std::max(known.time, line.time);
    return;
  }
  LoggedStep& step = steps_.emplace_back(LoggedStep{.step = line.step, .time = line.time});
  step.is_first = own.run >= num_runs_;
  num_runs_ = std::max(num_runs_, own.run + 1);
  step.after_pause = paused_;
  step.was_skipped = line.was_skipped;
  step.is_other_batch =
      line.global_batch && std::abs(*line.global_batch - static_cast<double>(global_batch_)) > 0.5;
  paused_ = false;
}

void StepCollector::add_timer(std::string_view name, bool is_of_slowest, Seconds time) {
  if (steps_.empty()) {
    return;  // of the setup
  }
  const LoggedTimer timer{.name = std::string(name), .is_of_slowest = is_of_slowest};
  const auto found = std::find(timers_.begin(), timers_.end(), timer);
  if (found == timers_.end() && timers_.size() == kMostTimers) {
    return;
  }
  const auto index = static_cast<std::int32_t>(found - timers_.begin());
  if (found == timers_.end()) {
    timers_.push_back(timer);
  }
  auto& of_step = steps_.back().timers;
  const auto known =
      std::find_if(of_step.begin(), of_step.end(), [&](const auto& entry) { return entry.first == index; });
  if (known == of_step.end()) {
    of_step.emplace_back(index, time);
  } else {
    known->second = std::max(known->second, time);
  }
}

void StepCollector::add_memory(std::int32_t rank, std::optional<Bytes> allocated,
                               std::optional<Bytes> reserved) {
  if (!allocated && !reserved) {
    return;
  }
  LoggedMemory& memory =
      memory_.try_emplace(rank, LoggedMemory{.rank = rank, .allocated = {}, .reserved = {}}).first->second;
  if (allocated) {
    memory.allocated = std::max(memory.allocated.value_or(Bytes(0)), *allocated);
  }
  if (reserved) {
    memory.reserved = std::max(memory.reserved.value_or(Bytes(0)), *reserved);
  }
}

bool StepCollector::check(const LoggedNumber& number) {
  num_malformed_ += number.state == LoggedNumber::State::kMalformed ? 1 : 0;
  num_cut_off_ += number.state == LoggedNumber::State::kCutOff ? 1 : 0;
  return number.good();
}

std::optional<Bytes> StepCollector::check_bytes(const LoggedNumber& number, std::int64_t unit) {
  if (!check(number)) {
    return std::nullopt;
  }
  const double bytes = number.value * static_cast<double>(unit);
  if (!(bytes >= 0) || bytes > 0x1p50) {
    ++num_malformed_;
    return std::nullopt;
  }
  return Bytes(std::llround(bytes));
}

bool is_step_time(double seconds) { return seconds > 0 && seconds <= 7 * 86400.0; }

}  // namespace portolan
