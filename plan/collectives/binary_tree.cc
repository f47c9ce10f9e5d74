#include "plan/collectives/binary_tree.h"

#include <algorithm>
#include <bit>

namespace portolan {

std::optional<std::int64_t> parent_in_order(std::int64_t position, std::int64_t count) {
  std::int64_t node = position + 1;  // counted from 1, a node's lowest bit is its height
  std::int64_t height = node & -node;
  const auto root = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(count)));
  if (node == root) {
    return std::nullopt;
  }
  // Of a complete tree; where that has a node which this one lacks, its parent takes over.
  do {
    node = (node ^ height) | (2 * height);
    height *= 2;
  } while (node > count);
  return node - 1;
}

std::int64_t second_position(std::int64_t position, std::int64_t count) {
  return count % 2 == 0 ? count - 1 - position : (position + 1) % count;
}

std::int64_t first_position(std::int64_t position, std::int64_t count) {
  return count % 2 == 0 ? count - 1 - position : (position + count - 1) % count;
}

std::int64_t depth_in_order(std::int64_t count) {
  std::int64_t deepest = 0;
  for (std::int64_t leaf = 0; leaf < count; leaf += 2) {
    std::int64_t depth = 0;
    for (auto above = parent_in_order(leaf, count); above; above = parent_in_order(*above, count)) {
      ++depth;
    }
    deepest = std::max(deepest, depth);
  }
  return deepest;
}

}  // namespace portolan
