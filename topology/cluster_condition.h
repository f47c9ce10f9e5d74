#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/result.h"
#include "topology/cluster_layout.h"
#include "topology/condition.h"

namespace portolan {

/// What is wrong with a cluster by dense index. Shares are 0 of what is dead, 1 of what is as it should be.
class ClusterCondition {
 public:
  /// Adds one after another. Errors: the first one's.
  static Result<ClusterCondition> resolve(const ClusterLayout& layout, const Condition& condition);

  /// Errors (kBadInput), with the impairment in front: a part that the cluster does not have, a share out of
  /// range, something said twice, a link without which GPUs cannot be reached whatever else lives.
  Result<void> add(const ClusterLayout& layout, const Impairment& impairment);

  double link_share(LinkIndex link) const;
  double gpu_share(std::int64_t gpu) const;
  bool is_dead(LinkIndex link) const { return has_dead_links_ && link_share(link) == 0; }
  bool is_failed(std::int64_t node) const { return failed_nodes_.contains(node); }

  bool has_slow_gpus() const { return !gpu_shares_.empty(); }
  bool has_impaired_links() const { return !link_shares_.empty(); }
  bool has_dead_links() const { return has_dead_links_; }
  /// Nothing is wrong.
  bool empty() const { return gpu_shares_.empty() && link_shares_.empty() && failed_nodes_.empty(); }

  /// With their shares.
  const std::unordered_map<LinkIndex, double>& impaired_links() const { return link_shares_; }
  const std::unordered_map<std::int64_t, double>& slow_gpus() const { return gpu_shares_; }
  const std::unordered_set<std::int64_t>& failed_nodes() const { return failed_nodes_; }

 private:
  Result<void> add_known(const ClusterLayout& layout, const Impairment& impairment);
  Result<void> add_links(const ClusterLayout& layout, const Impairment& impairment);
  Result<void> kill(const ClusterLayout& layout, LinkIndex link);
  void slow(LinkIndex link, double share);

  std::unordered_map<LinkIndex, double> link_shares_;
  std::unordered_map<std::int64_t, double> gpu_shares_;
  std::unordered_set<std::int64_t> failed_nodes_;
  bool has_dead_links_ = false;
  std::set<std::pair<ImpairmentKind, std::string>> said_;
};

}  // namespace portolan
