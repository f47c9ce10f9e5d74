#include "plan/stage_cost.h"

#include <numeric>

#include "plan/block_lowering.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/memory.h"

namespace portolan {

namespace {

/// Prices kernels of a block on the first tensor-parallel group of the machine.
class BlockPricing {
 public:
  BlockPricing(const Strategy& strategy, const Cluster& cluster, const KernelCost& cost)
      : cluster_(cluster), cost_(cost) {
    const Placement placement(
        {strategy.tensor_parallel, 1, 1, strategy.data_parallel, strategy.pipeline_parallel},
        strategy.axis_order);
    for (std::int32_t k = 0; k < strategy.tensor_parallel; ++k) {
      Coordinates place{};
      place[static_cast<std::size_t>(Axis::kTensor)] = k;
      members_.push_back(placement.device_of(place));
    }
  }

  void add(const Kernel& kernel, Seconds& compute, Seconds& tensor) const {
    if (kernel.kind == KernelKind::kTensorAllReduce) {
      tensor += collective(CollectiveKind::kAllReduce, kernel.bytes);
    } else {
      compute += cost_.time(kernel);
    }
  }

  Seconds collective(CollectiveKind kind, Bytes bytes) const {
    return uncontended_time(cluster_, ring_collective(cluster_, kind, members_, bytes));
  }

 private:
  const Cluster& cluster_;
  const KernelCost& cost_;
  std::vector<DeviceIndex> members_;
};

BlockTime block_time(const Block& block, const std::vector<bool>& recomputed, const BlockPricing& pricing) {
  BlockTime time;
  for (std::size_t i = 0; i < block.forward.size(); ++i) {
    pricing.add(block.forward[i].kernel, time.forward, time.tensor_forward);
    if (recomputed[i]) {
      pricing.add(block.forward[i].kernel, time.recompute, time.tensor_backward);
    }
  }
  for (const GroupedKernel& grouped : block.backward) {
    pricing.add(grouped.kernel, time.backward, time.tensor_backward);
  }
  return time;
}

StageShape shape_of(const Stage& stage) {
  StageShape shape;
  std::int64_t persistent = 0;
  for (const Buffer& buffer : stage.buffers) {
    if (buffer.persistent) {
      persistent += buffer.bytes.value;
    } else if (buffer.first.template_index != buffer.last.template_index) {
      shape.saved += buffer.bytes;
    }
  }
  shape.peak = Bytes(stage_peak_memory(stage, Bytes(0)).allocated.value - persistent);
  return shape;
}

void count_parameters(const Stage& stage, std::int64_t element_bytes, StageShape& shape) {
  for (const Buffer& buffer : stage.buffers) {
    if (buffer.kind == BufferKind::kParameter) {
      shape.parameters += buffer.bytes.value / element_bytes;
      ++shape.num_tensors;
    }
  }
}

/// Lowers a model of `num_layers` layers, one a stage, for one microbatch: enough to see each kind of stage.
Program miniature(const Scenario& scenario, const Strategy& strategy, std::int32_t num_layers) {
  Scenario small = scenario;
  small.model.num_layers = num_layers;
  small.global_batch = strategy.microbatch_size;
  small.num_gpus = strategy.tensor_parallel * num_layers;
  Strategy alike = strategy;
  alike.pipeline_parallel = num_layers;
  alike.data_parallel = 1;
  alike.layers_per_stage.clear();
  alike.zero_stage = 0;
  return lower(small, alike);
}

}  // namespace

BlockCosts block_costs(const Scenario& scenario, const Strategy& strategy, const Cluster& cluster,
                       const KernelCost& cost) {
  BlockCosts costs;
  costs.options = block_options(scenario, strategy);
  const Block embedding = embedding_block(scenario.model, costs.options);
  const Block layer = layer_block(scenario.model, costs.options);
  const Block head = head_block(scenario.model, costs.options, 1.0);
  const bool whole = scenario.software.recompute_whole_group.value;
  const std::vector<bool> recomputed = kernels_to_recompute(layer, strategy.recompute.all_layers, whole);
  const BlockPricing pricing(strategy, cluster, cost);
  costs.embedding = block_time(embedding, std::vector<bool>(embedding.forward.size(), false), pricing);
  costs.layer = block_time(layer, recomputed, pricing);
  costs.head = block_time(head, std::vector<bool>(head.forward.size(), false), pricing);
  for (std::size_t i = 0; i < recomputed.size(); ++i) {
    if (recomputed[i] && is_gemm(layer.forward[i].kernel.kind)) {
      costs.recompute_flops_per_layer += layer.forward[i].kernel.flops;
    }
  }
  const std::int64_t element = costs.options.compute_bytes;
  const Program three = miniature(scenario, strategy, 3);
  const Program one = miniature(scenario, strategy, 1);
  const auto set = [&](StagePlace place, const Stage& stage) {
    StageShape shape = shape_of(stage);
    count_parameters(stage, element, shape);
    costs.stages[static_cast<std::size_t>(place)] = shape;
  };
  set(StagePlace::kFirst, three.stages[0]);
  set(StagePlace::kMiddle, three.stages[1]);
  set(StagePlace::kLast, three.stages[2]);
  set(StagePlace::kOnly, one.stages[0]);
  // A middle stage is one layer: what it saves is the layer's share.
  costs.layer_shape = costs.stages[static_cast<std::size_t>(StagePlace::kMiddle)];
  return costs;
}

}  // namespace portolan
