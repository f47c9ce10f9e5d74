#include "catalog/training_run_yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/parse_quantity.h"
#include "catalog/json/notated.h"

namespace portolan {

namespace {

constexpr double kSecondsPerDay = 86400;
constexpr double kMostTokens = 1e18;

/// Reads the key into `target` where it is given.
template <typename T, typename... Rules>
void read_given(DocumentSection& section, std::string_view key, std::optional<T>& target,
                const Rules&... rules) {
  T value{};
  if (section.optional(key, value, rules...)) {
    target = std::move(value);
  }
}

template <typename T>
void write_given(NotatedObject& object, std::string_view key, const std::optional<T>& value) {
  if (value) {
    object.set(key, *value);
  }
}

/// Points at the key, in either notation.
void refuse_key(DocumentSection& section, std::string_view key, std::string_view message) {
  const DocumentNode& node = find_nearest(section.node(), key);
  DocumentValue(section.value(), node, key).refuse(message);
}

double value_of(Seconds time) { return time.value; }
double value_of(BytesPerSecond rate) { return rate.value; }
double value_of(const Sourced<Seconds>& time) { return time.value.value; }

template <typename T>
void check_positive(DocumentSection& section, std::string_view key, const std::optional<T>& value) {
  if (value && value_of(*value) <= 0) {
    refuse_key(section, key, "is not above 0");
  }
}

void read_start(DocumentSection& section, std::optional<Date>& start) {
  section.optional_value("start", [&](const DocumentValue& value) {
    std::string text;
    if (!value.read(text)) {
      return;
    }
    if (const Result<Date> date = parse_date(text)) {
      start = *date;
    } else {
      value.refuse_value(date.error().message);
    }
  });
}

void read_deadline(DocumentSection& section, TrainingRun& run) {
  if (section.node().origin->notation == Notation::kNumbers) {
    read_given(section, "deadline", run.deadline);
    return;
  }
  section.optional_value("deadline", [&](const DocumentValue& value) {
    std::string text;
    if (!value.read(text)) {
      return;
    }
    if (const Result<Seconds> deadline = parse_deadline(text, run.start)) {
      run.deadline = *deadline;
    } else {
      value.refuse(deadline.error());
    }
  });
}

void read_tokens(DocumentSection& section, TrainingRun& run) {
  section.value("tokens", [&](const DocumentValue& value) {
    double number = 0;
    if (!value.read(number, NumberRange{1, kMostTokens})) {
      return;
    }
    if (number != std::floor(number)) {
      value.refuse_value("is not a whole number");
    }
    run.tokens = static_cast<std::int64_t>(number);
  });
}

void check_together(DocumentSection& section, const TrainingRun& run) {
  if (run.gpu_mtbf && run.node_mtbf) {
    refuse_key(section, "node_mtbf", "is there beside gpu_mtbf (allowed: one of the two)");
  }
  if (run.checkpoint_time && run.checkpoint_bandwidth) {
    refuse_key(section, "checkpoint_bandwidth", "is there beside checkpoint_time (allowed: one of the two)");
  }
  const bool has_checkpoints = run.checkpoint_time || run.checkpoint_bandwidth;
  if (run.checkpoint_interval && !has_checkpoints) {
    refuse_key(section, "checkpoint_interval",
               "says nothing of what a checkpoint costs (needed beside it: checkpoint_time or "
               "checkpoint_bandwidth)");
  }
  if (run.gpu_mtbf || run.node_mtbf) {
    const char* key = run.gpu_mtbf ? "gpu_mtbf" : "node_mtbf";
    if (!run.restart_time) {
      refuse_key(section, key, "says nothing of what a failure costs (needed beside it: restart_time)");
    }
    if (!has_checkpoints) {
      refuse_key(section, key,
                 "says nothing of what a failure undoes (needed beside it: checkpoint_time or "
                 "checkpoint_bandwidth)");
    }
  }
}

}  // namespace

Result<std::int64_t> parse_tokens(std::string_view text) {
  const Result<double> number = parse_number(text);
  if (!number || *number < 1 || *number > kMostTokens || *number != std::floor(*number)) {
    return bad_input(fmt::format("\"{}\" is not a whole number of tokens (allowed: 1 to 1e18, such as 300e9)",
                                 printable(text)));
  }
  return static_cast<std::int64_t>(*number);
}

Result<Seconds> parse_deadline(std::string_view text, const std::optional<Date>& start) {
  Seconds deadline;
  if (std::count(text.begin(), text.end(), '-') == 2) {
    const Result<Date> date = parse_date(text);
    if (!date) {
      return bad_input(fmt::format("\"{}\" {}", printable(text), date.error().message));
    }
    if (!start) {
      return bad_input(
          fmt::format("\"{}\" is a date, but training_run.start is not given (allowed without it: a time, "
                      "such as 90 d)",
                      printable(text)));
    }
    deadline = Seconds(kSecondsPerDay * (date->days_since_1970 - start->days_since_1970));
    if (deadline.value <= 0) {
      return bad_input(
          fmt::format("\"{}\" is not after training_run.start, {}", printable(text), write_date(*start)));
    }
    return deadline;
  }
  const Result<Seconds> time = parse_seconds(text);
  if (!time || time->value <= 0) {
    return bad_input(fmt::format("\"{}\" is neither a time nor a date (allowed: such as 90 d or 2027-03-01)",
                                 printable(text)));
  }
  return *time;
}

void read_training_run(DocumentSection& section, TrainingRun& run) {
  read_tokens(section, run);
  read_start(section, run.start);
  read_deadline(section, run);
  read_given(section, "gpu_mtbf", run.gpu_mtbf);
  read_given(section, "node_mtbf", run.node_mtbf);
  read_given(section, "restart_time", run.restart_time);
  read_given(section, "checkpoint_time", run.checkpoint_time);
  read_given(section, "checkpoint_bandwidth", run.checkpoint_bandwidth);
  read_given(section, "checkpoint_interval", run.checkpoint_interval);
  section.optional("power_usage_effectiveness", run.power_usage_effectiveness, NumberRange{1, 10});
  read_given(section, "budget", run.budget, NumberRange{0, 1e300});
  check_positive(section, "deadline", run.deadline);
  check_positive(section, "gpu_mtbf", run.gpu_mtbf);
  check_positive(section, "node_mtbf", run.node_mtbf);
  check_positive(section, "checkpoint_bandwidth", run.checkpoint_bandwidth);
  check_positive(section, "checkpoint_interval", run.checkpoint_interval);
  check_together(section, run);
}

JsonValue to_json(const TrainingRun& run, Notation notation) {
  NotatedObject object(notation);
  object.set("tokens", run.tokens);
  if (run.start) {
    object.set("start", write_date(*run.start));
  }
  write_given(object, "deadline", run.deadline);
  write_given(object, "gpu_mtbf", run.gpu_mtbf);
  write_given(object, "node_mtbf", run.node_mtbf);
  write_given(object, "restart_time", run.restart_time);
  write_given(object, "checkpoint_time", run.checkpoint_time);
  write_given(object, "checkpoint_bandwidth", run.checkpoint_bandwidth);
  write_given(object, "checkpoint_interval", run.checkpoint_interval);
  object.set("power_usage_effectiveness", run.power_usage_effectiveness);
  write_given(object, "budget", run.budget);
  return object.take();
}

}  // namespace portolan
