#include "plan/stage_cost.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "plan/beside_compute.h"
#include "plan/block_lowering.h"
#include "plan/group_flows.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/memory.h"
#include "plan/rank_place.h"
#include "plan/sharding.h"

namespace portolan {

SharersWire sharers_wire(const Strategy& strategy, const Placement& placement, const Cluster& cluster) {
  if (!divides_gradients(strategy) || zero_sharers(strategy) == 1) {
    return SharersWire::kNone;
  }
  const std::int32_t last = placement.rank_along(0, kDataAxes, zero_sharers(strategy) - 1);
  return cluster.node_of(0) == cluster.node_of(last) ? SharersWire::kWithinNodes : SharersWire::kBetweenNodes;
}

namespace {

/// Prices kernels of a block, communication with all groups of a stage doing it together.
class BlockPricing {
 public:
  BlockPricing(const Scenario& scenario, const Strategy& strategy, CommunicationPrices& prices,
               const KernelCost& cost)
      : placement_(placement_of(strategy)),
        sharding_(sharding_of(scenario, strategy)),
        wire_(sharers_wire(strategy, placement_, prices.cluster())),
        prices_(prices),
        cost_(cost) {}

  /// Where gathers of parameters and reductions of gradients have half of the wire.
  BlockPricing with_half_the_wire() const {
    BlockPricing half = *this;
    half.has_half_the_wire_ = true;
    return half;
  }

  Seconds time(const Kernel& kernel) const {
    if (!is_communication(kernel.kind)) {
      return cost_.time(kernel);
    }
    const Seconds alone = prices_.time(placement_, op_of(kernel), 0);
    return has_half_the_wire_ ? alone + on_wire(kernel) : alone;
  }
  /// How long the kernel uses the wire, where nothing else does.
  Seconds on_wire(const Kernel& kernel) const {
    if (!is_communication(kernel.kind) || wire_ == SharersWire::kNone) {
      return {};
    }
    const Op op = op_of(kernel);
    const Seconds latency = prices_.line(placement_, op, 0).latency;
    const bool within = GroupFlows(placement_, prices_.cluster()).stay_in_nodes(op, 0);
    const bool shares = within == (wire_ == SharersWire::kWithinNodes);
    return shares ? std::max(prices_.time(placement_, op, 0) - latency, Seconds(0)) : Seconds(0);
  }
  Seconds host_excess(Seconds device_time, std::int64_t num_kernels) const {
    return cost_.host_excess(device_time, num_kernels);
  }
  double share_of_collectives() const { return cost_.share_of_collectives(); }
  Seconds checkpoint_pause() const { return cost_.checkpoint_pause(); }
  const Sharding& sharding() const { return sharding_; }

 private:
  static Op op_of(const Kernel& kernel) {
    Op op;
    op.kind = OpKind::kCollective;
    op.collective = collective_of(kernel.kind);
    op.axes = {axis_of(kernel.kind)};
    op.bytes = kernel.bytes;
    return op;
  }

  Placement placement_;
  Sharding sharding_;
  SharersWire wire_;
  bool has_half_the_wire_ = false;
  CommunicationPrices& prices_;
  const KernelCost& cost_;
};

/// Walks through the kernels of a block: compute one after another, communication beside it where the block
/// lets it, in lanes of its own.
class BlockWalk {
 public:
  explicit BlockWalk(const BlockPricing& pricing)
      : pricing_(pricing), beside_(pricing.share_of_collectives()) {}

  /// Adds times of kernels of no group that wait for nothing.
  void run(const std::vector<Kernel>& kernels, Seconds& compute) {
    AxisSeconds none;
    for (const Kernel& kernel : kernels) {
      run({.kernel = kernel}, compute, none);
    }
  }

