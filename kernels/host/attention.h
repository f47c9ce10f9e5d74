#pragma once

#include "kernels/operands/attention.h"

namespace portolan::host {

// The matrix products work in blocks of kAttentionBlock positions and skip the blocks above the diagonal; the
// softmax touches a row only up to the diagonal, and fills the rest with 0.

/// Against blocks of 128, 64 made products over 128 or 256 positions 10 to 30% faster and longer ones neither
/// faster nor slower; without blocks 1,024 positions took 1.5 times as long.
inline constexpr std::int64_t kAttentionBlock = 64;

void attention_scores_forward(const operands::AttentionScoresForward<float>& arguments);
void attention_softmax_forward(const operands::AttentionSoftmaxForward<float>& arguments);
void attention_context_forward(const operands::AttentionContextForward<float>& arguments);

void attention_context_backward(const operands::AttentionContextBackward<float>& arguments);
void attention_softmax_backward(const operands::AttentionSoftmaxBackward<float>& arguments);
void attention_scores_backward(const operands::AttentionScoresBackward<float>& arguments);

}  // namespace portolan::host
