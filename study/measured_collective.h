#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "catalog/measured/collective_rows.h"
#include "catalog/measured/nccl_tests.h"
#include "plan/collective.h"
#include "topology/cluster.h"

namespace portolan {

/// Measured times of one collective among one group of a cluster's devices.
struct MeasuredCollective {
  struct Row {
    Bytes size;  ///< as CollectiveRequest::payload
    Seconds time;
  };

  std::string file;  ///< where it is from
  CollectiveKind kind = CollectiveKind::kAllReduce;
  std::vector<DeviceIndex> members;  ///< distinct, at least two
  std::int64_t num_nodes = 1;        ///< that hold them
  std::vector<Row> rows;
};

/// Whose GPUs a test of nccl-tests ran on, as devices of `hardware`: hosts are nodes in the order of their
/// first rank, places within them the device numbers; where processes each call theirs 0, by PCI bus. Errors
/// (kBadInput), one line with file and line: more hosts than nodes, more ranks on a host than a node has
/// GPUs, two ranks on one device.
Result<MeasuredCollective> place_nccl_test(const NcclTest& test, const Hardware& hardware,
                                           const std::string& file);

/// Rows of a table, those of one collective among equally many ranks and nodes together; ranks are the first
/// devices of the first nodes. Rows that `hardware` has too few nodes, or GPUs in a node, for are left out.
std::vector<MeasuredCollective> place_collective_rows(const std::vector<CollectiveRow>& rows,
                                                      const Hardware& hardware, const std::string& file);

}  // namespace portolan
