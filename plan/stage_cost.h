#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "plan/axis_seconds.h"
#include "plan/communication_prices.h"
#include "plan/compressed_sum.h"
#include "plan/cost.h"
#include "plan/scenario.h"
#include "plan/strategy.h"
#include "topology/cluster.h"

namespace portolan {

/// What a pass of a block asks of the wire over which ranks share parameters and gradients (ZeRO 2 and 3).
struct WireTime {
  Seconds used;        ///< by collectives within its kernels, where nothing else uses it
  Seconds slowed;      ///< the pass takes longer by that, where it gets half of the wire
  Seconds lead, tail;  ///< parts of the pass before the first and after the last of them

  WireTime operator+(const WireTime& other) const {
    return {used + other.used, slowed + other.slowed, lead + other.lead, tail + other.tail};
  }
  WireTime operator*(double times) const {
    return {used * times, slowed * times, lead * times, tail * times};
  }
};

/// Times of a block on one rank, what it waits for apart.
struct BlockTime {
  Seconds forward;
  Seconds backward;  ///< with a split backward: of input gradients
  Seconds weight;    ///< with a split backward: weight gradients, with what they wait for
  Seconds recompute;
  AxisSeconds exposed_forward{};                  ///< communication of forward
  AxisSeconds exposed_backward{};                 ///< of backward and recomputation
  Seconds offload_forward{}, offload_backward{};  ///< waiting for copies
  WireTime wire_forward{}, wire_backward{};       ///< with ZeRO 2 and 3

  BlockTime operator+(const BlockTime& other) const {
    return {forward + other.forward,
            backward + other.backward,
            weight + other.weight,
            recompute + other.recompute,
            exposed_forward + other.exposed_forward,
            exposed_backward + other.exposed_backward,
            offload_forward + other.offload_forward,
            offload_backward + other.offload_backward,
            wire_forward + other.wire_forward,
            wire_backward + other.wire_backward};
  }
  BlockTime operator*(double times) const {
    return {forward * times,         backward * times,         weight * times,
            recompute * times,       exposed_forward * times,  exposed_backward * times,
            offload_forward * times, offload_backward * times, wire_forward * times,
            wire_backward * times};
  }
  Seconds whole_forward() const { return forward + exposed_forward.total() + offload_forward; }
  Seconds whole_backward() const {
    return backward + recompute + exposed_backward.total() + offload_backward;
  }
};

/// Memory of a chunk that holds one layer, for one microbatch in flight.
struct StageShape {
  std::int64_t parameters = 0;         ///< elements on a rank, experts' aside
  std::int64_t expert_parameters = 0;  ///< of experts, which fewer ranks hold
  std::int64_t num_tensors = 0;
  Bytes saved;     ///< from forward to backward, were it all on the device
  Bytes deferred;  ///< of a split backward: until the weight gradients, after the input gradients are made
  Bytes peak;      ///< of what lives no longer than a microbatch; likewise
  Bytes partial_gradients;  ///< to be summed over the tensor-parallel group once a step
  Bytes kept_gradients;     ///< narrow ones of a microbatch, beside those that add up
};

/// Where a chunk stands decides which end blocks it has.
enum class StagePlace : std::uint8_t { kMiddle, kFirst, kLast, kOnly };
StagePlace stage_place(std::int32_t stage, std::int32_t num_stages);

/// One of several layers that are recomputed together.
struct GroupedLayer {
  BlockTime time;
  Seconds whole_recompute{};  ///< part of `time`, with what it waits for; of the last of the group unknown: 0
  std::int64_t parameters = 0;
  std::int64_t expert_parameters = 0;
  std::int64_t num_tensors = 0;
};

/// Over which links the first ranks that share what ZeRO 2 and 3 divide gather and reduce it.
enum class SharersWire : std::uint8_t { kNone, kWithinNodes, kBetweenNodes };
SharersWire sharers_wire(const Strategy& strategy, const Placement& placement, const Cluster& cluster);

/// All that the closed form needs of the blocks, with layers of one kind or with groups of layers that are
/// recomputed together and count as one, for one choice of degrees within kernels, microbatch, recomputation
/// and precision.
struct BlockCosts {
  BlockTime embedding, layer, head;
  std::vector<GroupedLayer> grouped;  ///< of a group: its layers
  StageShape layer_shape;             ///< of one further layer: parameters and saved bytes
  std::array<StageShape, 4> stages;   ///< by StagePlace
  BlockOptions options;
  /// Gradients that are matrices: of the embedding, the layer or group, the head, and the head that uses the
  /// embedding's own weight.
  std::vector<GradientMatrix> embedding_matrices, layer_matrices, head_matrices, tied_head_matrices;
};

/// `kinds`: of the layer, or of the layers of a group. Precondition: `strategy` recomputes alike in all
/// layers and breaks no rule of find_rejection; the model has layers of these kinds.
BlockCosts block_costs(const Scenario& scenario, const Strategy& strategy,
                       const std::vector<LayerKind>& kinds, CommunicationPrices& prices,
                       const KernelCost& cost);

}  // namespace portolan
