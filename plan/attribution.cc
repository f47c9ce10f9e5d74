#include "plan/attribution.h"

#include <algorithm>
#include <cmath>

#include "plan/run_record.h"

namespace portolan {

namespace {

constexpr double kErrors = 5;
constexpr double kLeastShareOfKind = 0.02;
constexpr double kLeastShareOfStep = 0.0002;

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

/// The middle of several shares, 0 of none.
double middle_share(std::vector<double> shares) {
  if (shares.empty()) {
    return 0;
  }
  std::nth_element(shares.begin(), shares.begin() + static_cast<std::ptrdiff_t>(shares.size() / 2),
                   shares.end());
  return shares[shares.size() / 2];
}

/// Judges excesses of one comparison.
class Judge {
 public:
  Judge(const std::vector<KindGroup>& groups, Seconds predicted_step) : predicted_step_(predicted_step) {
    std::vector<double> errors;
    for (const KindGroup& group : groups) {
      const Seconds middle = median(group.measured);
      if (middle > Seconds(0)) {
        errors.push_back(error_of_median(group.measured).value_or(Seconds(0)) / middle);
      }
    }
    least_relative_error_ = middle_share(std::move(errors));
  }

  Seconds error(const std::vector<Seconds>& measured) const {
    return std::max(error_of_median(measured).value_or(Seconds(0)), least_relative_error_ * median(measured));
  }
  bool is_beyond_noise(Seconds excess, Seconds predicted, const std::vector<Seconds>& measured) const {
    const Seconds size(std::abs(excess.value));
    const double errors = kErrors * (1 + 2 / static_cast<double>(measured.size()));
    return size > errors * error(measured) && size > kLeastShareOfKind * predicted &&
           size > kLeastShareOfStep * predicted_step_;
  }

 private:
  Seconds predicted_step_;
  double least_relative_error_ = 0;
};

std::string phases_beyond_noise(const KindGroup& group, const Judge& judge, Seconds excess) {
  std::string phases;
  for (const KindSamples* part : group.parts) {
    const Seconds own = median(part->measured) - part->predicted;
    if (!part->phase.empty() && own.value * excess.value > 0 &&
        judge.is_beyond_noise(own, part->predicted, part->measured)) {
      phases += (phases.empty() ? "" : ", ") + part->phase;
    }
  }
  return phases;
}

}  // namespace

std::optional<Seconds> error_of_median(const std::vector<Seconds>& samples) {
  if (samples.size() < 2) {
    return std::nullopt;
  }
  return 1.2533 * 1.4826 * median_absolute_deviation(samples) /
         std::sqrt(static_cast<double>(samples.size()));
}

std::vector<Attribution> attribute_divergence(const std::vector<KindSamples>& kinds, Seconds predicted_step,
                                              Seconds measured_step) {
  std::vector<Attribution> named;
  std::vector<KindGroup> groups = groups_of(kinds);
  // Last, when it is known how much of it other kinds explain.
  std::stable_partition(groups.begin(), groups.end(), [](const KindGroup& g) { return g.kind != kWaitKind; });
  const Judge judge(groups, predicted_step);
  Seconds explained;
  for (const KindGroup& group : groups) {
    if (group.measured.size() < kLeastStepsToAttribute) {
      continue;
    }
    const bool is_wait = group.kind == kWaitKind;
    const Seconds explained_wait = is_wait ? explained : Seconds(0);
    Seconds excess = median(group.measured) - group.predicted;
    // Communication beside compute may lengthen the wait by less than itself, never by more.
    excess -= excess > Seconds(0) ? std::clamp(explained_wait, Seconds(0), excess)
                                  : std::clamp(explained_wait, excess, Seconds(0));
    if (!judge.is_beyond_noise(excess, group.predicted, group.measured)) {
      continue;
    }
    explained += group.axis.empty() ? Seconds(0) : excess;
    const Seconds step_excess = measured_step - predicted_step;
    named.push_back(
        {.kind = group.kind,
         .axis = group.axis,
         .phases = phases_beyond_noise(group, judge, excess),
         .excess = excess,
         .noise = judge.error(group.measured),
         .excess_pct =
             group.predicted > Seconds(0) ? std::optional(100 * (excess / group.predicted)) : std::nullopt,
         .share_pct = step_excess.value != 0 ? std::optional(100 * (excess / step_excess)) : std::nullopt});
  }
  std::stable_sort(named.begin(), named.end(), [](const Attribution& a, const Attribution& b) {
    return std::abs(a.excess.value) > std::abs(b.excess.value);
  });
  return named;
}

}  // namespace portolan
