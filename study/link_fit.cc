#include "study/link_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "study/link_terms.h"
#include "study/measured_points.h"
#include "study/minimum.h"

namespace portolan {

namespace {

constexpr std::size_t kFewestSizes = 2;
constexpr double kTellingShare = 0.25;
/// Steps of rings are fitted in this unit, so that all constants are about 1.
constexpr double kStepUnit_s = 1e-5;
constexpr double kLongestStep_s = 1e-2;

enum Constant : std::size_t {
  kNvlinkEfficiency,
  kCollectiveBase,
  kIntraNodeStep,
  kNicEfficiency,
  kInterNodeStep
};
constexpr std::array kOfNodes = {kNvlinkEfficiency, kCollectiveBase, kIntraNodeStep};
constexpr std::array kBetweenNodes = {kNicEfficiency, kInterNodeStep};
using Constants = std::array<double, 5>;
constexpr std::array<const char*, 5> kFigures = {"nvlink.efficiency", "collective_base", "intra_node_step",
                                                 "nic.efficiency", "inter_node_step"};

bool is_efficiency(Constant constant) { return constant == kNvlinkEfficiency || constant == kNicEfficiency; }
bool is_of_nodes(Constant constant) { return constant <= kIntraNodeStep; }

struct LinkSample {
  std::size_t collective = 0;
  const LinkTerms* terms = nullptr;
  Bytes size;
  Seconds time;
};

double transfer_s(const Constants& constants, const LinkSample& sample) {
  const auto bytes = static_cast<double>(sample.size.value);
  return bytes * std::max({sample.terms->nvlink / constants[kNvlinkEfficiency],
                           sample.terms->nic / constants[kNicEfficiency], sample.terms->others});
}

double steps_s(const Constants& constants, const LinkSample& sample) {
  const double intra = sample.terms->intra_steps * constants[kIntraNodeStep];
  const double inter = sample.terms->inter_steps * constants[kInterNodeStep];
  return sample.terms->bases * constants[kCollectiveBase] +
         (sample.terms->steps_side_by_side ? std::max(intra, inter) : intra + inter);
}

double predicted_s(const Constants& constants, const LinkSample& sample) {
  return transfer_s(constants, sample) + steps_s(constants, sample);
}

double error_pct(const Constants& constants, const LinkSample& sample) {
  return 100 * std::abs(predicted_s(constants, sample) / sample.time.value - 1);
}

using Samples = std::vector<const LinkSample*>;

/// With `free` constants fitted, all others as in `start`.
Constants fit_free(const Samples& samples, const Constants& start, const std::vector<Constant>& free) {
  const auto constants_at = [&](const std::vector<double>& x) {
    Constants constants = start;
    for (std::size_t i = 0; i < free.size(); ++i) {
      constants[free[i]] = x[i] * (is_efficiency(free[i]) ? 1 : kStepUnit_s);
    }
    return constants;
  };
  const auto error = [&](const std::vector<double>& x) {
    const Constants constants = constants_at(x);
    double sum = 0;
    for (const LinkSample* sample : samples) {
      sum += std::abs(std::log(std::max(predicted_s(constants, *sample), 1e-12) / sample->time.value));
    }
    return sum / static_cast<double>(samples.size());
  };
  Bounds bounds;
  for (const Constant constant : free) {
    bounds.least.push_back(is_efficiency(constant) ? 0.01 : 0);
    bounds.most.push_back(is_efficiency(constant) ? 1 : kLongestStep_s / kStepUnit_s);
  }
  std::optional<Minimum> best;
  for (const double efficiency : {0.4, 0.8}) {
    for (const double step : {0.1, 1.0, 10.0}) {
      std::vector<double> x;
      for (const Constant constant : free) {
        x.push_back(is_efficiency(constant) ? efficiency : step);
      }
      const Minimum found = find_minimum(error, bounds, std::move(x));
      if (!best || found.error < best->error) {
        best = found;
      }
    }
  }
  return constants_at(best->at);
}

/// The rows of which at least a quarter of the time follows from `constant`, or from what is fixed within a
/// node: base and steps. A step between nodes is as much beside seven within.
Samples telling_of(Constant constant, const Samples& samples, const Constants& constants) {
  Samples telling;
  for (const LinkSample* sample : samples) {
    const double total = predicted_s(constants, *sample), transfer = transfer_s(constants, *sample);
    const auto bytes = static_cast<double>(sample->size.value);
    const double part = constant == kCollectiveBase || constant == kIntraNodeStep
                            ? sample->terms->bases * constants[kCollectiveBase] +
                                  sample->terms->intra_steps * constants[kIntraNodeStep]
                        : constant == kInterNodeStep ? sample->terms->inter_steps * constants[kInterNodeStep]
                        : constant == kNicEfficiency
                            ? bytes * sample->terms->nic / constants[kNicEfficiency]
                            : bytes * sample->terms->nvlink / constants[kNvlinkEfficiency];
    const bool limits = !is_efficiency(constant) || part >= transfer;
    if (limits && part >= kTellingShare * total) {
      telling.push_back(sample);
    }
  }
  return telling;
}

bool tells(const Samples& samples) {
  std::set<Bytes> sizes;
  for (const LinkSample* sample : samples) {
    sizes.insert(sample->size);
  }
  return sizes.size() >= kFewestSizes;
}

/// How many steps sums within a node take, in all numbers: of one number alone base and steps cannot be told
/// apart, and the base is fitted.
std::size_t num_counts_of_steps(const Samples& samples) {
  std::set<double> steps;
  for (const LinkSample* sample : samples) {
    if (sample->terms->bases > 0) {
      steps.insert(sample->terms->intra_steps);
    }
  }
  return steps.size();
}

/// Constants of one level: those that its rows tell of are free.
struct LevelFit {
  Constants constants;
  std::vector<Constant> free;
};

template <std::size_t kCount>
LevelFit fit_level(const Samples& samples, const Constants& start,
                   const std::array<Constant, kCount>& of_level) {
  LevelFit level{start, {}};
  const std::size_t counts = num_counts_of_steps(samples);
  for (const Constant constant : of_level) {
    if (!(constant == kCollectiveBase && counts == 0) && !(constant == kIntraNodeStep && counts == 1)) {
      level.free.push_back(constant);
    }
  }
  level.constants = fit_free(samples, start, level.free);
  const auto num_tried = level.free.size();
  std::erase_if(level.free,
                [&](Constant constant) { return !tells(telling_of(constant, samples, level.constants)); });
  if (level.free.size() < num_tried) {
    level.constants = level.free.empty() ? start : fit_free(samples, start, level.free);
  }
  return level;
}

/// Rows within nodes and those between nodes, fitted one after another.
class LinkFitter {
 public:
  LinkFitter(const std::vector<LinkSample>& samples, const std::vector<bool>& is_within, Constants start)
      : samples_(samples), is_within_(is_within), start_(start) {
    takes_bases_ = std::any_of(samples.begin(), samples.end(),
                               [](const LinkSample& sample) { return sample.terms->bases > 0; });
    const Samples within = chosen(true, {}), between = chosen(false, {});
    if (!within.empty()) {
      nvlink_ = fit_level(within, start, kOfNodes);
    }
    constants_ = nvlink_ ? nvlink_->constants : start;
    if (!between.empty()) {
      nic_ = fit_level(between, constants_, kBetweenNodes);
      constants_ = nic_->constants;
    }
  }

