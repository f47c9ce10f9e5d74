#include "catalog/measured/nccl_test_kind.h"

#include <array>
#include <cctype>
#include <cmath>

namespace portolan {

namespace {

struct KnownProgram {
  std::string_view name;
  std::optional<CollectiveKind> kind;
  CollectiveKind bus_factor_as;
  bool works_in_place;
  bool reduces;   ///< prints `redop`: sendrecv does, though it has no use for it
  bool has_root;  ///< prints `root`
};

constexpr std::array<KnownProgram, 10> kPrograms = {{
    {"all_reduce_perf", CollectiveKind::kAllReduce, CollectiveKind::kAllReduce, true, true, false},
    {"all_gather_perf", CollectiveKind::kAllGather, CollectiveKind::kAllGather, true, false, false},
    {"reduce_scatter_perf", CollectiveKind::kReduceScatter, CollectiveKind::kReduceScatter, true, true,
     false},
    {"broadcast_perf", CollectiveKind::kBroadcast, CollectiveKind::kBroadcast, true, false, true},
    {"alltoall_perf", CollectiveKind::kAllToAll, CollectiveKind::kAllToAll, false, false, false},
    {"sendrecv_perf", CollectiveKind::kShift, CollectiveKind::kShift, false, true, false},
    {"reduce_perf", std::nullopt, CollectiveKind::kBroadcast, true, true, true},
    {"scatter_perf", std::nullopt, CollectiveKind::kAllGather, true, false, true},
    {"gather_perf", std::nullopt, CollectiveKind::kAllGather, true, false, true},
    {"hypercube_perf", std::nullopt, CollectiveKind::kAllGather, false, false, false},
}};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

NcclProgram program_of(const KnownProgram& known) {
  return {std::string(known.name), known.kind, known.works_in_place};
}

}  // namespace

std::optional<NcclProgram> program_named_in(std::string_view text) {
  constexpr std::string_view kEnding = "_perf";
  for (std::size_t end = text.size();;) {
    const std::size_t found = text.substr(0, end).rfind(kEnding);
    if (found == std::string_view::npos) {
      return std::nullopt;
    }
    std::size_t begin = found;
    while (begin > 0 && is_word(text[begin - 1])) {
      --begin;
    }
    const std::size_t after = found + kEnding.size();
    const std::string_view name = text.substr(begin, after - begin);
    for (const KnownProgram& known : kPrograms) {
      // In the name of a file there may be more: "2nodes_all_reduce_perf".
      if (name.ends_with(known.name) &&
          (name.size() == known.name.size() || name[name.size() - known.name.size() - 1] == '_') &&
          (after == text.size() || !std::isalnum(static_cast<unsigned char>(text[after])))) {
        return program_of(known);
      }
    }
    end = begin;
  }
}

double bus_factor(CollectiveKind kind, std::int64_t num_ranks) {
  const auto n = static_cast<double>(num_ranks);
  switch (kind) {
    case CollectiveKind::kAllReduce:
      return 2 * (n - 1) / n;
    case CollectiveKind::kReduceScatter:
    case CollectiveKind::kAllGather:
    case CollectiveKind::kAllToAll:
      return (n - 1) / n;
    case CollectiveKind::kBroadcast:
    case CollectiveKind::kShift:
      return 1;
  }
  return 1;
}

std::optional<NcclProgram> program_with(const NcclTableSigns& signs) {
  if (signs.bus_factor == 0 || !signs.reduces || !signs.has_root) {
    return std::nullopt;
  }
  std::optional<NcclProgram> only;
  for (const KnownProgram& known : kPrograms) {
    const double factor = bus_factor(known.bus_factor_as, signs.num_ranks);
    const bool is_told_by_name_alone = known.name == "hypercube_perf";
    const bool fits = !is_told_by_name_alone && known.reduces == *signs.reduces &&
                      known.has_root == *signs.has_root &&
                      std::abs(signs.bus_factor / factor - 1) < kBusFactorTolerance &&
                      (!signs.unchecked_in_place || *signs.unchecked_in_place == !known.works_in_place);
    if (fits && only) {
      return std::nullopt;
    }
    if (fits) {
      only = program_of(known);
    }
  }
  return only;
}

}  // namespace portolan