  /// Adds the kernel's time to `compute`, and what compute waits for it or before it to `waiting`.
  void run(const GroupedKernel& grouped, Seconds& compute, AxisSeconds& waiting) {
    const Kernel& kernel = grouped.kernel;
    const Seconds time = pricing_.time(kernel);
    if (!is_communication(kernel.kind)) {
      for (const Operand& operand : kernel.operands) {
        if (const auto found = ready_.find(operand.tensor); found != ready_.end()) {
          wait_until(found->second, waiting);
          beside_.end(found->second.place);
          ready_.erase(found);
        }
      }
      const Seconds slowed = time + beside_.run(time);
      compute += slowed;
      clock_ += slowed;
      device_ += time;
      ++num_kernels_;
      return;
    }
    const Axis axis = axis_of(kernel.kind);
    const Seconds begin = std::max(lanes_[axis], clock_);
    lanes_[axis] = begin + time;
    if (const Seconds used = pricing_.on_wire(kernel); used > Seconds(0)) {
      wire_.lead = wire_.used > Seconds(0) ? wire_.lead : begin;
      wire_.used += used;
      wire_end_ = lanes_[axis];
    }
    if (!grouped.overlapped) {
      device_ += kAxesWithinKernels.contains(axis) ? lanes_[axis] - clock_ : Seconds(0);
      wait_until({.time = lanes_[axis], .axis = axis}, waiting);
      return;
    }
    beside_.begin(++num_beside_, time);
    for (const Operand& operand : kernel.operands) {
      ready_[operand.tensor] = {lanes_[axis], axis, num_beside_};
    }
  }

  /// Ends a run of kernels that the host launches one after another: what it takes longer than they do.
  void wait_for_host(Seconds& compute) {
    const Seconds excess = pricing_.host_excess(device_, num_kernels_);
    compute += excess;
    clock_ += excess;
    device_ = {};
    num_kernels_ = 0;
  }

  /// Adds time in which no kernel runs.
  void pause(Seconds time, Seconds& compute) {
    compute += time;
    clock_ += time;
  }

  /// After the last kernel: what this pass asks of the wire, and when.
  WireTime wire() const {
    WireTime wire = wire_;
    wire.tail = wire.used > Seconds(0) ? std::max(clock_ - wire_end_, Seconds(0)) : Seconds(0);
    return wire;
  }

 private:
  struct Arrival {
    Seconds time;
    Axis axis = Axis::kTensor;
    std::size_t place = 0;  ///< among collectives beside compute
  };

  void wait_until(const Arrival& arrival, AxisSeconds& waiting) {
    if (arrival.time > clock_) {
      waiting[arrival.axis] += arrival.time - clock_;
      clock_ = arrival.time;
    }
  }

  const BlockPricing& pricing_;
  Seconds clock_;
  Seconds device_;  ///< of the kernels since the host was waited for
  std::int64_t num_kernels_ = 0;
  CollectivesBeside beside_;
  std::size_t num_beside_ = 0;
  AxisSeconds lanes_;             ///< when the last communication along each axis is over
  std::map<int, Arrival> ready_;  ///< of tensors in communication under way
  WireTime wire_;
  Seconds wire_end_;
};

/// What of a block's forward runs again.
struct Recomputed {
  std::vector<bool> kernels;
  bool ahead = false;  ///< with other blocks between it and backward

  bool any() const { return std::find(kernels.begin(), kernels.end(), true) != kernels.end(); }
};

/// Copies of gathered parameters, which begin a pass of the block, and of gradients, which end it.
struct Copies {
  std::vector<Kernel> forward, backward, gradients;

