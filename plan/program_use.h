#pragma once

#include <set>
#include <string_view>

#include "plan/program.h"
#include "topology/cluster.h"

namespace portolan {

/// Links that payloads cross, and what moves them.
struct CrossedLinks {
  bool nvlink = false, pcie = false, nic = false, trunk = false, core_trunk = false;

  void add(const CrossedLinks& other) {
    nvlink |= other.nvlink;
    pcie |= other.pcie;
    nic |= other.nic;
    trunk |= other.trunk;
    core_trunk |= other.core_trunk;
  }
};

/// What a Program asks of the machine.
struct ProgramUse {
  std::set<KernelKind> kernels;
  std::set<CollectiveKind> collectives;
  std::set<CollectiveAlgorithm> algorithms;  ///< of those that are not measured whole
  bool sends = false;
  bool recomputes = false;
  bool fp8_products = false;
  bool wide_products = false;     ///< of any kind, in the precision of compute
  bool grouped_products = false;  ///< of linear layers: one an expert
  bool narrow_values = false;     ///< flash attention, of heads whose values are not as wide as their queries
  bool routes = false;            ///< tokens to experts
  bool copies = false;            ///< to the host and back
  CrossedLinks ring;              ///< of collectives that are not measured whole
  CrossedLinks send;              ///< likewise, of sends
};

ProgramUse use_of(const Program& program, const Cluster& cluster);

bool has_points(const Hardware& hardware, std::string_view collective);
/// What points of it are called: a shift is a send to the next rank.
std::string_view measured_name(CollectiveKind kind);

}  // namespace portolan
