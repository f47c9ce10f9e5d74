#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace portolan {

// Layers that are recomputed together: of each group only the input of the first is kept, all of it runs
// forward again before its last layer runs backward (Recompute::layers_per_group). Parameters that are given
// back after forward (ZeRO stage 3) are gathered for a layer's recomputation and once more for its backward,
// unless that follows at once: as modules that gather for themselves do within one checkpoint (PyTorch FSDP).

/// Whether layer `i` of a virtual stage of `count` layers is the last of its group.
bool ends_group(std::int32_t i, std::int32_t count, std::int32_t layers_per_group);

/// What a backward pass does with one block.
struct BackwardStep {
  std::size_t block = 0;       ///< in the order of forward
  bool recompute = false;      ///< its forward again, as far as it is recomputed
  bool backward = false;       ///< with both, one after the other
  std::size_t recomputed = 0;  ///< the step that does the former
};
/// All blocks of a pass from the last to the first. `ends_group`: of each, in the order of forward.
std::vector<BackwardStep> backward_steps(const std::vector<bool>& ends_group);

}  // namespace portolan
