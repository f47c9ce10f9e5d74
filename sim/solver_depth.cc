#include "sim/solver_depth.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace portolan {
namespace {

/// Measured on x86-64: 10,000 links fit into 1 MiB, 100,000 do not fit into 8 MiB.
constexpr std::size_t kBytesPerLink = 128;
/// Linux keeps 128 MiB below the stack free whatever its limit was when the process began.
constexpr std::size_t kMostStack = 100 * 1024 * 1024;
/// What everything below the solver needs.
constexpr std::size_t kReservedBytes = 256 * 1024;

/// Links that some path ties together have one representative.
class LinkGroups {
 public:
  explicit LinkGroups(std::size_t num_links) : parent_(num_links), size_(num_links, 1) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }

  void tie(std::size_t a, std::size_t b) {
    a = representative(a);
    b = representative(b);
    if (a == b) return;
    if (size_[a] < size_[b]) std::swap(a, b);
    parent_[b] = a;
    size_[a] += size_[b];
  }

  std::size_t largest() const { return size_.empty() ? 0 : *std::ranges::max_element(size_); }

 private:
  std::size_t representative(std::size_t link) {
    while (parent_[link] != link) {
      parent_[link] = parent_[parent_[link]];
      link = parent_[link];
    }
    return link;
  }

  std::vector<std::size_t> parent_;
  std::vector<std::size_t> size_;
};

}  // namespace

Result<void> make_room_for_solver(const ActivityGraph& graph) {
  rlimit stack{};
  if (getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY) return {};
  const auto need = [](std::size_t num_links) { return num_links * kBytesPerLink + kReservedBytes; };
  if (need(graph.links.size()) <= stack.rlim_cur) return {};
  LinkGroups groups(graph.links.size());
  for (std::size_t path = 0; path + 1 < graph.path_offsets.size(); ++path) {
    const std::span<const std::int32_t> links = graph.links_of_path(static_cast<std::int32_t>(path));
    for (const std::int32_t link : links) {
      groups.tie(static_cast<std::size_t>(links.front()), static_cast<std::size_t>(link));
    }
  }
  const std::size_t needed = need(groups.largest());
  if (needed <= stack.rlim_cur) return {};
  const std::size_t most = std::min<std::size_t>(stack.rlim_max, kMostStack);
  if (needed <= most) {
    stack.rlim_cur = needed;
    if (setrlimit(RLIMIT_STACK, &stack) == 0) return {};
  }
  return infeasible(fmt::format(
      "{} links tied together by paths need {} KiB of stack (allowed: {} KiB): use a coarser fidelity",
      groups.largest(), needed / 1024, most / 1024));
}

}  // namespace portolan
