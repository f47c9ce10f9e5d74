#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "plan/estimate.h"
#include "plan/timeline.h"

namespace portolan {

/// What a measured run used of one rank's memory.
struct RankMemory {
  std::int32_t rank = 0;
  Bytes predicted_live;  ///< from the Program, before the run
  Bytes live;            ///< peak of live buffers
  Bytes arena;           ///< highest address of the arena
  Bytes rss;  ///< growth of resident memory over the steps, the process's, divided over its ranks as their
              ///< arenas are

  bool operator==(const RankMemory&) const = default;
};

/// Total time of one kind of kernel or communication in one step, on the slowest rank's median step.
struct KindTime {
  std::string kind;
  Seconds predicted;
  Seconds measured;

  bool operator==(const KindTime&) const = default;
};

/// Where a run came from, for anyone who wants to repeat it.
struct Provenance {
  std::string command;
  std::string version;
  std::string machine;
  std::string scenario_hash;
  std::uint64_t seed = 0;

  bool operator==(const Provenance&) const = default;
};

/// A run: plan, prediction, measurement. What store/ keeps in an HDF5 file.
struct RunRecord {
  std::string plan_json;  ///< the whole plan file, so that the record stands alone
  std::string program_hash;
  std::string device;    ///< "host"
  std::string ranks_as;  ///< "threads"
  Estimate predicted;    ///< made before the first step
  Timeline predicted_timeline;
  std::vector<Seconds> step_times;     ///< of each step after the warm-up, slowest rank
  std::vector<double> losses;          ///< mean token loss of each step's training batch
  std::vector<double> heldout_losses;  ///< before the first step and after the last
  Timeline measured_timeline;          ///< the median step
  std::vector<KindTime> by_kind;
  std::vector<RankMemory> memory;
  bool valid = false;
  std::string invalid_reason;  ///< empty when valid
  Provenance provenance;

  bool operator==(const RunRecord&) const = default;
};

/// Median and median absolute deviation: what `run` and `compare` report.
Seconds median(std::vector<Seconds> times);
Seconds median_absolute_deviation(const std::vector<Seconds>& times);

}  // namespace portolan
