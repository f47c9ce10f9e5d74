#include "plan/block_lowering.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <string_view>
#include <utility>

namespace portolan {

CollectiveKind collective_of(KernelKind kind) {
  switch (kind) {
    case KernelKind::kTensorAllGather:
      return CollectiveKind::kAllGather;
    case KernelKind::kTensorReduceScatter:
      return CollectiveKind::kReduceScatter;
    case KernelKind::kExpertAllToAll:
      return CollectiveKind::kAllToAll;
    case KernelKind::kContextShift:
      return CollectiveKind::kShift;
    default:
      assert(kind == KernelKind::kTensorAllReduce);
      return CollectiveKind::kAllReduce;
  }
}

Axis axis_of(KernelKind kind) {
  assert(is_communication(kind));
  switch (kind) {
    case KernelKind::kExpertAllToAll:
      return Axis::kExpert;
    case KernelKind::kContextShift:
      return Axis::kContext;
    default:
      return Axis::kTensor;
  }
}

namespace {

/// "layer 3 scores (recomputed)": a Program has tens of thousands of these.
std::string buffer_name(std::string_view owner, std::string_view tensor, std::string_view of = {},
                        std::string_view suffix = {}) {
  std::string name;
  name.reserve(owner.size() + 1 + tensor.size() + of.size() + suffix.size());
  return name.append(owner).append(1, ' ').append(tensor).append(of).append(suffix);
}

LaneIndex lane_along(Axis axis) {
  return axis == Axis::kContext  ? LaneIndex::kContext
         : axis == Axis::kExpert ? LaneIndex::kExpert
                                 : LaneIndex::kTensor;
}

}  // namespace

BlockLowering::BlockLowering(Stage& stage, const Block& block, std::string prefix, const BlockPorts& ports)
    : stage_(stage),
      block_(block),
      prefix_(std::move(prefix)),
      ports_(ports),
      map_(block.tensors.size(), Buffer::kNone) {
  for (std::size_t i = 0; i < block_.tensors.size(); ++i) {
    map_[i] = port_buffer(block_.tensors[i]);
  }
}

std::int32_t BlockLowering::port_buffer(const Tensor& tensor) const {
  switch (tensor.role) {
    case TensorRole::kInput:
      return ports_.input;
    case TensorRole::kOutput:
      return ports_.output;
    case TensorRole::kHiddenGradient:
      return ports_.hidden_gradient;
    case TensorRole::kInputGradient:
      return ports_.input_gradient;
    case TensorRole::kLoss:
      return ports_.loss;
    case TensorRole::kParameter:
      return tensor.tied_to_embedding ? ports_.tied_weight : Buffer::kNone;
    case TensorRole::kGradient:
      return tensor.tied_to_embedding ? ports_.tied_gradient : Buffer::kNone;
    case TensorRole::kNarrowGradient:
      return tensor.tied_to_embedding ? ports_.tied_narrow_gradient : Buffer::kNone;
    case TensorRole::kTokens:
    case TensorRole::kActivation:
      break;
  }
  return Buffer::kNone;
}

void BlockLowering::make_parameters(const Sharding& sharding, std::vector<StageParameter>& parameters) {
  sharding_ = sharding;
  for (std::size_t i = 0; i < block_.tensors.size(); ++i) {
    const Tensor& tensor = block_.tensors[i];
    if (tensor.role != TensorRole::kParameter) {
      continue;
    }
    if (map_[i] != Buffer::kNone) {
      owned_.push_back({.tensor = i, .value = map_[i], .gradient = map_[i + 1]});
    } else {
      make_parameter(i, parameters);
    }
    if (sharding.parameters) {
      map_[i] = Buffer::kNone;
    }
    if (sharding.gradients) {
      map_[i + 1] = Buffer::kNone;
    }
  }
}

void BlockLowering::make_parameter(std::size_t i, std::vector<StageParameter>& parameters) {
  const Tensor& tensor = block_.tensors[i];
  const Tensor& gradient = block_.tensors[i + 1];
  assert(gradient.role == TensorRole::kGradient);
  const std::int64_t shard = sharding_.shard_of(tensor);
  // A tied head on another stage holds its copy under the embedding's name: the name seeds the initial
  // values.
  const std::string owner = tensor.tied_to_embedding ? "embedding" : prefix_;
  const std::string name = buffer_name(owner, tensor.name);
  map_[i] = add_buffer(stage_,
                       {.name = name,
                        .kind = BufferKind::kParameter,
                        .bytes = sharding_.parameters ? Bytes(shard * tensor.element_bytes) : tensor.bytes(),
                        .persistent = true,
                        .first = {},
                        .last = {},
                        .init = tensor.init,
                        .init_std = tensor.init_std,
                        .weight_decay = tensor.weight_decay});
  map_[i + 1] = add_buffer(
      stage_, {.name = name + ".gradient",
               .kind = BufferKind::kGradient,
               .bytes = sharding_.gradients ? Bytes(shard * sharding_.gradient_bytes) : gradient.bytes(),
               .persistent = true,
               .first = {},
               .last = {},
               .init = ParameterInit::kZeros,
               .partner = map_[i]});
  std::int32_t narrow = Buffer::kNone;
  if (i + 2 < block_.tensors.size() && block_.tensors[i + 2].role == TensorRole::kNarrowGradient) {
    narrow = map_[i + 2] = add_buffer(stage_, {.name = name + ".narrow_gradient",
                                               .kind = BufferKind::kGradient,
                                               .bytes = block_.tensors[i + 2].bytes(),
                                               .persistent = true,
                                               .first = {},
                                               .last = {}});
  }
  owned_.push_back({.tensor = i, .value = map_[i], .gradient = map_[i + 1]});
  const bool word_embedding =
      tensor.tied_to_embedding || (prefix_ == "embedding" && tensor.name == "word.weight");
  parameters.push_back({.value = map_[i],
                        .gradient = map_[i + 1],
                        .narrow_gradient = narrow,
                        .elements = tensor.elements,
                        .rows = tensor.rows,
                        .tied = word_embedding,
                        .expert = tensor.expert,
                        .partial_gradient = tensor.partial_gradient});
}

void BlockLowering::gather(TemplateAssembler& assembler, const SharersOp& sharers,
                           std::vector<std::int32_t>& map, std::string_view suffix) {
  for (const bool expert : {false, true}) {
    Op op = sharers(expert);
    std::vector<std::int32_t> shards;
    for (const Owned& owned : owned_) {
      const Tensor& tensor = block_.tensors[owned.tensor];
      if (tensor.expert != expert) {
        continue;
      }
      const std::int32_t whole =
          add_buffer(stage_, {.name = buffer_name(prefix_, tensor.name, " (gathered)", suffix),
                              .kind = BufferKind::kParameter,
                              .bytes = tensor.bytes(),
                              .first = {},
                              .last = {}});
      map[owned.tensor] = whole;
      op.buffers.push_back(whole);
      op.bytes += tensor.bytes();
      shards.push_back(owned.value);
    }
    if (shards.empty()) {
      continue;
    }
    if (std::optional<Kernel> copy = gathered_copy(block_, sharding_, expert)) {
      const std::int32_t buffer =
          add_buffer(stage_, {.name = buffer_name(prefix_, "gathered parameters", suffix),
                              .kind = BufferKind::kParameter,
                              .bytes = op.bytes,
                              .first = {},
                              .last = {}});
      for (const std::int32_t whole : op.buffers) {
        copy->operands.push_back({whole, Access::kWrite});
      }
      copy->operands.push_back({buffer, Access::kRead});
      copies_.push_back(*std::move(copy));
      op.buffers = {buffer};
    }
    op.buffers.insert(op.buffers.end(), shards.begin(), shards.end());
    op.collective = CollectiveKind::kAllGather;
    assembler.add_communication(
        std::move(op), {.for_compute = false, .after_compute = true, .compute_waits = ComputeWaits::kAtUse});
  }
}

void BlockLowering::copy_gathered(TemplateAssembler& assembler,
                                  const TemplateAssembler::ComputePlace& place) {
  for (Kernel& copy : copies_) {
    assembler.add_kernel(place, std::move(copy));
  }
  copies_.clear();
}

void BlockLowering::copy_to_reduce(TemplateAssembler& assembler,
                                   const TemplateAssembler::ComputePlace& place) {
  for (const bool expert : {false, true}) {
    std::optional<Kernel> copy = reduce_copy(block_, sharding_, expert);
    if (!copy) {
      continue;
    }
    std::int32_t& buffer = to_reduce_[expert ? 1 : 0];
    buffer = add_buffer(stage_, {.name = buffer_name(prefix_, "gradients to reduce"),
                                 .kind = BufferKind::kGradient,
                                 .bytes = Bytes(copy->shape.rows * sharding_.reduce_copy_bytes),
                                 .first = {},
                                 .last = {}});
    copy->operands.push_back({buffer, Access::kWrite});
    for (const Owned& owned : owned_) {
      if (block_.tensors[owned.tensor].expert == expert) {
        copy->operands.push_back({backward_map_[owned.tensor + 1], Access::kRead});
      }
    }
    assembler.add_kernel(place, *std::move(copy));
  }
}

void BlockLowering::reduce(TemplateAssembler& assembler, const SharersOp& sharers) {
  for (const bool expert : {false, true}) {
    Op op = sharers(expert);
    std::vector<std::int32_t> whole;
    for (Owned& owned : owned_) {
      const Tensor& tensor = block_.tensors[owned.tensor];
      if (tensor.expert != expert) {
        continue;
      }
      owned.reduced = add_buffer(stage_, {.name = buffer_name(prefix_, tensor.name, ".gradient (reduced)"),
                                          .kind = BufferKind::kGradient,
                                          .bytes = Bytes(sharding_.shard_of(tensor) * sharding_.reduce_bytes),
                                          .first = {},
                                          .last = {}});
      op.buffers.push_back(owned.reduced);
      op.bytes += Bytes(tensor.elements * sharding_.reduce_bytes);
      whole.push_back(backward_map_[owned.tensor + 1]);
    }
    if (whole.empty()) {
      continue;
    }
    if (const std::int32_t copy = to_reduce_[expert ? 1 : 0]; copy != Buffer::kNone) {
      whole = {copy};
    }
    op.buffers.insert(op.buffers.end(), whole.begin(), whole.end());
    op.collective = CollectiveKind::kReduceScatter;
    assembler.add_communication(
        std::move(op), {.for_compute = false, .after_compute = true, .compute_waits = ComputeWaits::kAtUse});
  }
}

void BlockLowering::accumulate(TemplateAssembler& assembler, const Place& place) {
  for (const Owned& owned : owned_) {
    const std::int64_t elements = sharding_.shard_of(block_.tensors[owned.tensor]);
    assembler.add_kernel({Phase::kBackward, place.layer},
                         {.kind = KernelKind::kGradientConvert,
                          .shape = {.rows = elements, .columns = 1},
                          .flops = Flops(static_cast<double>(elements)),
                          .bytes = Bytes(elements * (2 * sharding_.gradient_bytes + sharding_.reduce_bytes)),
                          .operands = {{owned.gradient, Access::kUpdate}, {owned.reduced, Access::kRead}}});
  }
  assembler.end_op();
}

std::int32_t BlockLowering::make_activation(int tensor_index, const std::string& suffix) {
  const Tensor& tensor = block_.tensors[static_cast<std::size_t>(tensor_index)];
  return add_buffer(
      stage_, {.name = buffer_name(prefix_, tensor.name, suffix),
               .kind = tensor.role == TensorRole::kGradient ? BufferKind::kGradient : BufferKind::kActivation,
               .bytes = tensor.bytes(),
               .first = {},
               .last = {}});
}

void BlockLowering::append(TemplateAssembler& assembler, const TemplateAssembler::ComputePlace& place,
                           const GroupedKernel& grouped, std::vector<std::int32_t>& map) {
  Kernel placed = grouped.kernel;
  for (Operand& operand : placed.operands) {
    std::int32_t& buffer = map[static_cast<std::size_t>(operand.tensor)];
    if (buffer == Buffer::kNone) {
      buffer = make_activation(operand.tensor, place.phase == Phase::kRecompute ? " (recomputed)" : "");
    }
    operand.tensor = buffer;
  }
  if (!is_communication(placed.kind)) {
    assembler.add_kernel(place, std::move(placed));
    return;
  }
  Op op;
  op.kind = OpKind::kCollective;
  op.lane = lane_of(lane_along(axis_of(placed.kind)));
  op.phase = place.phase;
  op.layer = place.layer;
  op.collective = collective_of(placed.kind);
  op.axes = {axis_of(placed.kind)};
  op.bytes = placed.bytes;
  for (const Operand& operand : placed.operands) {
    op.buffers.push_back(operand.tensor);
  }
  assembler.add_communication(
      std::move(op), {.for_compute = true,
                      .compute_waits = grouped.overlapped ? ComputeWaits::kAtUse : ComputeWaits::kAtOnce});
}

void BlockLowering::forward(TemplateAssembler& assembler, const Place& place) {
  copy_gathered(assembler, {Phase::kForward, place.layer});
  for (const GroupedKernel& grouped : block_.forward) {
    append(assembler, {Phase::kForward, place.layer}, grouped, map_);
  }
  assembler.end_op();
}

std::vector<bool> kernels_to_recompute(const Block& block, const RecomputeSet& set, bool whole_group,
                                       bool with_output) {
  std::vector<bool> chosen(block.forward.size(), false);
  std::vector<bool> needed(block.tensors.size(), false);
  for (std::size_t i = 0; i < needed.size(); ++i) {
    needed[i] = with_output && block.tensors[i].role == TensorRole::kOutput;
  }
  const auto need_reads = [&](const Kernel& kernel) {
    for (const Operand& operand : kernel.operands) {
      if (operand.access != Access::kWrite) {
        needed[static_cast<std::size_t>(operand.tensor)] = true;
      }
    }
  };
  for (const GroupedKernel& grouped : block.backward) {
    need_reads(grouped.kernel);
  }
  for (std::size_t i = block.forward.size(); i-- > 0;) {
    const GroupedKernel& grouped = block.forward[i];
    if (!set.test(static_cast<std::size_t>(grouped.group))) {
      continue;
    }
    bool makes_needed = whole_group;
    for (const Operand& operand : grouped.kernel.operands) {
      makes_needed |= operand.access != Access::kRead && needed[static_cast<std::size_t>(operand.tensor)];
    }
    if (makes_needed) {
      chosen[i] = true;
      need_reads(grouped.kernel);
    }
  }
  return chosen;
}

void BlockLowering::recompute(TemplateAssembler& assembler, const Place& place) {
  const std::vector<bool> recomputed =
      kernels_to_recompute(block_, place.recompute, place.recompute_whole_group, !place.ends_group);
  if (std::find(recomputed.begin(), recomputed.end(), true) != recomputed.end()) {
    copy_gathered(assembler, {Phase::kRecompute, place.layer});
  }
  for (std::size_t i = 0; i < recomputed.size(); ++i) {
    if (!recomputed[i]) {
      continue;
    }
    for (const Operand& operand : block_.forward[i].kernel.operands) {
      if (operand.access == Access::kWrite) {
        backward_map_[static_cast<std::size_t>(operand.tensor)] = Buffer::kNone;
      }
    }
    append(assembler, {Phase::kRecompute, place.layer}, block_.forward[i], backward_map_);
  }
  assembler.end_op();
}

std::size_t BlockLowering::tensor_of(TensorRole role) const {
  const auto found = std::find_if(block_.tensors.begin(), block_.tensors.end(),
                                  [&](const Tensor& tensor) { return tensor.role == role; });
  assert(found != block_.tensors.end());
  return static_cast<std::size_t>(found - block_.tensors.begin());
}

void BlockLowering::hand_output_to(BlockLowering& next) const {
  next.backward_map_[next.tensor_of(TensorRole::kInput)] = backward_map_[tensor_of(TensorRole::kOutput)];
}

void BlockLowering::backward(TemplateAssembler& assembler, const Place& place, Phase phase) {
  copy_gathered(assembler, {phase, place.layer});
  const std::vector<bool> weight = weight_gradient_kernels(block_);
  for (std::size_t i = 0; i < block_.backward.size(); ++i) {
    if (phase == Phase::kBackward || weight[i] == (phase == Phase::kBackwardWeight)) {
      append(assembler, {phase, place.layer}, block_.backward[i], backward_map_);
    }
  }
  copy_to_reduce(assembler, {phase, place.layer});
  assembler.end_op();
}

}  // namespace portolan
