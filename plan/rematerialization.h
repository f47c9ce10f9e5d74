#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// One way to run a layer: what it keeps of a microbatch, what its backward takes, what is computed again.
struct LayerChoice {
  Bytes saved;        ///< from forward to backward
  Bytes deferred;     ///< of a split backward: from input gradients to weight gradients
  Bytes peak;         ///< while the layer runs backward, of what it holds itself: no less than either
  Bytes peak_at_end;  ///< likewise of the lowest and the highest layer, with the end block there
  Seconds recompute;  ///< of each microbatch

  bool operator==(const LayerChoice&) const = default;
};

/// Which choice to take for each layer of a stage. Layers are given by their kind: those of one kind have the
/// same choices and stand for one another.
struct RematerializationProblem {
  std::vector<std::vector<LayerChoice>> kinds;  ///< choices of each kind, one or more
  /// Of the chunk that runs backward when most is held: its layers in the order of forward.
  std::vector<std::size_t> running;
  Bytes saved_beside, deferred_beside;  ///< of the end blocks there, whatever is chosen

  /// Microbatches that the running chunk holds beside the one in backward: whole, and of a split backward
  /// those whose weight gradients are put off.
  struct Moment {
    std::int64_t num_saved = 0;
    std::int64_t num_deferred = 0;

    bool operator==(const Moment&) const = default;
  };
  std::vector<Moment> moments;  ///< one or more, of which the fullest counts

  /// Further chunks of the stage.
  struct HeldChunk {
    std::vector<std::size_t> layers;
    std::int64_t num_saved = 0;  ///< microbatches

    bool operator==(const HeldChunk&) const = default;
  };
  std::vector<HeldChunk> held;

  Bytes budget;
  bool operator==(const RematerializationProblem&) const = default;
};

/// Which choice each layer takes: of the running chunk, then of the held ones, in the problem's order.
using LayerChoices = std::vector<std::size_t>;

/// What the stage's layers hold at the fullest moment, as the closed form has it:
///   max over moments of (saved x num_saved + peak + deferred x num_deferred) + what held chunks save,
/// where the peak is the highest, over the layers of the running chunk, of what those below it save, those
/// above it have put off, and its own; of the lowest and the highest layer this is `peak_at_end`.
Bytes rematerialized_memory(const RematerializationProblem& problem, const LayerChoices& choices);

struct Rematerialization {
  LayerChoices choices;
  Seconds recompute;  ///< of one microbatch in all layers
  Bytes memory;       ///< rematerialized_memory()
};

/// What counts as faster, as a share of the recomputed time: rounding.
inline constexpr double kExactRematerialization = 1e-9;

/// The least recomputed time within the budget, to `tolerance`, a share of that time; nothing where no
/// choices fit. Exact in bytes, and as it stands in time: equally fast choices are not compared further.
///
/// Dynamic programming over the stack, layer by layer. A state is what the layers so far save, have put off,
/// hold at most, and recompute; of two states with the same layers to come one that is no better in any of
/// these is dropped. As states say how much and not which layers, those that differ only in which of several
/// equal layers take a choice are one. A bound drops states that cannot become faster than the best known
/// choices: the layers to come recompute no less than the lower convex hull of their choices (saved bytes
/// against time) says for the bytes that are left. The best known choices come from the same pass with few
/// states for each layer, then with more, until nothing is left out; choices too dear for a better answer are
/// dropped in between.
///
/// O(n k L log(k L)) for n layers of k choices and L states that are kept for a layer, with (k L)^2 in place
/// of the last two where choices put off different amounts: some tens to some thousands, as only mixtures of
/// few choices come close to the bound. Source of the bound: the linear relaxation of the multiple-choice
/// knapsack problem (Sinha and Zoltners 1979, Operations Research 27(3)).
std::optional<Rematerialization> rematerialize(const RematerializationProblem& problem,
                                               double tolerance = kExactRematerialization);

/// Choices that no other one matches or beats in everything, by their places in `choices`, in that order; of
/// equal ones the first.
std::vector<std::size_t> undominated_choices(const std::vector<LayerChoice>& choices);

}  // namespace portolan
