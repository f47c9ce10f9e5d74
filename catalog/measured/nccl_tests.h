#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "plan/collective.h"

namespace portolan {

/// A rank as nccl-tests lists it: "#  Rank  3 Group  0 Pid 4711 on node7 device  3 [0000:4e:00] NVIDIA A100".
struct NcclTestRank {
  std::int64_t line = 0;
  std::string host;
  std::int64_t device = 0;  ///< as its process counts them
  std::string bus;          ///< of PCI; empty: not said
  std::string gpu;

  bool operator==(const NcclTestRank&) const = default;
};

/// One measured time, of a collective out of place or in place.
struct NcclTestRow {
  std::int64_t line = 0;
  Bytes size;  ///< as in CollectiveRequest::payload
  Seconds time;

  bool operator==(const NcclTestRow&) const = default;
};

/// One run of one of its programs.
struct NcclTest {
  std::int64_t line = 0;  ///< of its table's head
  CollectiveKind kind = CollectiveKind::kAllReduce;
  std::vector<NcclTestRank> ranks;  ///< by rank: at least two
  std::vector<NcclTestRow> rows;    ///< in the order of the table: at least one
};

struct NcclTestsOutput {
  std::vector<NcclTest> tests;
  std::vector<std::string> other_programs;  ///< "reduce_perf": of collectives that no plan has, left out
  std::int64_t num_malformed = 0;           ///< rows left out: cut, or with other output within
};

/// Reads what programs of nccl-tests print (all_reduce_perf, all_gather_perf, reduce_scatter_perf,
/// broadcast_perf, alltoall_perf, sendrecv_perf), any number of runs in one file, other lines between, ranks
/// that mpirun or srun put before lines. Which program it was is what the output says ("# Collective test
/// starting: ..."), else the command above it or the file's name, else what columns and bus bandwidths allow.
/// Rows of 0 bytes are passed over, and what is in place where the program has no such thing (alltoall,
/// sendrecv). Errors (kBadInput), one line with file and line: no table, wrong results (#wrong), ranks
/// missing or listed twice or in several groups, host's times (-C), a program that cannot be told or that is
/// at odds with the bandwidths.
/// Source: NVIDIA/nccl-tests, README.md and doc/PERFORMANCE.md.
Result<NcclTestsOutput> read_nccl_tests(std::istream& stream, const std::string& file);

}  // namespace portolan
