#include "plan/attribution.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "plan/run_record.h"

namespace portolan {

namespace {

constexpr double kErrors = 5;
constexpr double kLeastShareOfKind = 0.02;
constexpr double kLeastShareOfStep = 0.0002;
constexpr std::size_t kMostPaired = 400;

/// Kinds of one name and axis.
struct KindGroup {
  std::string kind;
  std::string axis;
  std::vector<const KindSamples*> parts;
  Seconds predicted;
  std::vector<Seconds> measured;
};

std::vector<KindGroup> groups_of(const std::vector<KindSamples>& kinds) {
  std::vector<KindGroup> groups;
  for (const KindSamples& one : kinds) {
    if (one.includes_waiting) {
      continue;
    }
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const KindGroup& g) { return g.kind == one.kind && g.axis == one.axis; });
    if (group == groups.end()) {
      group = groups.insert(groups.end(), KindGroup{one.kind, one.axis, {}, {}, {}});
      group->measured.resize(one.measured.size());
    }
    group->parts.push_back(&one);
    group->predicted += one.predicted;
    for (std::size_t i = 0; i < std::min(one.measured.size(), group->measured.size()); ++i) {
      group->measured[i] += one.measured[i];
    }
  }
  return groups;
}

Seconds excess_of(const KindSamples& kind) { return median(kind.measured) - kind.predicted; }

double middle_of(std::vector<double> values) {
  if (values.empty()) {
    return 0;
  }
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Qn of Rousseeuw and Croux (JASA 88, 1993): a robust standard deviation from the distances between samples,
/// twice as efficient as the median absolute deviation, which is taken for many; factors for few samples as
/// they give them (1992).
Seconds robust_deviation(const std::vector<Seconds>& samples) {
  constexpr std::array<double, 8> kFewSamples = {0.399, 0.994, 0.512, 0.844, 0.611, 0.857, 0.669, 0.872};
  const std::size_t n = samples.size();
  if (n < 2) {
    return {};
  }
  if (n > kMostPaired) {
    return 1.4826 * median_absolute_deviation(samples);
  }
  std::vector<double> distances;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      distances.push_back(std::abs(samples[i].value - samples[j].value));
    }
  }
  const std::size_t half = n / 2 + 1;
  const auto kth = distances.begin() + static_cast<std::ptrdiff_t>(half * (half - 1) / 2 - 1);
  std::nth_element(distances.begin(), kth, distances.end());
  const double count = static_cast<double>(n);
  const double factor = n - 2 < kFewSamples.size() ? kFewSamples[n - 2]
                        : n % 2 == 1               ? count / (count + 1.4)
                                                   : count / (count + 3.8);
  return Seconds(2.2219 * factor * *kth);
}

/// Judges excesses of one comparison.
class Judge {
 public:
  Judge(const std::vector<KindGroup>& groups, Seconds predicted_step) : predicted_step_(predicted_step) {
    find_common_factor(groups);
    std::vector<double> errors;
    for (const KindGroup& group : groups) {
      if (const Seconds middle = median(group.measured); middle > Seconds(0)) {
        errors.push_back(own_error(group.measured) / middle);
      }
    }
    least_relative_error_ = middle_of(std::move(errors));
  }

  Seconds error(const std::vector<Seconds>& measured) const {
    const Seconds middle = median(measured);
    const Seconds own = std::max(own_error(measured), least_relative_error_ * middle);
    return Seconds(std::hypot(own.value, (common_error_ * middle).value));
  }
  bool is_beyond_noise(Seconds excess, Seconds predicted, const std::vector<Seconds>& measured) const {
    const Seconds size(std::abs(excess.value));
    const double errors = kErrors * (1 + 2 / static_cast<double>(measured.size()));
    return size > errors * error(measured) && size > kLeastShareOfKind * predicted &&
           size > kLeastShareOfStep * predicted_step_;
  }

 private:
  /// By how much each step was longer than the median one for all kinds alike.
  void find_common_factor(const std::vector<KindGroup>& groups) {
    const std::size_t steps = groups.empty() ? 0 : groups.front().measured.size();
    std::vector<std::pair<const KindGroup*, Seconds>> shared;
    for (const KindGroup& group : groups) {
      const Seconds middle = median(group.measured);
      if (group.kind != kWaitKind && middle > Seconds(0) && group.measured.size() == steps) {
        shared.emplace_back(&group, middle);
      }
    }
    if (shared.size() < kLeastKindsInCommon) {
      return;
    }
    std::vector<Seconds> factors;
    for (std::size_t s = 0; s < steps; ++s) {
      std::vector<double> ratios;
      for (const auto& [group, middle] : shared) {
        ratios.push_back(group->measured[s] / middle);
      }
      common_.push_back(std::max(middle_of(std::move(ratios)), 0.01));
      factors.emplace_back(common_.back());
    }
    common_error_ = error_of_median(factors).value_or(Seconds(0)).value;
  }

