#include "study/paper_gains.h"

#include <algorithm>
#include <cmath>

namespace portolan {

namespace {

bool is_exact_plan(const PaperRun& run) { return run.row.planner == "portolan" && run.best; }

bool is_fitting_baseline(const PaperRun& run) {
  return run.row.part == PaperPart::kBaselines && !run.row.is_portolan() && run.best;
}

PaperGain gain_of(const PaperRun& theirs, const PaperRun& ours) {
  const auto bytes = [](const PaperRun& run) { return static_cast<double>(run.best->peak_memory.value); };
  return {.theirs = &theirs,
          .ours = &ours,
          .time = reduction_of(theirs.best->step_time.value, ours.best->step_time.value,
                               theirs.margins.step_time, ours.margins.step_time),
          .memory = reduction_of(bytes(theirs), bytes(ours), theirs.margins.memory, ours.margins.memory)};
}

}  // namespace

Reduction reduction_of(double theirs, double ours, const std::optional<ErrorMargin>& their_margin,
                       const std::optional<ErrorMargin>& our_margin) {
  const double ratio = ours / theirs;
  Reduction reduction{.pct = 100 * (1 - ratio), .interval = {}};
  if (their_margin && our_margin) {
    const double width = std::hypot(their_margin->half_width, our_margin->half_width);
    reduction.interval = ValueInterval{.low = 100 * (1 - ratio * std::exp(width)),
                                       .high = 100 * (1 - ratio * std::exp(-width))};
  }
  return reduction;
}

std::vector<PaperGain> paper_gains(const std::vector<PaperRun>& runs) {
  std::vector<PaperGain> gains;
  for (const PaperRun& theirs : runs) {
    if (!is_fitting_baseline(theirs)) {
      continue;
    }
    const auto ours = std::find_if(runs.begin(), runs.end(), [&](const PaperRun& run) {
      return run.row.part == PaperPart::kBaselines && is_exact_plan(run) &&
             run.row.model == theirs.row.model && run.row.device == theirs.row.device;
    });
    if (ours != runs.end()) {
      gains.push_back(gain_of(theirs, *ours));
    }
  }
  return gains;
}

std::vector<PaperGain> leaner_gains(const std::vector<PaperRun>& runs, const std::string& model) {
  std::vector<PaperGain> gains;
  for (const PaperRun& theirs : runs) {
    if (!is_fitting_baseline(theirs) || theirs.row.model != model || theirs.row.device != "80 GB") {
      continue;
    }
    std::optional<PaperGain> fastest;
    for (const PaperRun& ours : runs) {
      const bool is_plan = ours.row.part == PaperPart::kBudgets || ours.row.part == PaperPart::kBaselines;
      if (!is_plan || !is_exact_plan(ours) || ours.row.model != model || ours.row.device != "80 GB") {
        continue;
      }
      const PaperGain gain = gain_of(theirs, ours);
      if (gain.reaches_memory() && (!fastest || gain.time.pct > fastest->time.pct)) {
        fastest = gain;
      }
    }
    if (fastest) {
      gains.push_back(*fastest);
    }
  }
  return gains;
}

}  // namespace portolan
