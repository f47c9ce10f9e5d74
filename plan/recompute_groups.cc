#include "plan/recompute_groups.h"

namespace portolan {

bool ends_group(std::int32_t i, std::int32_t count, std::int32_t layers_per_group) {
  return i + 1 == count || (i + 1) % layers_per_group == 0;
}

std::vector<BackwardStep> backward_steps(const std::vector<bool>& ends_group) {
  std::vector<BackwardStep> steps;
  for (std::size_t end = ends_group.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && !ends_group[begin - 1]) {
      --begin;
    }
    const std::size_t first = steps.size();
    for (std::size_t block = begin; block + 1 < end; ++block) {
      steps.push_back({.block = block, .recompute = true, .recomputed = steps.size()});
    }
    steps.push_back({.block = end - 1, .recompute = true, .backward = true, .recomputed = steps.size()});
    for (std::size_t block = end - 1; block-- > begin;) {
      steps.push_back({.block = block, .backward = true, .recomputed = first + block - begin});
    }
    end = begin;
  }
  return steps;
}

}  // namespace portolan
