// What a block saves from forward to backward, copied to the memory of the node's host in between.
#include <fmt/format.h>

#include "plan/block_lowering.h"
#include "plan/lower.h"

namespace portolan {

std::vector<std::size_t> BlockLowering::saved_tensors(const Place& place) const {
  std::vector<bool> made(block_.tensors.size(), false);  // in the backward template
  std::vector<bool> is_saved(block_.tensors.size(), false);
  const auto see = [&](const Kernel& kernel) {
    for (const Operand& operand : kernel.operands) {
      const auto tensor = static_cast<std::size_t>(operand.tensor);
      const std::int32_t buffer = map_[tensor];
      const TensorRole role = block_.tensors[tensor].role;
      const bool is_parameter = role == TensorRole::kParameter || role == TensorRole::kGradient;
      is_saved[tensor] =
          is_saved[tensor] || (operand.access != Access::kWrite && !made[tensor] && !is_parameter &&
                               buffer != Buffer::kNone && is_touched(stage_, buffer));
    }
    for (const Operand& operand : kernel.operands) {
      if (operand.access != Access::kRead) {
        made[static_cast<std::size_t>(operand.tensor)] = true;
      }
    }
  };
  const std::vector<bool> recomputed =
      kernels_to_recompute(block_, place.recompute, place.recompute_whole_group);
  for (std::size_t i = 0; i < recomputed.size(); ++i) {
    if (recomputed[i]) {
      see(block_.forward[i].kernel);
    }
  }
  for (const GroupedKernel& grouped : block_.backward) {
    see(grouped.kernel);
  }
  std::vector<std::size_t> saved;
  for (std::size_t i = 0; i < is_saved.size(); ++i) {
    if (is_saved[i]) {
      saved.push_back(i);
    }
  }
  return saved;
}

Op BlockLowering::copy_op(const Place& place, bool to_host) {
  Op op;
  op.kind = OpKind::kCopy;
  op.lane = lane_of(to_host ? LaneIndex::kCopyToHost : LaneIndex::kCopyFromHost);
  op.phase = to_host ? Phase::kForward : Phase::kBackward;
  op.layer = place.layer;
  op.axes = {};
  op.to_host = to_host;
  return op;
}

std::int32_t BlockLowering::copy_to_host(TemplateAssembler& assembler, const Place& place) {
  Op op = copy_op(place, true);
  std::vector<std::int32_t> sources;
  for (const std::size_t tensor : saved_tensors(place)) {
    const Bytes bytes = block_.tensors[tensor].bytes();
    const std::int32_t host =
        add_buffer(stage_, {.name = fmt::format("{} {} (on host)", prefix_, block_.tensors[tensor].name),
                            .kind = BufferKind::kActivation,
                            .bytes = bytes,
                            .on_host = true,
                            .first = {},
                            .last = {}});
    moved_.push_back({tensor, host});
    op.buffers.push_back(host);
    op.bytes += bytes;
    sources.push_back(map_[tensor]);
  }
  op.buffers.insert(op.buffers.end(), sources.begin(), sources.end());
  return assembler.add_communication(
      std::move(op), {.for_compute = false, .after_compute = true, .compute_waits = ComputeWaits::kNever});
}

void BlockLowering::copy_from_host(TemplateAssembler& assembler, const Place& place,
                                   bool beside_slot_before) {
  Op op = copy_op(place, false);
  std::vector<std::int32_t> sources;
  for (const auto& [tensor, host] : moved_) {
    const Bytes bytes = block_.tensors[tensor].bytes();
    backward_map_[tensor] =
        add_buffer(stage_, {.name = fmt::format("{} {} (fetched)", prefix_, block_.tensors[tensor].name),
                            .kind = BufferKind::kActivation,
                            .bytes = bytes,
                            .first = {},
                            .last = {}});
    op.buffers.push_back(backward_map_[tensor]);
    op.bytes += bytes;
    sources.push_back(host);
  }
  op.buffers.insert(op.buffers.end(), sources.begin(), sources.end());
  op.predecessors.push_back({Predecessor::Kind::kOwnToHost, 0, 1});
  if (beside_slot_before) {
    op.predecessors.push_back({Predecessor::Kind::kLastCompute, 0, 2});
  }
  assembler.add_communication(
      std::move(op),
      {.for_compute = false, .after_compute = !beside_slot_before, .compute_waits = ComputeWaits::kAtUse});
}

}  // namespace portolan
