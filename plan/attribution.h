#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// What one kind of work was predicted to take in a step, and took in each of several.
struct KindSamples {
  std::string kind;
  std::string axis;   ///< of communication: along which ranks differ; empty: not told, or compute
  std::string phase;  ///< empty: not told
  Seconds predicted = {};
  std::vector<Seconds> measured = {};  ///< by step
  /// Measured times contain waiting for peers, or the times of other kinds: they say nothing of this one.
  bool includes_waiting = false;
};

/// A kind that takes longer or shorter than predicted by more than noise explains.
struct Attribution {
  std::string kind;
  std::string axis;
  std::string phases;  ///< those in which it does so by itself, "forward, backward"; empty: none
  Seconds excess;      ///< measured - predicted, of a step
  Seconds noise;       ///< standard error of it
  std::optional<double> excess_pct;  ///< of the predicted time; none where that is 0
  std::optional<double> share_pct;   ///< of measured - predicted of the step; none where that is 0

  bool operator==(const Attribution&) const = default;
};

/// Fewer steps say nothing of noise.
inline constexpr std::size_t kLeastStepsToAttribute = 3;

/// Kinds (those of one axis together, all phases) that explain a divergence, the largest first; empty where
/// no kind is beyond noise, or where there are too few steps.
///
/// The excess of a kind is the median of its steps less the prediction. Its standard error has two parts:
/// that of the kind by itself (error_of_median) after each step's times are divided by what all kinds have in
/// common, and that of the common factor. The first is relatively no less than that of the median kind, for
/// few samples may agree by chance. A kind is named where its excess, or that of one of its phases, is above
/// 5 (1 + 2 / n) standard errors of n steps, 2 % of its prediction and 0.02 % of the step. "wait" is what
/// others leave: what named communication takes longer is taken out of it first.
std::vector<Attribution> attribute_divergence(const std::vector<KindSamples>& kinds, Seconds predicted_step,
                                              Seconds measured_step);

/// Standard error of the median of normal samples, 1.2533 s / sqrt(n), s being Qn, a robust standard
/// deviation. None for fewer than two samples.
std::optional<Seconds> error_of_median(const std::vector<Seconds>& samples);

/// The kind of time in which a rank computes nothing.
inline constexpr const char* kWaitKind = "wait";

}  // namespace portolan
