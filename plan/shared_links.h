#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "plan/costed_program.h"
#include "plan/op_flows.h"
#include "topology/cluster.h"

namespace portolan {

/// Links on which communications of a folded Program can meet: those that a transfer which stands for others
/// crosses, and that flows of another lane or stage cross too, whichever flow stands for these. Of links that
/// the same cross, the slowest alone: it limits them all.
class SharedLinks {
 public:
  SharedLinks(const CostedProgram& program, const Cluster& cluster);

  /// A transfer that stands for several flows crosses a link as often as they do: `times` of `parts` a flow.
  struct Crossing {
    LinkIndex link = 0;
    std::int32_t parts = 1;
    std::int32_t times = 1;
  };
  /// Of the transfer that stands for a kind of flows of OpFlowsTable.
  const std::vector<Crossing>& crossings(const OpFlows::Kind& kind) const;

 private:
  std::map<const OpFlows::Kind*, std::vector<Crossing>> crossings_;
};

}  // namespace portolan
