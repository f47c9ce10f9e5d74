#pragma once

#include "model/layer_parts.h"

namespace portolan {

// The MLP of a layer with experts: a router picks experts_per_token of num_experts MLPs for each token
// (Fedus et al. 2021, arXiv 2101.03961, section 2; Mixtral: arXiv 2401.04088; DeepSeek-V3: arXiv 2412.19437,
// section 2.1.2).
//
// What is modelled, after Megatron-Core's all-to-all dispatcher (megatron/core/transformer/moe/README.md):
// - The router's product makes fp32 logits of the rows that a rank holds. Softmax and sigmoid cost alike. The
//   auxiliary loss that balances experts is left out: it touches logits only.
// - Rows are copied into the order of their experts, exchanged over the expert-parallel group, and with
//   sequence parallelism gathered over the tensor-parallel group, whose ranks divide each expert like a dense
//   MLP. What comes back is summed over that group (without sequence parallelism each of its ranks dispatches
//   all rows), exchanged, put back in order and added up by the router's weights.
// - Experts of a rank are one grouped product. Rows of one expert from several ranks are read where they lie.
// - Balanced: each expert gets the same number of rows, rounded up. With a capacity factor it computes its
//   whole capacity, padding included, and rows beyond are dropped (section 2.2 of the first paper).
// - Experts have no biases. Shared experts are one MLP beside, as wide as all of them.

/// Rows of one microbatch at a rank, balanced. The rank sends out what its router picked, rows x
/// experts_per_token, or with a capacity the slots of all experts, and receives as many.
struct ExpertRows {
  std::int64_t dispatched = 0;
  std::int64_t computed = 0;  ///< with divided sequences, of the whole tensor-parallel group
};
/// Preconditions: config.experts; options.expert_parallel divides num_experts.
ExpertRows expert_rows(const TransformerConfig& config, const BlockOptions& options);

/// From t.residual to t.output.
void experts_branch_forward(BlockBuilder& b, LayerTensors& t);
/// From the gradient of what the branch adds to that of its norm's output, which is returned.
int experts_branch_backward(BlockBuilder& b, const LayerTensors& t, int output_gradient);

}  // namespace portolan
