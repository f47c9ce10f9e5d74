#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"

namespace portolan {

/// A PCIe link whose speed the file knows.
struct NcclPcieLink {
  std::string word;     ///< "16 GT/s x 16"
  BytesPerSecond rate;  ///< of data, one direction
  int line = 0;
};

struct NcclGpu {
  std::string pci_address;  ///< "0000:07:00.0", lower case
  int line = 0;
  std::optional<std::int64_t> sm;         ///< compute capability, 80 for 8.0
  std::optional<std::int64_t> numa_node;  ///< of the CPU it hangs below
  std::optional<NcclPcieLink> pcie;       ///< the slowest one known on the way to the CPU
  std::int64_t num_switch_links = 0;      ///< NVLinks to NVSwitches
  /// NVLinks to each GPU of the node directly, by place in NcclTopology::gpus; empty when there are none.
  std::vector<std::int64_t> num_peer_links;

  std::int64_t num_links() const;
};

/// One port of a network card.
struct NcclCard {
  std::string name;  ///< "mlx5_0"
  int line = 0;
  std::optional<BytesPerSecond> speed;
  std::optional<std::int64_t> numa_node;
  bool is_near_gpu = false;  ///< shares a PCIe switch with a GPU

  bool operator==(const NcclCard&) const = default;
};

/// One node as NCCL sees it, in the file's order.
struct NcclTopology {
  std::string file;  ///< its name, without folders
  std::vector<NcclGpu> gpus;
  std::vector<NcclCard> cards;
  std::int64_t gpus_per_pcie_switch = 0;  ///< most GPUs that share a PCIe link to the CPU; 1: none do
};

/// Reads what NCCL writes to NCCL_TOPO_DUMP_FILE: a <system> of <cpu>, <pci>, <gpu>, <nvlink>, <nic> and
/// <net>; other elements and attributes are passed over. Errors (kBadInput), one line with the place: no XML,
/// over 4 MiB, 64 levels, 1024 GPUs or 4096 cards, another root, no GPU, several hosts, AMD's GPUs, numbers
/// that are none, speeds and widths that PCIe does not have.
Result<NcclTopology> read_nccl_topology(std::string_view text, std::string_view file);

}  // namespace portolan
