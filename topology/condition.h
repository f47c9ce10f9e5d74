#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portolan {

/// What can be wrong with a part of a cluster.
enum class ImpairmentKind : std::uint8_t {
  kSlowGpu,         ///< computes at a share of its speed
  kSlowLink,        ///< has a share of its bandwidth
  kDeadLink,        ///< carries nothing
  kFailedNic,       ///< a network card whose links carry nothing
  kFailedNode,      ///< holds no ranks
  kCongestedSpine,  ///< of each of its links others take all but a share
};

/// One thing that is wrong.
struct Impairment {
  ImpairmentKind kind = ImpairmentKind::kSlowGpu;
  /// A GPU "node3.gpu5", a card "node3.nic2", a node "node3", a spine "spine0" (with several groups
  /// "group1.spine0"); a link as Cluster::link_name says, "node3.nic2->pod0.leaf2", or both of its
  /// directions, "node3.nic2<->pod0.leaf2".
  std::string place = {};
  double share = 1;  ///< what is left of speed or bandwidth, above 0, at most 1; 1 where the kind has none

  bool operator==(const Impairment&) const = default;
};

/// All that is wrong with a cluster. What touches a link twice leaves the product of the shares.
using Condition = std::vector<Impairment>;

/// "slow-gpu", and back.
std::string_view impairment_word(ImpairmentKind kind);
std::optional<ImpairmentKind> find_impairment(std::string_view word);
/// All of them, with commas, for messages.
std::string impairment_words();
/// Whether something is left of it.
bool has_share(ImpairmentKind kind);

/// "slow-gpu node3.gpu5 0.7", "failed-nic node3.nic2".
std::string impairment_text(const Impairment& impairment);

}  // namespace portolan
