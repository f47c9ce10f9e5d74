#pragma once

#include <optional>
#include <string>
#include <vector>

#include "study/paper_runs.h"

namespace portolan {

/// What the paper says of 512 A100s against DeepSpeed, FairScale and Megatron-LM (Int. J. Computational
/// Intelligence Systems 18, 293, 2025, abstract), in per cent.
inline constexpr double kClaimedTimePct = 38;
inline constexpr double kClaimedMemoryPct = 42;

/// How much less one quantity is than another, both predicted.
struct Reduction {
  double pct = 0;  ///< 100 (1 - ours / theirs); negative: more
  /// Where nine of ten are expected. Absent where no errors of predictions are known.
  std::optional<ValueInterval> interval;

  /// Nothing is told apart: no reduction lies within the interval.
  bool is_tie() const { return interval && interval->contains(0); }
};

/// Both positive. The logarithm of ours / theirs errs by the root of the summed squares of both half-widths,
/// as if the predictions erred independently (of one software on one machine they err alike in part, and the
/// interval is too wide).
Reduction reduction_of(double theirs, double ours, const std::optional<ErrorMargin>& their_margin,
                       const std::optional<ErrorMargin>& our_margin);

/// Portolan's plan against one row, of the same model and device.
struct PaperGain {
  const PaperRun* theirs = nullptr;
  const PaperRun* ours = nullptr;
  Reduction time;    ///< of a step
  Reduction memory;  ///< largest peak of the same step

  bool reaches_time() const { return time.pct >= kClaimedTimePct; }
  bool reaches_memory() const { return memory.pct >= kClaimedMemoryPct; }
};

/// `ours` against every baseline of kBaselines that fits, in their order; `runs` must outlive the gains.
/// Portolan's exact plan of each model and device.
std::vector<PaperGain> paper_gains(const std::vector<PaperRun>& runs);

/// Of each baseline of one model on the 80 GB device, Portolan's fastest plan that needs at least
/// kClaimedMemoryPct less than it, among kBudgets and the plan itself; none where no budget is as small.
std::vector<PaperGain> leaner_gains(const std::vector<PaperRun>& runs, const std::string& model);

}  // namespace portolan