  const Constants& constants() const { return constants_; }
  bool is_set(Constant constant) const {
    const auto has = [&](const std::optional<LevelFit>& level) {
      return level && std::find(level->free.begin(), level->free.end(), constant) != level->free.end();
    };
    return has(nvlink_) || has(nic_);
  }
  bool is_crossed(Constant constant) const {
    return is_of_nodes(constant) ? nvlink_.has_value() : nic_.has_value();
  }
  std::int64_t num_telling(Constant constant) const {
    return std::ssize(telling_of(constant, chosen(is_of_nodes(constant), {}), constants_));
  }
  std::int64_t num_fitted() const { return std::ssize(chosen(true, {})) + std::ssize(chosen(false, {})); }
  /// The same constants free, without the rows of one size.
  Constants without(Bytes size) const {
    Constants constants = start_;
    for (const bool within : {true, false}) {
      const std::optional<LevelFit>& level = within ? nvlink_ : nic_;
      const Samples samples = chosen(within, size);
      if (level && !level->free.empty() && !samples.empty()) {
        constants = fit_free(samples, constants, level->free);
      }
    }
    return constants;
  }

 private:
  /// Within a node sends tell of nothing where sums do: what NCCL takes for one is no step of a ring.
  Samples chosen(bool within, std::optional<Bytes> without) const {
    Samples chosen;
    for (const LinkSample& sample : samples_) {
      const bool is_told_by_others = within && takes_bases_ && sample.terms->bases == 0;
      if (is_within_[sample.collective] == within && sample.size != without && !is_told_by_others) {
        chosen.push_back(&sample);
      }
    }
    return chosen;
  }

