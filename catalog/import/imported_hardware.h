#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// What inputs say of one key of a hardware file. `source`: which of them said what; without a value, where
/// to look for it. One line.
template <typename T>
struct Imported {
  std::optional<T> value;
  std::string source;

  bool operator==(const Imported&) const = default;
};

/// The part of topology/hardware.h that descriptions of clusters know: counts and bandwidths. Efficiencies,
/// latencies and everything of the device are measured or in datasheets, so that no input says them.
struct ImportedHardware {
  std::string name;
  Imported<std::int64_t> num_nodes;
  Imported<std::int64_t> gpus_per_node;
  Imported<std::int64_t> nics_per_node;
  Imported<std::int64_t> nodes_per_pod;
  Imported<std::int64_t> spines;
  Imported<BytesPerSecond> nvlink_bandwidth;
  std::optional<Imported<BytesPerSecond>> pcie_bandwidth;  ///< nothing: no input tells of PCIe
  Imported<BytesPerSecond> nic_bandwidth;
  Imported<BytesPerSecond> trunk_bandwidth;
  /// What was left out or taken for something else, one line each.
  std::vector<std::string> assumed;

  bool operator==(const ImportedHardware&) const = default;
};

/// A hardware file (docs/scenario-files.md) with `unknown` where no input says a value; read_hardware() names
/// the first of these until all are filled in. Sources of counts and what was assumed are comments.
std::string write_imported(const ImportedHardware& hardware);

/// The keys that say `unknown`, in the file's order: "device.memory".
std::vector<std::string> unknown_keys(const ImportedHardware& hardware);

}  // namespace portolan
