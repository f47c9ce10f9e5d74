#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "plan/collective.h"

namespace portolan {

/// A program of nccl-tests.
struct NcclProgram {
  std::string name;                    ///< "all_reduce_perf"
  std::optional<CollectiveKind> kind;  ///< none: of a collective that no plan has
  bool works_in_place = true;

  bool operator==(const NcclProgram&) const = default;
};

/// The last program of nccl-tests that `text` names, if any: "build/all_reduce_perf -b 8".
std::optional<NcclProgram> program_named_in(std::string_view text);

/// What a table of nccl-tests tells of the program that printed it.
struct NcclTableSigns {
  std::optional<bool> reduces;   ///< `redop` is not none; nothing: no such column
  std::optional<bool> has_root;  ///< `root` is not -1
  /// Results were checked out of place but not in place, or in both; nothing: not checked.
  std::optional<bool> unchecked_in_place;
  std::int64_t num_ranks = 0;
  double bus_factor = 0;  ///< busbw over algbw; 0: too small to tell
};

/// The one program that prints such a table, or none.
std::optional<NcclProgram> program_with(const NcclTableSigns& signs);

/// How far a bus factor of bandwidths printed with two decimals may be off.
inline constexpr double kBusFactorTolerance = 0.02;

/// Bus bandwidth over algorithm bandwidth. Source: nccl-tests, doc/PERFORMANCE.md.
double bus_factor(CollectiveKind kind, std::int64_t num_ranks);

}  // namespace portolan
