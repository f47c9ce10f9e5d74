#include "tests/unit/catalog/import/fabric_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace portolan {

namespace {

bool is_adapter(const std::string& name) { return name.find(' ') != std::string::npos; }

}  // namespace

std::size_t FabricText::place_of(const std::string& name) {
  const auto known = std::find(names_.begin(), names_.end(), name);
  if (known != names_.end()) {
    return static_cast<std::size_t>(known - names_.begin());
  }
  names_.push_back(name);
  ports_.emplace_back();
  return names_.size() - 1;
}

std::string FabricText::id_of(std::size_t place) const {
  return fmt::format("{}-{:016x}", is_adapter(names_[place]) ? 'H' : 'S', place + 1);
}

FabricText& FabricText::join(const std::string& a, const std::string& b, const std::string& rate, int count) {
  const std::size_t from = place_of(a);
  const std::size_t to = place_of(b);
  for (int i = 0; i < count; ++i) {
    const std::size_t from_number = ports_[from].size() + 1;
    const std::size_t to_number = ports_[to].size() + 1;
    ports_[from].push_back({.peer = to, .peer_number = to_number, .rate = rate});
    ports_[to].push_back({.peer = from, .peer_number = from_number, .rate = rate});
  }
  return *this;
}

std::string FabricText::text() const {
  std::string text = "# Topology file\n";
  for (std::size_t i = 0; i < names_.size(); ++i) {
    text += fmt::format("{}\t{} \"{}\"\t\t# \"{}\"\n", is_adapter(names_[i]) ? "Ca" : "Switch",
                        std::max<std::size_t>(ports_[i].size(), 1), id_of(i), names_[i]);
    for (std::size_t p = 0; p < ports_[i].size(); ++p) {
      const Port& port = ports_[i][p];
      text += fmt::format("[{}]\t\"{}\"[{}] \t\t# \"{}\" lid {} {}\n", p + 1, id_of(port.peer),
                          port.peer_number, names_[port.peer], port.peer + 1, port.rate);
    }
  }
  return text;
}

FabricText rail_tree(const TreeShape& shape) {
  FabricText fabric;
  for (std::size_t node = 0; node < shape.nodes; ++node) {
    for (std::size_t card = 0; card < shape.cards; ++card) {
      fabric.join(fmt::format("node{} mlx5_{}", node, card),
                  fmt::format("leaf{}.{}", node / shape.nodes_per_pod, card));
    }
  }
  const std::size_t num_pods = (shape.nodes - 1) / shape.nodes_per_pod + 1;
  for (std::size_t pod = 0; pod < num_pods; ++pod) {
    for (std::size_t card = 0; card < shape.cards; ++card) {
      for (std::size_t spine = 0; spine < shape.spines; ++spine) {
        fabric.join(fmt::format("leaf{}.{}", pod, card), fmt::format("spine{}", spine), "4xHDR",
                    shape.links_per_trunk);
      }
    }
  }
  return fabric;
}

}  // namespace portolan
