#pragma once

#include "model/layer_parts.h"

namespace portolan {

// From normed hidden states to queries, keys and values by way of narrow latent vectors, in the form for
// training: keys and values are expanded, no product is absorbed into another (DeepSeek-V2: arXiv 2405.04434,
// section 2.1; DeepSeek-V3: arXiv 2412.19437, section 2.1.1).
//
// What is modelled, after Megatron-Core (megatron/core/transformer/multi_latent_attention.py):
// - Products down to the latent vectors, one for queries and one for keys and values, are the same on every
//   rank of a tensor-parallel group; with divided sequences each does its own rows. The rotary key, which all
//   heads share, comes out of the latter. Each latent vector has an RMS norm.
// - Products up from them are column parallel, by heads; with divided sequences the normed latent vectors and
//   the rotary key are gathered for them, instead of the hidden states. Without a latent vector, queries are
//   projected from hidden states as usual.
// - The rotary key is turned and copied into every head's key by the kernel that packs keys and values; its
//   gradient is summed over heads, and over the ranks that share them. (Megatron-Core leaves the latter sum
//   out where sequences are not divided, which its pull request 6839 calls a mistake.)
// - The attention core reads queries in one tensor, keys and values in another.
//
// Order of columns: rotary ones first in each head of query and key, where partial rotary positions have
// them. Of `up`, what is not rotary of all keys, then all values; of `kv`, all keys, then all values.

/// From the first norm's output to t.attended. The caller has begun the group.
void latent_projections_forward(BlockBuilder& b, LayerTensors& t);
/// New tensors for the gradients of t.attended.
QueryKeyValue latent_gradient(BlockBuilder& b);
/// From the gradients of t.attended to that of the first norm's output, which is returned.
int latent_projections_backward(BlockBuilder& b, const LayerTensors& t, const QueryKeyValue& gradient);

}  // namespace portolan
