#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// What joins two devices of a node, in nvidia-smi's words, nearest first.
enum class Nearness : std::uint8_t {
  kSelf,    ///< X
  kNvlink,  ///< NV#: # bonded NVLinks
  kPix,     ///< at most one PCIe bridge
  kPxb,     ///< several PCIe bridges, no host bridge
  kPhb,     ///< a PCIe host bridge
  kNode,    ///< host bridges of one NUMA node
  kSys,     ///< the interconnect between NUMA nodes
};

struct NvidiaSmiCell {
  Nearness nearness = Nearness::kSelf;
  std::int64_t num_links = 0;  ///< kNvlink

  bool operator==(const NvidiaSmiCell&) const = default;
};

/// One node as `nvidia-smi topo -m` prints it: GPUs first, then network cards.
struct NvidiaSmiTopology {
  std::string file;  ///< its name, without folders
  std::size_t num_gpus = 0;
  std::vector<std::string> cards;    ///< "mlx5_0" where the legend says so, else the column ("NIC0")
  std::vector<NvidiaSmiCell> cells;  ///< by row; symmetric

  std::size_t num_devices() const { return num_gpus + cards.size(); }
  const NvidiaSmiCell& between(std::size_t a, std::size_t b) const { return cells[a * num_devices() + b]; }
  /// Shares PCIe bridges with a GPU, without a host bridge (PIX, PXB).
  bool is_near_gpu(std::size_t card) const;
};

/// Reads the matrix and the legend of network cards; underlining of terminals is taken off. Errors
/// (kBadInput), one line with the place: over 1 MiB or 512 devices, no header, a row that is missing, has
/// another name or too few cells, a cell that is no word of the legend, a matrix that is not symmetric.
Result<NvidiaSmiTopology> read_nvidia_smi_topology(std::string_view text, std::string_view file);

}  // namespace portolan