  /// Beside what all kinds have in common.
  Seconds own_error(std::vector<Seconds> measured) const {
    for (std::size_t s = 0; s < measured.size() && measured.size() == common_.size(); ++s) {
      measured[s] = measured[s] / common_[s];
    }
    return error_of_median(measured).value_or(Seconds(0));
  }

  static constexpr std::size_t kLeastKindsInCommon = 3;
  Seconds predicted_step_;
  std::vector<double> common_;  ///< by step; empty: nothing in common
  double common_error_ = 0;     ///< relative, of the median
  double least_relative_error_ = 0;
};

/// What of a group is beyond noise: all of it, else those of its phases that are so in one direction.
struct Finding {
  Seconds excess;
  Seconds predicted;
  Seconds noise;
  std::string phases;  ///< those that are beyond noise by themselves
  bool is_beyond_noise = false;

  void add_phase(const KindSamples& part) { phases += (phases.empty() ? "" : ", ") + part.phase; }
};

std::vector<const KindSamples*> phases_beyond_noise(const KindGroup& group, const Judge& judge) {
  std::vector<const KindSamples*> found;
  for (const KindSamples* part : group.parts) {
    if (!part->phase.empty() && judge.is_beyond_noise(excess_of(*part), part->predicted, part->measured)) {
      found.push_back(part);
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const KindSamples* x, const KindSamples* y) {
    return std::abs(excess_of(*x).value) > std::abs(excess_of(*y).value);
  });
  return found;
}

Finding find_excess(const KindGroup& group, const Judge& judge, Seconds explained_wait) {
  Seconds excess = median(group.measured) - group.predicted;
  // Communication beside compute may lengthen the wait by less than itself, never by more.
  excess -= excess > Seconds(0) ? std::clamp(explained_wait, Seconds(0), excess)
                                : std::clamp(explained_wait, excess, Seconds(0));
  Finding whole{.excess = excess,
                .predicted = group.predicted,
                .noise = judge.error(group.measured),
                .phases = "",
                .is_beyond_noise = judge.is_beyond_noise(excess, group.predicted, group.measured)};
  Finding in_phases{.excess = {}, .predicted = {}, .noise = {}, .phases = ""};
  const std::vector<const KindSamples*> phases = phases_beyond_noise(group, judge);
  const Seconds direction = whole.is_beyond_noise || phases.empty() ? excess : excess_of(*phases.front());
  for (const KindSamples* part : phases) {
    if (const Seconds own = excess_of(*part); own.value * direction.value > 0) {
      in_phases.excess += own;
      in_phases.predicted += part->predicted;
      in_phases.noise = Seconds(std::hypot(in_phases.noise.value, judge.error(part->measured).value));
      in_phases.add_phase(*part);
      whole.add_phase(*part);
      in_phases.is_beyond_noise = true;
    }
  }
  return whole.is_beyond_noise ? whole : in_phases;
}

}  // namespace

std::optional<Seconds> error_of_median(const std::vector<Seconds>& samples) {
  if (samples.size() < 2) {
    return std::nullopt;
  }
  return 1.2533 * robust_deviation(samples) / std::sqrt(static_cast<double>(samples.size()));
}

std::vector<Attribution> attribute_divergence(const std::vector<KindSamples>& kinds, Seconds predicted_step,
                                              Seconds measured_step) {
  std::vector<Attribution> named;
  std::vector<KindGroup> groups = groups_of(kinds);
  // Last, when it is known how much of it other kinds explain.
  std::stable_partition(groups.begin(), groups.end(), [](const KindGroup& g) { return g.kind != kWaitKind; });
  const Judge judge(groups, predicted_step);
  const Seconds step_excess = measured_step - predicted_step;
  Seconds explained;
  for (const KindGroup& group : groups) {
    if (group.measured.size() < kLeastStepsToAttribute) {
      continue;
    }
    const Finding finding = find_excess(group, judge, group.kind == kWaitKind ? explained : Seconds(0));
    if (!finding.is_beyond_noise) {
      continue;
    }
    explained += group.axis.empty() ? Seconds(0) : finding.excess;
    named.push_back({.kind = group.kind,
                     .axis = group.axis,
                     .phases = finding.phases,
                     .excess = finding.excess,
                     .noise = finding.noise,
                     .excess_pct = finding.predicted > Seconds(0)
                                       ? std::optional(100 * (finding.excess / finding.predicted))
                                       : std::nullopt,
                     .share_pct = step_excess.value != 0 ? std::optional(100 * (finding.excess / step_excess))
                                                         : std::nullopt});
  }
  std::stable_sort(named.begin(), named.end(), [](const Attribution& a, const Attribution& b) {
    return std::abs(a.excess.value) > std::abs(b.excess.value);
  });
  return named;
}

}  // namespace portolan
