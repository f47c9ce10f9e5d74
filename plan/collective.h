#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace portolan {

enum class CollectiveKind : std::uint8_t {
  kAllReduce,
  kReduceScatter,
  kAllGather,
  kBroadcast,
  kAllToAll,  ///< each member has a part of its payload for each member
  kShift,     ///< each member sends its payload to the next member, the last one to the first
};
inline constexpr int kNumCollectiveKinds = static_cast<int>(CollectiveKind::kShift) + 1;

enum class CollectiveAlgorithm : std::uint8_t { kRing, kTree, kHierarchical };

std::string_view collective_name(CollectiveKind kind);
std::optional<CollectiveKind> find_collective(std::string_view name);
std::string_view algorithm_name(CollectiveAlgorithm algorithm);
std::optional<CollectiveAlgorithm> find_algorithm(std::string_view name);

}  // namespace portolan
