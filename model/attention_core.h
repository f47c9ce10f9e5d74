#pragma once

#include <initializer_list>
#include <vector>

#include "model/block_builder.h"
#include "model/layer_parts.h"

namespace portolan {

// From queries, keys and values to their context, and back: with scores as matrices in memory, within one
// kernel that keeps none, or with one such kernel a step while keys and values go round a ring of ranks.

/// Heads of this rank; a sequence is what this rank holds of it.
KernelShape attention_shape(const BlockBuilder& b);

/// Turns queries and keys by their positions, in place; of latent attention, queries. Nothing without rotary
/// positions.
void rotate(BlockBuilder& b, KernelKind kind, int tensor);
/// The same for `elements` of a tensor by the operations of eager code.
void rotate_eagerly(BlockBuilder& b, int tensor, std::int64_t elements);

/// Operands for tensors that may be one and the same: each once.
void append_once(std::vector<Operand>& operands, std::initializer_list<int> tensors, Access access);

/// t.context from t.attended.
void scores_core_forward(BlockBuilder& b, LayerTensors& t);
void flash_core_forward(BlockBuilder& b, LayerTensors& t);
void ring_core_forward(BlockBuilder& b, LayerTensors& t);
/// Writes `gradient`, the tensors that are the gradients of t.attended.
void scores_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                          const QueryKeyValue& gradient);
void flash_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                         const QueryKeyValue& gradient);
void ring_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                        const QueryKeyValue& gradient);

/// What a flash kernel makes and its backward needs.
struct FlashOutput {
  int context = 0;
  int lse = 0;
};
/// New tensors, named "attention.context" and "attention.lse" and `suffix`.
FlashOutput flash_output(BlockBuilder& b, const std::string& suffix);
/// One kernel, in step `step` of the ring (attended_pairs.h).
void flash_forward(BlockBuilder& b, const FlashOutput& output, const QueryKeyValue& attended,
                   std::int64_t step);
struct FlashGradient {
  int context_gradient = 0;
  FlashOutput output;
  QueryKeyValue gradient;  ///< written; that of queries added to after the first step
};
void flash_backward(BlockBuilder& b, const FlashGradient& t, const QueryKeyValue& attended,
                    std::int64_t step);

}  // namespace portolan
