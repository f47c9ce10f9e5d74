#pragma once

#include <cstdint>
#include <optional>

#include "model/block.h"
#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// How the ranks of a sharding group divide parameters and gradients (ZeRO stages 2 and 3, FSDP).
struct Sharding {
  std::int64_t parts = 1;
  std::int64_t expert_parts = 1;  ///< of experts' parameters, which fewer ranks hold
  bool parameters = false;        ///< gathered for each use
  bool regathers = false;         ///< for backward too: they were given back after forward
  bool gradients = false;         ///< reduced after each backward
  bool copies_gathered = false;   ///< into tensors of their own, SoftwareProfile::gather_copy
  std::int64_t reduce_copy_bytes =
      0;                            ///< element size of the buffer that is reduced; 0: as computed, in place
  std::int64_t reduce_bytes = 4;    ///< element size of gradients on the wire
  std::int64_t gradient_bytes = 4;  ///< element size of the accumulated shards

  std::int64_t shard_of(const Tensor& tensor) const {
    const std::int64_t ranks = tensor.expert ? expert_parts : parts;
    return (tensor.elements + ranks - 1) / ranks;
  }
};

Sharding sharding_of(const Scenario& scenario, const Strategy& strategy);

bool backward_reads_parameters(const Block& block);

/// The copy of a block's gathered parameters into tensors of their own, and that of its gradients into the
/// buffer that is reduced: of experts' or of all others. Without operands. Nothing where none is made.
std::optional<Kernel> gathered_copy(const Block& block, const Sharding& sharding, bool expert);
std::optional<Kernel> reduce_copy(const Block& block, const Sharding& sharding, bool expert);

}  // namespace portolan
