#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "plan/rematerialization.h"

namespace portolan {

/// What the running chunk of a RematerializationProblem saves, has put off and holds at most, in bytes.
struct StackMemory {
  std::int64_t saved = 0;
  std::int64_t deferred = 0;
  std::int64_t peak = 0;

  /// Adds a layer on top.
  void add(const LayerChoice& layer, bool is_at_end) {
    const Bytes own = is_at_end ? layer.peak_at_end : layer.peak;
    peak = std::max(peak + layer.deferred.value, saved + own.value);
    saved += layer.saved.value;
    deferred += layer.deferred.value;
  }
};

/// Over the problem's moments, held chunks aside.
std::int64_t at_fullest_moment(const RematerializationProblem& problem, const StackMemory& stack);

struct StageLayer {
  std::size_t kind = 0;
  std::int64_t num_saved = 0;  ///< microbatches; of the running chunk at most, beside the one in backward
};
/// In the order of LayerChoices.
std::vector<StageLayer> layers_of(const RematerializationProblem& problem);

}  // namespace portolan
