#include "plan/collective.h"

#include <array>

#include "plan/name_table.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, kNumCollectiveKinds> kCollectives = {
    "all_reduce", "reduce_scatter", "all_gather", "broadcast", "all_to_all", "shift"};
constexpr std::array<std::string_view, 3> kAlgorithms = {"ring", "tree", "hierarchical"};

}  // namespace

std::string_view collective_name(CollectiveKind kind) { return kCollectives[static_cast<std::size_t>(kind)]; }
std::optional<CollectiveKind> find_collective(std::string_view name) {
  return find_name<CollectiveKind>(kCollectives, name);
}

std::string_view algorithm_name(CollectiveAlgorithm algorithm) {
  return kAlgorithms[static_cast<std::size_t>(algorithm)];
}
std::optional<CollectiveAlgorithm> find_algorithm(std::string_view name) {
  return find_name<CollectiveAlgorithm>(kAlgorithms, name);
}

}  // namespace portolan