  Copies(const Block& block, const Sharding& sharding) {
    for (const bool expert : {false, true}) {
      if (std::optional<Kernel> copy = gathered_copy(block, sharding, expert)) {
        forward.push_back(*copy);
        if (sharding.regathers && backward_reads_parameters(block)) {
          backward.push_back(*std::move(copy));
        }
      }
      if (std::optional<Kernel> copy = reduce_copy(block, sharding, expert)) {
        gradients.push_back(*std::move(copy));
      }
    }
  }
};

BlockTime block_time_alone(const Block& block, const Recomputed& recomputed, bool split_backward,
                           const BlockPricing& pricing) {
  BlockTime time;
  const Copies copies(block, pricing.sharding());
  BlockWalk forward(pricing);
  forward.run(copies.forward, time.forward);
  for (const GroupedKernel& grouped : block.forward) {
    forward.run(grouped, time.forward, time.exposed_forward);
  }
  forward.wait_for_host(time.forward);
  time.wire_forward = forward.wire();
  BlockWalk backward(pricing), ahead(pricing);
  BlockWalk& again = recomputed.ahead ? ahead : backward;
  if (recomputed.ahead) {
    ahead.run(copies.backward, time.recompute);
  }
  backward.run(copies.backward, time.backward);
  for (std::size_t i = 0; i < recomputed.kernels.size(); ++i) {
    if (recomputed.kernels[i]) {
      again.run(block.forward[i], time.recompute, time.exposed_backward);
    }
  }
  ahead.wait_for_host(time.recompute);
  if (recomputed.any()) {
    again.pause(pricing.checkpoint_pause(), time.recompute);
  }
  const std::vector<bool> put_off =
      split_backward ? weight_gradient_kernels(block) : std::vector<bool>(block.backward.size(), false);
  BlockWalk weight(pricing);
  AxisSeconds weight_waits;
  for (std::size_t i = 0; i < block.backward.size(); ++i) {
    if (put_off[i]) {
      weight.run(block.backward[i], time.weight, weight_waits);
    } else {
      backward.run(block.backward[i], time.backward, time.exposed_backward);
    }
  }
  backward.run(copies.gradients, time.backward);
  backward.wait_for_host(time.backward);
  weight.wait_for_host(time.weight);
  time.weight += weight_waits.total();
  time.wire_backward = backward.wire();
  time.wire_backward.used += ahead.wire().used;
  return time;
}

BlockTime block_time(const Block& block, const Recomputed& recomputed, bool split_backward,
                     const BlockPricing& pricing) {
  BlockTime time = block_time_alone(block, recomputed, split_backward, pricing);
  if (time.wire_forward.used + time.wire_backward.used > Seconds(0)) {
    const BlockTime slow = block_time_alone(block, recomputed, split_backward, pricing.with_half_the_wire());
    time.wire_forward.slowed = slow.whole_forward() - time.whole_forward();
    time.wire_backward.slowed = slow.whole_backward() - time.whole_backward();
  }
  return time;
}

StageShape shape_of(const Stage& stage) {
  StageShape shape;
  std::int64_t persistent = 0;
  const auto phase_of = [&](const Step& step) {
    const Template& t = stage.templates[static_cast<std::size_t>(step.template_index)];
    return t.ops[static_cast<std::size_t>(step.op)].phase;
  };
  for (const Buffer& buffer : stage.buffers) {
    if (buffer.persistent) {
      persistent += buffer.device_bytes().value;
    } else if (buffer.first.template_index != buffer.last.template_index) {
      const Phase phase = phase_of(buffer.first);
      shape.saved += phase == Phase::kForward ? buffer.bytes : Bytes(0);
      shape.deferred += phase_of(buffer.last) == Phase::kBackwardWeight ? buffer.bytes : Bytes(0);
    }
  }
  shape.peak = Bytes(stage_peak_memory(stage).allocated.value - persistent);
  return shape;
}

/// What is summed over the tensor-parallel group after the microbatches.
Bytes partial_gradients_of(const Stage& stage) {
  Bytes bytes;
  for (const Template& t : stage.templates) {
    for (const Op& op : t.ops) {
      bytes += op.phase == Phase::kGradientSync && op.axes == AxisSet{Axis::kTensor} ? op.bytes : Bytes(0);
    }
  }
  return bytes;
}

/// expert_parameters: those of the stage's layers.
void count_parameters(const Stage& stage, std::int64_t element_bytes, std::int64_t expert_parameters,
                      StageShape& shape) {
  for (const Buffer& buffer : stage.buffers) {
    if (buffer.kind == BufferKind::kParameter) {
      shape.parameters += buffer.bytes.value / element_bytes;
      ++shape.num_tensors;
    } else if (buffer.kind == BufferKind::kGradient && buffer.persistent && buffer.partner == Buffer::kNone) {
      shape.kept_gradients += buffer.bytes;
    }
  }
  shape.parameters -= expert_parameters;
  shape.expert_parameters = expert_parameters;
}

std::int64_t num_expert_parameters(const Block& layer) {
  std::int64_t elements = 0;
  for (const Tensor& tensor : layer.tensors) {
    elements += tensor.role == TensorRole::kParameter && tensor.expert ? tensor.elements : 0;
  }
  return elements;
}

/// Lowers a model of `num_stages` stages with layers of `kinds` each, for one microbatch: enough to see each
/// kind of stage.
Program miniature(const Scenario& scenario, const Strategy& strategy, const std::vector<LayerKind>& kinds,
                  std::int32_t num_stages) {
  Scenario small = scenario;
  std::vector<LayerKind> all;
  for (std::int32_t stage = 0; stage < num_stages; ++stage) {
    all.insert(all.end(), kinds.begin(), kinds.end());
  }
  small.model.num_layers = std::ssize(all);
  small.software.fp16_update_copy_bytes.value = 0;  // not of the passes
  Strategy alike = strategy;
  alike.pipeline_parallel = num_stages;
  alike.data_parallel = strategy.expert_parallel;
  small.global_batch = strategy.microbatch_size * alike.data_parallel;
  small.num_gpus = alike.num_ranks();
  alike.layers_per_stage.clear();
  if (alike.virtual_stages > 1) {
    alike.virtual_stages = 1;
    alike.schedule = ScheduleKind::kOneFOneB;
  }
  alike.zero_stage = 0;
  alike.zero_group = 0;
  alike.offload = Offload::kNone;
  alike.gradient_aggregation.compression = {};
  return lower_layers(small, alike, std::move(all));
}

/// Of the layers of a group, each but the last with its output.
std::vector<GroupedLayer> grouped_layers(const std::vector<Block>& layers,
                                         const std::vector<Recomputed>& recomputed, bool split,
                                         const BlockPricing& pricing) {
  std::vector<GroupedLayer> grouped;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    GroupedLayer layer{.time = block_time(layers[i], recomputed[i], split, pricing)};
    if (recomputed[i].ahead) {
      const Seconds without = block_time(layers[i], {}, split, pricing).whole_backward();
      layer.whole_recompute = layer.time.whole_backward() - without;
    }
    for (const Tensor& tensor : layers[i].tensors) {
      if (tensor.role == TensorRole::kParameter) {
        (tensor.expert ? layer.expert_parameters : layer.parameters) += tensor.elements;
        ++layer.num_tensors;
      }
    }
    grouped.push_back(layer);
  }
  return grouped;
}

}  // namespace

