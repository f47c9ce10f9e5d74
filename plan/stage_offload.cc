// Copies between device and host of a stage. Activations of a layer leave after its forward, beside the next
// one's, and come back one block ahead of its backward; what Megatron-Core does alike is in
// docs/decisions/0014-offload.md. States of the optimizer stay on the host and pass through the device.
#include "plan/stage_lowering.h"

namespace portolan {

/// The last layer's activations stay where its backward is the next thing that the stage does.
bool StageLowering::moves_to_host(const Chunk& chunk, std::size_t block) const {
  const bool is_layer = chunk.places[block].layer != Op::kNoLayer;
  const bool is_last = block + 1 == chunk.places.size() || chunk.places[block + 1].layer == Op::kNoLayer;
  return is_layer && offloads_activations(context_.strategy.offload) && !(is_last && chunk.keeps_last_layer);
}

/// A layer computes when the copies of all layers but the one before it are over: two buffers.
void StageLowering::wait_for_copies(TemplateAssembler& assembler, const Chunk& chunk, std::size_t block,
                                    std::vector<std::int32_t>& copies) const {
  if (!offloads_activations(context_.strategy.offload) || chunk.places[block].layer == Op::kNoLayer) {
    return;
  }
  const std::size_t layers = copies.size();
  if (layers < 2) {
    assembler.next_compute_waits_for({Predecessor::Kind::kToHost, layers == 0 ? 1 : 0, 1});
  } else if (copies[layers - 2] >= 0) {
    assembler.next_compute_waits_for({Predecessor::Kind::kOp, copies[layers - 2], 0});
  }
  copies.push_back(-1);
}

void StageLowering::copy_to_host(TemplateAssembler& assembler, Chunk& chunk, std::size_t block,
                                 std::vector<std::int32_t>& copies) const {
  if (moves_to_host(chunk, block)) {
    copies.back() = chunk.blocks[block].copy_to_host(assembler, chunk.places[block]);
  }
}

void StageLowering::copy_from_host(TemplateAssembler& assembler, Chunk& chunk, std::size_t block) const {
  if (moves_to_host(chunk, block)) {
    chunk.blocks[block].copy_from_host(assembler, chunk.places[block], block + 1 == chunk.blocks.size());
  }
}

void StageLowering::streamed_optimizer(TemplateAssembler& assembler) {
  /// Parameters of one block, with their states on the way.
  struct Bucket {
    std::vector<Kernel> updates;
    std::vector<std::int32_t> on_device, on_host;
    Bytes bytes;
    std::int32_t updated = -1;  ///< ops
    std::int32_t copied = -1;
  };
  std::vector<Bucket> buckets;
  for (const Chunk& chunk : chunks_) {
    for (std::size_t i = 0; i < chunk.blocks.size(); ++i) {
      Bucket bucket;
      for (const StageParameter& parameter : parameters_of(chunk, i, i + 1)) {
        Kernel& update = bucket.updates.emplace_back(update_of(parameter));
        for (Operand& operand : update.operands) {
          Buffer passing = stage_.buffers[static_cast<std::size_t>(operand.tensor)];
          if (!passing.on_host) {
            continue;
          }
          bucket.on_host.push_back(operand.tensor);
          bucket.bytes += passing.bytes;
          operand.tensor = add_buffer(stage_, {.name = passing.name + " (fetched)",
                                               .kind = passing.kind,
                                               .bytes = passing.bytes,
                                               .first = {},
                                               .last = {}});
          bucket.on_device.push_back(operand.tensor);
        }
      }
      if (!bucket.updates.empty()) {
        buckets.push_back(std::move(bucket));
      }
    }
  }
  const auto copy = [&](const Bucket& bucket, bool to_host) {
    Op op = BlockLowering::copy_op({}, to_host);
    op.phase = Phase::kOptimizer;
    op.bytes = bucket.bytes;
    op.buffers = to_host ? bucket.on_host : bucket.on_device;
    const std::vector<std::int32_t>& sources = to_host ? bucket.on_device : bucket.on_host;
    op.buffers.insert(op.buffers.end(), sources.begin(), sources.end());
    return op;
  };
  // One bucket comes while one is updated and one goes.
  const auto fetch = [&](std::size_t b) {
    Op op = copy(buckets[b], false);
    if (b < 2) {
      op.predecessors.push_back({Predecessor::Kind::kLastCompute, 0, 1});
    } else {
      op.predecessors.push_back({Predecessor::Kind::kOp, buckets[b - 2].updated, 0});
    }
    if (b > 2) {
      op.predecessors.push_back({Predecessor::Kind::kOp, buckets[b - 3].copied, 0});
    }
    assembler.add_communication(std::move(op), {.for_compute = false, .compute_waits = ComputeWaits::kAtUse});
  };
  for (std::size_t b = 0; b < buckets.size(); ++b) {
    if (b == 0) {
      fetch(0);
    }
    if (b > 1) {
      assembler.next_compute_waits_for({Predecessor::Kind::kOp, buckets[b - 2].copied, 0});
    }
    for (Kernel& update : buckets[b].updates) {
      assembler.add_kernel({Phase::kOptimizer, Op::kNoLayer}, std::move(update));
    }
    buckets[b].updated = assembler.last_compute();
    if (b + 1 < buckets.size()) {
      fetch(b + 1);
    }
    buckets[b].copied = assembler.add_communication(
        copy(buckets[b], true),
        {.for_compute = false, .after_compute = true, .compute_waits = ComputeWaits::kNever});
  }
}

}  // namespace portolan
