#pragma once

#include <cstdint>
#include <optional>

namespace portolan {

/// A binary tree over positions 0 to count-1 whose left and right subtrees lie left and right of their root:
/// even positions are leaves, depth at most log2(count). None for the root. Precondition: position < count.
std::optional<std::int64_t> parent_in_order(std::int64_t position, std::int64_t count);

/// Position in the second tree of what is at `position` in the first: a leaf, where it is not one in the
/// first. Mirrored with an even count, shifted by one with an odd one (Sanders, Speck and Traeff 2009).
std::int64_t second_position(std::int64_t position, std::int64_t count);

/// What second_position makes of the result is `position` again.
std::int64_t first_position(std::int64_t position, std::int64_t count);

/// Edges from the root to the farthest leaf.
std::int64_t depth_in_order(std::int64_t count);

}  // namespace portolan
