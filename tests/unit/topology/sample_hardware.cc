#include "sample_hardware.h"

namespace portolan {

namespace {

template <typename T>
Sourced<T> made_up(T value) {
  return {value, "made up for tests"};
}

LinkSpec link(double bandwidth, double latency, double efficiency) {
  return {.bandwidth = made_up(BytesPerSecond(bandwidth)),
          .latency = made_up(Seconds(latency)),
          .efficiency = made_up(efficiency)};
}

}  // namespace

Hardware sample_hardware() {
  Hardware hardware;
  hardware.name = "sample";
  hardware.num_nodes = 64;
  hardware.gpus_per_node = 8;
  hardware.device.memory = made_up(Bytes(80'000'000'000));
  hardware.device.peak[Precision::kBf16] = made_up(FlopsPerSecond(300e12));
  hardware.device.memory_bandwidth = made_up(BytesPerSecond(2e12));
  hardware.device.gemm_efficiency = made_up(0.75);
  hardware.device.attention_gemm_efficiency = made_up(0.5);
  hardware.device.memory_efficiency = made_up(0.8);
  hardware.device.kernel_launch = made_up(Seconds(4e-6));
  hardware.nvlink = link(250e9, 1e-6, 0.8);
  hardware.nic = link(25e9, 2e-6, 0.8);
  hardware.nics_per_node = 8;
  hardware.nodes_per_pod = 32;
  hardware.spines = 16;
  hardware.trunk = link(50e9, 4e-6, 0.8);
  return hardware;
}

Hardware three_tier_hardware() {
  Hardware hardware = sample_hardware();
  hardware.nodes_per_pod = 8;
  hardware.spines = 4;
  hardware.pods_per_group = 4;
  hardware.core_switches = 2;
  hardware.core_trunk = link(100e9, 8e-6, 0.8);
  return hardware;
}

}  // namespace portolan
