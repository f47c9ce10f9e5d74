#include "small_clusters.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostNodes = 4;
constexpr std::int64_t kMaxGpus = 4;
constexpr std::int64_t kMaxSpines = 3;

LinkSpec link(double bandwidth, double latency) {
  return {.bandwidth = {BytesPerSecond(bandwidth), "made up for tests"},
          .latency = {Seconds(latency), "made up for tests"},
          .efficiency = {1, "made up for tests"}};
}

Hardware node() {
  Hardware hardware;
  hardware.name = "small";
  hardware.device.memory.value = Bytes(1);
  hardware.device.peak[Precision::kFp32].value = FlopsPerSecond(1);
  hardware.device.memory_bandwidth.value = BytesPerSecond(1);
  hardware.device.gemm_efficiency.value = 1;
  hardware.device.attention_gemm_efficiency.value = 1;
  hardware.device.memory_efficiency.value = 1;
  hardware.nvlink = link(1000, 1);
  hardware.nic = link(6, 16);
  hardware.trunk = link(7, 256);
  hardware.core_trunk = link(5, 4096);
  return hardware;
}

/// The same machine with one leaf for all cards of a pod, with PCIe links, with groups of pods below core
/// switches; of four nodes, as fewer show no more of groups. Three GPUs or spines show nothing new either.
void add_variants(const Hardware& hardware, std::vector<Hardware>& all) {
  if (hardware.gpus_per_node == 3 || hardware.spines == kMaxSpines) {
    return;
  }
  Hardware plain = hardware;
  plain.rails = false;
  all.push_back(plain);
  Hardware with_pcie = hardware;
  with_pcie.pcie = link(4, 1.0 / 16);
  all.push_back(with_pcie);
  if (hardware.num_nodes < kMostNodes || hardware.spines == 0) {
    return;
  }
  Hardware grouped = hardware;
  grouped.pods_per_group = hardware.nodes_per_pod == 1 ? 2 : 1;
  for (grouped.core_switches = 1; grouped.core_switches <= 2; ++grouped.core_switches) {
    all.push_back(grouped);
  }
  grouped.rails = false;
  grouped.pcie = link(4, 1.0 / 16);
  all.push_back(grouped);
}

}  // namespace

std::vector<Hardware> small_hardware() {
  std::vector<Hardware> all;
  Hardware hardware = node();
  for (hardware.num_nodes = 1; hardware.num_nodes <= kMostNodes; ++hardware.num_nodes) {
    for (hardware.gpus_per_node = 1; hardware.gpus_per_node <= kMaxGpus; ++hardware.gpus_per_node) {
      for (hardware.nics_per_node = 1; hardware.nics_per_node <= hardware.gpus_per_node;
           ++hardware.nics_per_node) {
        for (hardware.nodes_per_pod = 1; hardware.nodes_per_pod <= hardware.num_nodes;
             ++hardware.nodes_per_pod) {
          for (hardware.spines = 0; hardware.spines <= kMaxSpines; ++hardware.spines) {
            const bool joins_pods = hardware.spines > 0 || hardware.nodes_per_pod == hardware.num_nodes;
            if (hardware.gpus_per_node % hardware.nics_per_node == 0 && joins_pods) {
              all.push_back(hardware);
              add_variants(hardware, all);
            }
          }
        }
      }
    }
  }
  return all;
}

std::string describe(const Hardware& hardware) {
  return std::to_string(hardware.num_nodes) + " nodes of " + std::to_string(hardware.gpus_per_node) +
         " GPUs and " + std::to_string(hardware.nics_per_node) + " cards" +
         (hardware.rails ? "" : " without rails") + (hardware.pcie ? " behind PCIe" : "") + ", " +
         std::to_string(hardware.nodes_per_pod) + " nodes a pod, " + std::to_string(hardware.spines) +
         " spines, " + std::to_string(hardware.pods_per_group) + " pods a group, " +
         std::to_string(hardware.core_switches) + " core switches";
}

std::int64_t rail_of(const Hardware& hardware, DeviceIndex device) {
  return hardware.rails ? device % hardware.gpus_per_node * hardware.nics_per_node / hardware.gpus_per_node
                        : 0;
}

std::int64_t pod_of(const Hardware& hardware, DeviceIndex device) {
  return device / hardware.gpus_per_node / hardware.nodes_per_pod;
}

std::int64_t group_of(const Hardware& hardware, DeviceIndex device) {
  return hardware.pods_per_group == 0 ? 0 : pod_of(hardware, device) / hardware.pods_per_group;
}

}  // namespace portolan
