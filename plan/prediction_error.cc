#include "plan/prediction_error.h"

#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

namespace portolan {

namespace {

constexpr double kCoverage = 0.9;
constexpr std::int64_t kEnoughRows = 10;
constexpr std::int64_t kEnoughSources = 3;
constexpr std::array<std::string_view, 3> kBases = {"same machine and software", "same software",
                                                    "new source"};

/// Of the sources that `chosen` takes, all with the same weight; a source's rows share its weight.
class WeightedErrors {
 public:
  using Choice = std::function<bool(const SourceErrors&)>;

  WeightedErrors(const std::vector<SourceErrors>& errors, const Choice& chosen) {
    std::map<std::string, std::int64_t> rows;
    for (const SourceErrors& source : errors) {
      if (chosen(source) && !source.errors.empty()) {
        rows[source.source_family] += source.rows;
        num_rows_ += source.rows;
      }
    }
    num_sources_ = std::ssize(rows);
    for (const SourceErrors& source : errors) {
      if (!chosen(source) || source.errors.empty()) {
        continue;
      }
      const double share =
          static_cast<double>(source.rows) / static_cast<double>(rows.at(source.source_family));
      for (const double error : source.errors) {
        weighted_.emplace_back(error, share / static_cast<double>(source.errors.size()));
      }
    }
    std::sort(weighted_.begin(), weighted_.end());
  }

  std::int64_t num_rows() const { return num_rows_; }
  std::int64_t num_sources() const { return num_sources_; }

  /// The least error that so much of the weight does not exceed.
  double quantile(double share) const {
    const double wanted = share * static_cast<double>(num_sources_) * (1 - 1e-12);
    double weight = 0;
    for (const auto& [error, part] : weighted_) {
      weight += part;
      if (weight >= wanted) {
        return error;
      }
    }
    return weighted_.empty() ? 0 : weighted_.back().first;
  }

 private:
  std::int64_t num_rows_ = 0;
  std::int64_t num_sources_ = 0;
  std::vector<std::pair<double, double>> weighted_;  ///< error, weight
};

}  // namespace

std::string_view interval_basis_name(IntervalBasis basis) { return kBases[static_cast<std::size_t>(basis)]; }

ValueInterval ErrorMargin::around(double predicted) const {
  return {predicted * std::exp(-half_width), predicted * std::exp(half_width)};
}

ErrorClass error_class_of(const Scenario& scenario) {
  const DeviceSpec& device = scenario.hardware.device;
  const bool measured_tiles = device.gemm_tiles && !device.gemm_tiles->k_overhead.unvalidated;
  return {
      .hardware = scenario.hardware.name,
      .software = scenario.software.name,
      .software_family = scenario.software.family.empty() ? scenario.software.name : scenario.software.family,
      .measured_device =
          measured_tiles || !device.gemm_points.empty() || !device.gemm_efficiency.unvalidated};
}

double widening_for_one_more(std::int64_t num_sources) {
  if (num_sources < kEnoughSources) {
    return 1;
  }
  const auto n = static_cast<double>(num_sources);
  const double upper = (1 + kCoverage) / 2;
  return quantile(boost::math::students_t(n - 1), upper) / quantile(boost::math::normal(), upper) *
         std::sqrt(1 + 1 / n);
}

std::optional<ErrorMargin> error_margin(const std::vector<SourceErrors>& errors, const ErrorClass& of,
                                        std::string_view without_family) {
  const auto left_in = [&](const SourceErrors& source) { return source.source_family != without_family; };
  const WeightedErrors same_machine(errors, [&](const SourceErrors& source) {
    return left_in(source) && source.of.hardware == of.hardware && source.of.software == of.software;
  });
  if (same_machine.num_rows() >= kEnoughRows) {
    return ErrorMargin{same_machine.quantile(kCoverage), IntervalBasis::kSameMachine};
  }
  const WeightedErrors all(errors, left_in);
  const WeightedErrors same_software(errors, [&](const SourceErrors& source) {
    return left_in(source) && source.of.software_family == of.software_family &&
           source.of.measured_device == of.measured_device;
  });
  // A machine that nobody has measured is a new source, whatever software runs on it.
  const bool knows_machine = std::any_of(errors.begin(), errors.end(), [&](const SourceErrors& source) {
    return left_in(source) && !source.errors.empty() && source.of.hardware == of.hardware;
  });
  if (knows_machine && of.measured_device && same_software.num_sources() >= kEnoughSources) {
    return ErrorMargin{same_software.quantile(kCoverage), IntervalBasis::kSameSoftware};
  }
  if (all.num_sources() == 0) {
    return std::nullopt;
  }
  const double known = std::max(same_software.quantile(kCoverage), same_machine.quantile(kCoverage));
  const double for_one_more = all.quantile(kCoverage) * widening_for_one_more(all.num_sources());
  return ErrorMargin{std::max(for_one_more, known), IntervalBasis::kNewSource};
}

PredictionMargins margins_of(const PredictionErrors& errors, const Scenario& scenario) {
  const ErrorClass of = error_class_of(scenario);
  return {.step_time = error_margin(errors.step_time, of), .memory = error_margin(errors.memory, of)};
}

}  // namespace portolan
