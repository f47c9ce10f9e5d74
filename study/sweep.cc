#include "study/sweep.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/sha256.h"
#include "catalog/prediction_errors_yaml.h"
#include "catalog/scenario_yaml.h"
#include "plan/search.h"

namespace portolan {

namespace {

constexpr std::size_t kMostPoints = 100'000;
constexpr std::size_t kHashDigits = 16;

Result<std::size_t> count_points(const std::vector<VariedKey>& varied) {
  std::size_t count = 1;
  for (std::size_t k = 0; k < varied.size(); ++k) {
    for (std::size_t before = 0; before < k; ++before) {
      if (varied[before].key == varied[k].key) {
        return bad_input(fmt::format("--vary {}: is given twice", varied[k].key));
      }
    }
    count *= varied[k].values.size();  // at most 1e5 times 1e4
    if (count > kMostPoints) {
      return bad_input(fmt::format("--vary: more than {} combinations", kMostPoints));
    }
  }
  return count;
}

/// The combination with this number.
std::vector<std::string> values_of(const std::vector<VariedKey>& varied, std::size_t number) {
  std::vector<std::string> values(varied.size());
  for (std::size_t k = varied.size(); k-- > 0;) {
    values[k] = varied[k].values[number % varied[k].values.size()];
    number /= varied[k].values.size();
  }
  return values;
}

std::string hash_of(const SweepQuestion& question, const SweepPoint& point, const std::string& errors) {
  std::string text = question.version + "\n" + errors + write_scenario(point.scenario);
  for (std::size_t k = 0; k < point.values.size(); ++k) {
    text += question.varied[k].key + "=" + point.values[k] + "\n";
  }
  return sha256_hex(text).substr(0, kHashDigits);
}

}  // namespace

std::string SweepPoint::name(const std::vector<VariedKey>& varied) const {
  std::string text;
  for (std::size_t k = 0; k < values.size(); ++k) {
    text += fmt::format("{}{}={}", k > 0 ? ", " : "", varied[k].key, values[k]);
  }
  return text;
}

Result<std::vector<SweepPoint>> read_sweep_points(const SweepQuestion& question,
                                                  const PredictionErrors& errors) {
  PORTOLAN_TRY(const std::size_t count, count_points(question.varied));
  const std::string errors_text = write_prediction_errors(errors);
  std::vector<SweepPoint> points;
  points.reserve(count);
  for (std::size_t number = 0; number < count; ++number) {
    SweepPoint point{.values = values_of(question.varied, number), .scenario = {}, .hash = {}};
    std::vector<ScenarioOverride> overrides;
    for (std::size_t k = 0; k < point.values.size(); ++k) {
      overrides.push_back({.option = "--vary", .key = question.varied[k].key, .value = point.values[k]});
    }
    PORTOLAN_TRY(point.scenario,
                 read_scenario(question.scenario, question.paths, question.hardware_file, overrides));
    point.scenario.constraints = merge_constraints(point.scenario.constraints, question.fixed);
    point.hash = hash_of(question, point, errors_text);
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace portolan