  const std::vector<LinkSample>& samples_;
  const std::vector<bool>& is_within_;
  bool takes_bases_ = false;  ///< a row does
  Constants start_;
  Constants constants_;
  std::optional<LevelFit> nvlink_, nic_;
};

/// Errors of each collective's rows, fitted and held back.
void add_errors(const std::vector<LinkSample>& samples, const LinkFitter& fitter, LinkFit& fit) {
  std::set<Bytes> sizes;
  for (const LinkSample& sample : samples) {
    sizes.insert(sample.size);
  }
  std::vector<std::vector<double>> fitted(fit.collectives.size()), held_back(fit.collectives.size());
  std::vector<double> all_fitted, all_held_back;
  for (const Bytes size : sizes) {
    const Constants others = sizes.size() > 1 ? fitter.without(size) : fitter.constants();
    for (const LinkSample& sample : samples) {
      if (sample.size == size) {
        fitted[sample.collective].push_back(error_pct(fitter.constants(), sample));
        held_back[sample.collective].push_back(error_pct(others, sample));
        all_fitted.push_back(fitted[sample.collective].back());
        all_held_back.push_back(held_back[sample.collective].back());
      }
    }
  }
  for (std::size_t i = 0; i < fit.collectives.size(); ++i) {
    fit.collectives[i].fitted = error_of(std::move(fitted[i]));
    fit.collectives[i].held_back = error_of(std::move(held_back[i]));
  }
  fit.fitted = error_of(std::move(all_fitted));
  fit.held_back = error_of(std::move(all_held_back));
}

}  // namespace

Result<LinkFit> fit_links(const std::vector<MeasuredCollective>& collectives, const Hardware& hardware) {
  PORTOLAN_TRY(const LinkTermFinder finder, LinkTermFinder::make(hardware));
  std::vector<LinkTerms> terms;
  std::vector<bool> is_within;
  for (const MeasuredCollective& collective : collectives) {
    terms.push_back(finder.terms_of(collective));
    is_within.push_back(collective.num_nodes == 1);
  }
  LinkFit fit;
  std::vector<LinkSample> samples;
  for (std::size_t i = 0; i < collectives.size(); ++i) {
    const MeasuredCollective& collective = collectives[i];
    fit.collectives.push_back({.kind = collective.kind,
                               .num_ranks = std::ssize(collective.members),
                               .num_nodes = collective.num_nodes,
                               .num_rows = std::ssize(collective.rows),
                               .fitted = {},
                               .held_back = {}});
    for (const MeasuredCollective::Row& row : collective.rows) {
      samples.push_back({i, &terms[i], row.size, row.time});
    }
  }
  if (samples.empty()) {
    return bad_input("no measured collectives");
  }
  const double nic_efficiency =
      hardware.num_nodes > 1 ? hardware.nic.efficiency.value : 1;  // crossed by none
  const Constants start = {hardware.nvlink.efficiency.value, hardware.collective_base.value.value,
                           hardware.intra_node_step.value.value, nic_efficiency,
                           hardware.inter_node_step.value.value};
  const LinkFitter fitter(samples, is_within, start);
  bool any = false;
  for (std::size_t c = 0; c < kFigures.size(); ++c) {
    const auto constant = static_cast<Constant>(c);
    if (fitter.is_crossed(constant)) {
      const double value = fitter.constants()[constant];
      fit.constants.push_back(
          {.figure = kFigures[constant],
           .before = start[constant],
           .value = value,
           .num_rows = fitter.num_telling(constant),
           .is_set = fitter.is_set(constant),
           .is_at_limit = is_efficiency(constant) && fitter.is_set(constant) && value > 0.999});
      any = any || fitter.is_set(constant);
    }
  }
  if (!any) {
    return bad_input(
        "no constant follows from its rows (needed: rows of two sizes whose time is mostly that of NVLink, "
        "of "
        "network cards or of steps)");
  }
  fit.num_rows = std::ssize(samples);
  fit.num_fitted = fitter.num_fitted();
  fit.points = measured_points(collectives, hardware);
  add_errors(samples, fitter, fit);
  return fit;
}

void set_links(const LinkFit& fit, const std::string& source, Hardware& hardware) {
  for (const LinkConstant& constant : fit.constants) {
    if (!constant.is_set) {
      continue;
    }
    if (constant.figure == kFigures[kNvlinkEfficiency]) {
      hardware.nvlink.efficiency = {constant.value, source};
    } else if (constant.figure == kFigures[kNicEfficiency]) {
      hardware.nic.efficiency = {constant.value, source};
    } else if (constant.figure == kFigures[kCollectiveBase]) {
      hardware.collective_base = {Seconds(constant.value), source};
    } else if (constant.figure == kFigures[kIntraNodeStep]) {
      hardware.intra_node_step = {Seconds(constant.value), source};
    } else {
      hardware.inter_node_step = {Seconds(constant.value), source};
    }
  }
  for (const CollectiveFitError& collective : fit.collectives) {
    std::erase_if(hardware.collective_points, [&](const CollectivePoint& point) {
      return point.collective == name_of_points(collective.kind);
    });
  }
  hardware.collective_points.insert(hardware.collective_points.end(), fit.points.begin(), fit.points.end());
}

}  // namespace portolan