StagePlace stage_place(std::int32_t stage, std::int32_t num_stages) {
  if (num_stages == 1) {
    return StagePlace::kOnly;
  }
  return stage == 0 ? StagePlace::kFirst : stage == num_stages - 1 ? StagePlace::kLast : StagePlace::kMiddle;
}

BlockCosts block_costs(const Scenario& scenario, const Strategy& strategy,
                       const std::vector<LayerKind>& kinds, CommunicationPrices& prices,
                       const KernelCost& cost) {
  BlockCosts costs;
  costs.options = block_options(scenario, strategy);
  const Block embedding = embedding_block(scenario.model, costs.options);
  const Block head = head_block(scenario.model, costs.options, 1.0);
  const bool whole = scenario.software.recompute_whole_group.value;
  const BlockPricing pricing(scenario, strategy, prices, cost);
  const bool split = costs.options.split_backward;
  std::vector<Block> layers;
  std::vector<Recomputed> recomputed;
  std::int64_t expert_parameters = 0;
  for (const LayerKind kind : kinds) {
    layers.push_back(layer_block(scenario.model, costs.options, kind));
    const bool last = layers.size() == kinds.size();
    recomputed.push_back(
        {kernels_to_recompute(layers.back(), strategy.recompute.all_layers, whole, !last), !last});
    costs.layer = costs.layer + block_time(layers.back(), recomputed.back(), split, pricing);
    expert_parameters += num_expert_parameters(layers.back());
    add_matrices(costs.layer_matrices, gradient_matrices(layers.back(), true), 1);
  }
  costs.embedding_matrices = gradient_matrices(embedding, true);
  costs.head_matrices = gradient_matrices(head, true);
  costs.tied_head_matrices = gradient_matrices(head, false);
  costs.embedding = block_time(embedding, {}, split, pricing);
  costs.head = block_time(head, {}, split, pricing);
  if (kinds.size() > 1) {
    costs.grouped = grouped_layers(layers, recomputed, split, pricing);
  }
  const Program three = miniature(scenario, strategy, kinds, 3);
  const Program one = miniature(scenario, strategy, kinds, 1);
  const auto set = [&](StagePlace place, const Stage& stage) {
    StageShape shape = shape_of(stage);
    shape.partial_gradients = partial_gradients_of(stage);
    count_parameters(stage, costs.options.compute_bytes, expert_parameters, shape);
    costs.stages[static_cast<std::size_t>(place)] = shape;
  };
  set(StagePlace::kFirst, three.stages[0]);
  set(StagePlace::kMiddle, three.stages[1]);
  set(StagePlace::kLast, three.stages[2]);
  set(StagePlace::kOnly, one.stages[0]);
  // A middle stage is one layer or group: what it saves is its share.
  costs.layer_shape = costs.stages[static_cast<std::size_t>(StagePlace::kMiddle)];
  return costs;
}

}  // namespace portolan
