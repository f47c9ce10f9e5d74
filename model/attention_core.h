#pragma once

#include <initializer_list>
#include <vector>

#include "model/block_builder.h"
#include "model/layer_parts.h"

namespace portolan {

// From queries, keys and values to their context, and back: with scores as matrices in memory, or within one
// kernel that keeps none.

/// Heads of this rank; a sequence is what this rank holds of it.
KernelShape attention_shape(const BlockBuilder& b);

/// Operands for tensors that may be one and the same: each once.
void append_once(std::vector<Operand>& operands, std::initializer_list<int> tensors, Access access);

/// t.context from t.attended.
void scores_core_forward(BlockBuilder& b, LayerTensors& t);
void flash_core_forward(BlockBuilder& b, LayerTensors& t);
/// Writes `gradient`, the tensors that are the gradients of t.attended.
void scores_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                          const QueryKeyValue& gradient);
void flash_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                         const QueryKeyValue& gradient);

}  // namespace portolan
