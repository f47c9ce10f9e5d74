#include "report/run_forecast_report.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>
#include <vector>

#include "base/parse_quantity.h"
#include "report/table.h"

namespace portolan {

namespace {

constexpr double kMinuteSeconds = 60;
constexpr double kHourSeconds = 3600;
constexpr double kDaySeconds = 86400;
constexpr double kJoulesPerMwh = 3.6e9;

std::string token_count(std::int64_t tokens) {
  for (const auto& [unit, name] : {std::pair{1e12, "trillion"}, {1e9, "billion"}, {1e6, "million"}}) {
    if (static_cast<double>(tokens) >= unit) {
      return fmt::format("{:.4g} {}", static_cast<double>(tokens) / unit, name);
    }
  }
  return std::to_string(tokens);
}

/// "1,234,567" from 1234567.4; three digits of what is small.
std::string amount(double value) {
  if (value < 100) {
    return fmt::format("{:.3g}", value);
  }
  const std::string digits = fmt::format("{:.0f}", value);
  std::string grouped;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    grouped += i > 0 && (digits.size() - i) % 3 == 0 ? "," : "";
    grouped += digits[i];
  }
  return grouped;
}

std::string finish_date(Date start, double seconds) {
  return write_date({start.days_since_1970 + static_cast<std::int32_t>(std::ceil(seconds / kDaySeconds))});
}

std::string failures_line(const RunForecast& forecast) {
  if (forecast.mtbf.value <= 0) {
    return "no failures (training_run gives none)";
  }
  return fmt::format("a failure every {} on average, {} in all", format_duration(forecast.mtbf),
                     amount(forecast.expected.num_failures));
}

std::string checkpoints_line(const RunForecast& forecast) {
  if (!forecast.checkpoints) {
    return "no checkpoints counted (training_run gives no time or no interval)";
  }
  const CheckpointPlan& checkpoints = *forecast.checkpoints;
  const std::string size = checkpoints.size.value > 0 ? format_bytes(checkpoints.size) + ", " : "";
  return fmt::format("checkpoints every {} ({} steps{}), {}{} each", format_duration(checkpoints.interval),
                     checkpoints.steps, checkpoints.is_optimum ? ", Daly's optimum" : "", size,
                     format_duration(checkpoints.time));
}

std::string likely_table(const RunForecast& forecast, const Scenario& scenario, std::size_t width) {
  const TrainingRun& run = *scenario.training_run;
  std::vector<std::vector<std::string>> rows;
  rows.push_back(
      {"time", format_duration(Seconds(forecast.time_s.p50)), format_duration(Seconds(forecast.time_s.p90))});
  if (run.start) {
    rows.push_back({"done by", finish_date(*run.start, forecast.time_s.p50),
                    finish_date(*run.start, forecast.time_s.p90)});
  }
  const auto row_of = [](const char* name, const std::optional<Likely>& likely, double unit) {
    return likely ? std::vector<std::string>{name, amount(likely->p50 / unit), amount(likely->p90 / unit)}
                  : std::vector<std::string>{name, "unknown", "unknown"};
  };
  rows.push_back(row_of("energy, MWh", forecast.energy_j, kJoulesPerMwh));
  rows.push_back(row_of("cost", forecast.cost, 1));
  return render_table(
      {{.header = "training run", .align = Column::Align::kLeft}, {.header = "P50"}, {.header = "P90"}}, rows,
      width);
}

std::string shares_line(const RunForecast& forecast) {
  const ExpectedTime& expected = forecast.expected;
  const auto share_of = [&](Seconds part) { return 100 * (part / expected.total()); };
  return fmt::format(
      "goodput {:.1f}%: checkpoints {:.1f}%, work lost to failures {:.1f}%, restarts {:.1f}%\n",
      forecast.goodput_pct, share_of(expected.checkpoints), share_of(expected.lost),
      share_of(expected.restarts));
}

std::string promises(const RunForecast& forecast, const Scenario& scenario) {
  const TrainingRun& run = *scenario.training_run;
  std::string text;
  if (forecast.deadline_probability_pct) {
    const std::string by =
        run.start ? fmt::format(" ({})", finish_date(*run.start, run.deadline->value)) : "";
    text += fmt::format("deadline of {}{}: kept with a probability of {:.1f}%\n",
                        format_duration(*run.deadline), by, *forecast.deadline_probability_pct);
  }
  if (run.budget) {
    text += fmt::format("budget of {}: {}\n", amount(*run.budget),
                        !forecast.within_budget   ? "unknown, as the hardware has no price_per_gpu_hour"
                        : *forecast.within_budget ? "enough in 90% of cases"
                                                  : "not enough in 90% of cases");
  }
  return text;
}

}  // namespace

std::string format_duration(Seconds time) {
  for (const auto& [unit, name] :
       {std::pair{2 * kDaySeconds, "days"}, {2 * kHourSeconds, "h"}, {2 * kMinuteSeconds, "min"}}) {
    if (time.value >= unit) {
      return fmt::format("{:.1f} {}", 2 * time.value / unit, name);
    }
  }
  return format_seconds(time);
}

std::string run_forecast_text(const RunForecast& forecast, const Scenario& scenario, std::size_t width) {
  std::string text = fmt::format("{} tokens: {} steps; {}\n{}\n", token_count(scenario.training_run->tokens),
                                 amount(static_cast<double>(forecast.num_steps)), failures_line(forecast),
                                 checkpoints_line(forecast));
  text += likely_table(forecast, scenario, width);
  if (forecast.goodput_pct < 100) {
    text += shares_line(forecast);
  }
  return text + promises(forecast, scenario);
}

}  // namespace portolan
