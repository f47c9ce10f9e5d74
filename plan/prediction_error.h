#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/scenario.h"

namespace portolan {

/// What a prediction's error depends on.
struct ErrorClass {
  std::string hardware;
  std::string software;
  std::string software_family;  ///< SoftwareProfile::family, else its name
  bool measured_device = true;  ///< whether any matrix product of the device was measured

  bool operator==(const ErrorClass&) const = default;
};
ErrorClass error_class_of(const Scenario& scenario);

/// How far predictions were from what one source measured on one machine with one software profile.
struct SourceErrors {
  std::string source_family;
  ErrorClass of;
  std::int64_t rows = 0;
  /// |ln(measured / predicted)|, ascending: each of the rows, or as many quantiles that stand for equal
  /// shares of them.
  std::vector<double> errors;

  bool operator==(const SourceErrors&) const = default;
};

/// Of published steps and memory peaks; from `portolan validate --errors-out`.
struct PredictionErrors {
  std::vector<SourceErrors> step_time;
  std::vector<SourceErrors> memory;

  bool operator==(const PredictionErrors&) const = default;
};

/// What an interval rests on, from the narrowest.
enum class IntervalBasis : std::uint8_t {
  kSameMachine,   ///< errors on this machine with this software
  kSameSoftware,  ///< of at least three sources with software of this family on measured devices, for a
                  ///< machine that somebody has measured
  kNewSource,     ///< of all sources, for software, a device or a machine that nobody has measured
};
std::string_view interval_basis_name(IntervalBasis basis);

/// In the unit of what is predicted.
struct ValueInterval {
  double low = 0;
  double high = 0;

  bool contains(double value) const { return low <= value && value <= high; }
  bool operator==(const ValueInterval&) const = default;
};

/// Nine of ten measurements are expected within `predicted` times exp(-half_width) to exp(half_width).
struct ErrorMargin {
  double half_width = 0;
  IntervalBasis basis = IntervalBasis::kNewSource;

  ValueInterval around(double predicted) const;
  bool operator==(const ErrorMargin&) const = default;
};

/// How much wider an interval is for a value beyond a sample of so many than one for values of a known normal
/// distribution: Student's t over the normal quantile, times sqrt(1 + 1/n) (Hahn 1969, J. American
/// Statistical Association 64, prediction interval for one further observation). 1 below three.
double widening_for_one_more(std::int64_t num_sources);

/// The 0.9 quantile of the errors of the first basis that has enough of them: 10 rows on the same machine,
/// three sources of the same software, each source (source_family) with the same weight however many rows it
/// has. With all sources it is widened for one beyond them, and no narrower than what is known of the same
/// machine or software.
/// `without_family`: a source that is left out, as if it had published nothing. No value where there are no
/// errors at all.
std::optional<ErrorMargin> error_margin(const std::vector<SourceErrors>& errors, const ErrorClass& of,
                                        std::string_view without_family = "");

/// Of all predictions of one scenario; of memory, for what is reserved.
struct PredictionMargins {
  std::optional<ErrorMargin> step_time;
  std::optional<ErrorMargin> memory;
};
PredictionMargins margins_of(const PredictionErrors& errors, const Scenario& scenario);

}  // namespace portolan
