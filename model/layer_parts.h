#pragma once

#include <optional>
#include <string>

#include "model/block.h"
#include "model/block_builder.h"

namespace portolan {

// The parts that a layer is put together from: attention and MLP, each a residual branch that begins with a
// norm.

struct QueryKeyNorm {
  int rstd = 0;
  ParameterPair query_gain;
  ParameterPair key_gain;
};

struct ActivatedTensors {
  int output = 0;
  std::optional<int> silu;  ///< of eager SwiGLU: the activated half, before the product
};

/// Tensors that hold queries, keys and values: one and the same where they are fused.
struct QueryKeyValue {
  int query = 0;
  int key = 0;
  int value = 0;
};

/// From a latent vector to the heads of a rank.
struct UpProjection {
  int latent = 0;
  NormTensors norm;
  LinearTensors up;
  int output = 0;
};

struct LatentTensors {
  LinearTensors query;  ///< down to the latent vector, or without one to the heads
  std::optional<UpProjection> query_up;
  LinearTensors key_value_down;
  UpProjection key_value_up;
};

struct MlpTensors {
  LinearTensors fc1;
  int fc1_output = 0;
  ActivatedTensors activated;
  LinearTensors fc2;
};

struct ExpertTensors {
  LinearTensors router;
  std::optional<ParameterPair> router_bias;
  int logits = 0;
  int probabilities = 0;  ///< of the experts picked
  int indices = 0;        ///< which they are
  int input = 0;          ///< rows in the order of experts
  LinearTensors fc1;
  int fc1_output = 0;
  ActivatedTensors activated;
  LinearTensors fc2;
  int returned = 0;  ///< what experts made of the rows that the rank dispatched
  std::optional<MlpTensors> shared;
};

/// Everything that forward leaves for backward.
struct LayerTensors {
  int input = 0;
  int output = 0;
  int hidden_gradient = 0;    ///< of the output
  int residual_gradient = 0;  ///< of the hidden states between attention and MLP
  int input_gradient = 0;
  NormTensors norm1;
  std::optional<LatentTensors> latent;  ///< instead of `qkv` and what follows from it
  LinearTensors qkv;
  int qkv_output = 0;
  int query_key = 0;  ///< what scores read: qkv_output, or a copy of its queries and keys with norms of heads
  std::optional<QueryKeyNorm> query_key_norm;
  QueryKeyValue attended;      ///< what the attention core reads
  int probabilities = 0;       ///< none with flash attention
  std::optional<int> dropped;  ///< probabilities after dropout
  std::optional<int> attention_mask;
  int context = 0;
  int lse = 0;  ///< with flash attention: log-sum-exp of each row's scores
  LinearTensors projection;
  int residual = 0;        ///< hidden states that the MLP's branch begins with
  int attention_part = 0;  ///< with a parallel residual: attention's share of the sum
  std::optional<int> projection_mask;
  NormTensors norm2;
  MlpTensors mlp;
  std::optional<ExpertTensors> experts;  ///< of a layer that has them, instead of `mlp`
  std::optional<int> output_mask;
};

/// The hidden gradient before and behind a branch that ends in a norm: one tensor where it is turned in
/// place.
struct GradientTurn {
  int from = 0;
  int to = 0;
};

/// y += x, hidden states of the rows that a rank holds.
void add_hidden(BlockBuilder& b, int y, int x);
/// y += x [+ bias], with dropout of y where the profile has it. Returns the mask.
std::optional<int> residual_add(BlockBuilder& b, const std::string& name, int y, int x,
                                const std::optional<ParameterPair>& bias);
/// Gradient of a dropped-out branch: the hidden gradient itself, or a masked copy.
int branch_gradient(BlockBuilder& b, const std::string& name, int hidden_gradient, std::optional<int> mask);
/// Backward of a branch's norm, with the gradient that passes the branch by.
void add_norm_backward(BlockBuilder& b, const NormTensors& norm, int input, int norm_gradient,
                       const GradientTurn& turn);

/// Norms of heads: t.query_key from t.qkv_output; backward turns the gradient of qkv in place.
void query_key_norm_forward(BlockBuilder& b, LayerTensors& t);
void query_key_norm_backward(BlockBuilder& b, const LayerTensors& t, int qkv_gradient);

struct MlpSizes {
  std::int64_t rows = 0;
  std::int64_t ffn = 0;  ///< of this rank; of each of SwiGLU's halves
};
/// The model's activation. Names begin with `name`: "" for the dense MLP.
ActivatedTensors activation_forward(BlockBuilder& b, const std::string& name, const MlpSizes& sizes,
                                    int input);
struct ActivationTensors {
  int input = 0;
  ActivatedTensors made;
  int output_gradient = 0;  ///< turned in place where the input is as wide
};
/// Returns the gradient of the input.
int activation_backward(BlockBuilder& b, const std::string& name, const MlpSizes& sizes,
                        const ActivationTensors& t);
/// From all rows of `input` to what the second product, which is left to the caller, reads.
MlpTensors mlp_forward(BlockBuilder& b, const std::string& name, std::int64_t ffn_size, int input);
/// Returns the gradient of fc1's output.
int mlp_backward(BlockBuilder& b, const std::string& name, const MlpTensors& t, const HiddenGradient& output);

// The two branches of a layer. With a parallel residual, attention ends before the sum, which the MLP's
// branch then makes; else each joins the residual stream.
void attention_forward(BlockBuilder& b, LayerTensors& t);
void mlp_branch_forward(BlockBuilder& b, LayerTensors& t);
/// The layer's output from attention's part, the MLP's and the layer's input: one sum over the ranks.
void branch_sum(BlockBuilder& b, LayerTensors& t);
// From the gradient of what a branch adds to that of its norm's output, which is returned.
int attention_backward(BlockBuilder& b, const LayerTensors& t, const HiddenGradient& output);
int mlp_branch_backward(BlockBuilder& b, const LayerTensors& t, const HiddenGradient& output);

}  // namespace portolan
