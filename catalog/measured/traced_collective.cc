#include "catalog/measured/traced_collective.h"

#include <set>
#include <utility>

#include "catalog/measured/traced_operation.h"

namespace portolan {

namespace {

std::optional<CollectiveKind> collective_of(TimeKind kind) {
  switch (kind) {
    case TimeKind::kAllReduce:
      return CollectiveKind::kAllReduce;
    case TimeKind::kReduceScatter:
      return CollectiveKind::kReduceScatter;
    case TimeKind::kAllGather:
      return CollectiveKind::kAllGather;
    case TimeKind::kBroadcast:
      return CollectiveKind::kBroadcast;
    case TimeKind::kAllToAll:
      return CollectiveKind::kAllToAll;
    default:
      return std::nullopt;
  }
}

/// All of a group's ranks: long lists are shortened in the middle. Empty: not known.
std::vector<std::int32_t> whole_group(const TracedGroup& group, std::optional<std::int32_t> num_ranks) {
  const std::int32_t size = group.size > 0 ? group.size : static_cast<std::int32_t>(group.ranks.size());
  constexpr std::int32_t kMostRanks = 1 << 20;
  if (size < 2 || size > kMostRanks) {
    return {};
  }
  std::vector<std::int32_t> ranks = group.ranks;
  std::int32_t stride = ranks.size() > 1 ? ranks[1] - ranks[0] : 1;
  if (ranks.empty() && num_ranks == size) {
    ranks = {0};  // of all ranks
  } else if (static_cast<std::int32_t>(ranks.size()) == size) {
    std::set<std::int32_t> distinct(ranks.begin(), ranks.end());
    return static_cast<std::int32_t>(distinct.size()) == size ? ranks : std::vector<std::int32_t>();
  } else if (ranks.size() < 2 || stride < 1 ||
             std::int64_t{ranks.back()} != ranks[0] + std::int64_t{stride} * (size - 1)) {
    return {};
  }
  std::vector<std::int32_t> whole;
  for (std::int32_t i = 0; i < size; ++i) {
    whole.push_back(ranks[0] + stride * i);
  }
  return whole;
}

}  // namespace

std::variant<CollectiveAsked, const char*> traced_collective(TimeKind kind,
                                                             const TraceEvents::Communication* asked,
                                                             std::optional<std::int32_t> num_ranks) {
  const std::optional<CollectiveKind> collective = collective_of(kind);
  if (!collective) {
    return "waits for its peer";
  }
  if (asked == nullptr) {
    return "no sizes recorded";
  }
  const std::int64_t width = bytes_of_type(asked->type);
  const std::int64_t elements =
      *collective == CollectiveKind::kAllGather ? asked->elements_out : asked->elements_in;
  if (width == 0 || elements <= 0 || elements > (std::int64_t{1} << 45)) {
    return "no sizes recorded";
  }
  std::vector<std::int32_t> ranks = whole_group(asked->group, num_ranks);
  if (ranks.empty()) {
    return "its group's ranks are not known";
  }
  return CollectiveAsked{*collective, std::move(ranks), Bytes(elements * width)};
}

}  // namespace portolan
