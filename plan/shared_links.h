#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "plan/costed_program.h"
#include "plan/op_flows.h"
#include "topology/cluster.h"

namespace portolan {

/// How fast the flow that stands for a kind can be at most, so that all of them together take no less time
/// than their busiest link does.
BytesPerSecond rate_together(const Cluster& cluster, const OpFlows::Kind& kind);

/// Links on which communications of a folded Program can meet: those that a transfer which stands for others
/// crosses, and that flows of another lane or stage cross too, whichever flow stands for these. Without those
/// that are never full, at each transfer's rate_together(), nor before another one is: under fair sharing
/// they change no rate.
class SharedLinks {
 public:
  SharedLinks(const CostedProgram& program, const Cluster& cluster);

  /// A transfer that stands for several flows crosses a link as often as they do: `times`, of a bandwidth
  /// that is several times the link's where flows of different sizes cross it.
  struct Crossing {
    LinkIndex link = 0;
    BytesPerSecond bandwidth;
    std::int32_t times = 1;
  };
  /// Of the transfer that stands for a kind of flows of OpFlowsTable.
  const std::vector<Crossing>& crossings(const OpFlows::Kind& kind) const;

 private:
  std::map<const OpFlows::Kind*, std::vector<Crossing>> crossings_;
};

}  // namespace portolan
