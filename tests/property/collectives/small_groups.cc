#include "tests/property/collectives/small_groups.h"

#include <random>

#include "tests/property/topology/small_clusters.h"

namespace portolan {

std::vector<Hardware> small_hardware_with_steps() {
  std::vector<Hardware> some;
  const std::vector<Hardware> all = small_hardware();
  for (std::size_t i = 0; i < all.size(); i += 3) {
    some.push_back(all[i]);
    some.back().collective_base.value = Seconds(7);
    some.back().intra_node_step.value = Seconds(3);
    some.back().inter_node_step.value = Seconds(50);
  }
  return some;
}

std::vector<std::vector<DeviceIndex>> small_groups(const Hardware& hardware) {
  const auto count = static_cast<DeviceIndex>(hardware.num_gpus());
  const auto per_node = static_cast<DeviceIndex>(hardware.gpus_per_node);
  std::vector<std::vector<DeviceIndex>> groups;
  const auto add = [&](const auto& joins) {
    std::vector<DeviceIndex> members;
    for (DeviceIndex device = count - 1; device >= 0; --device) {
      if (joins(device)) {
        members.push_back(device);
      }
    }
    if (members.size() >= 2) {
      groups.push_back(members);
    }
  };
  add([](DeviceIndex) { return true; });
  add([&](DeviceIndex device) { return device % per_node == 0; });
  add([&](DeviceIndex device) { return device < (count + 1) / 2; });
  add([](DeviceIndex device) { return device % 2 == 0; });
  std::mt19937 random(static_cast<unsigned>(count));
  for (int i = 0; i < 3; ++i) {
    const auto subset = static_cast<unsigned>(random());
    add([&](DeviceIndex device) { return (subset >> device & 1U) != 0; });
  }
  return groups;
}

std::string describe(const Hardware& hardware, const std::vector<DeviceIndex>& members) {
  std::string text = describe(hardware) + ": members";
  for (const DeviceIndex member : members) {
    text += " " + std::to_string(member);
  }
  return text;
}

}  // namespace portolan
