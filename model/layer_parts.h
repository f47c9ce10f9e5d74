#pragma once

#include <optional>
#include <string>

#include "model/block.h"
#include "model/block_builder.h"

namespace portolan {

// The parts that a layer is put together from: attention and MLP, each a residual branch that begins with a
// norm.

/// Everything that forward leaves for backward.
struct LayerTensors {
  int input = 0;
  int output = 0;
  int hidden_gradient = 0;    ///< of the output
  int residual_gradient = 0;  ///< of the hidden states between attention and MLP
  int input_gradient = 0;
  NormTensors norm1;
  LinearTensors qkv;
  int qkv_output = 0;
  int probabilities = 0;
  std::optional<int> dropped;  ///< probabilities after dropout
  std::optional<int> attention_mask;
  int context = 0;
  LinearTensors projection;
  int residual = 0;  ///< hidden states between attention and MLP
  std::optional<int> projection_mask;
  NormTensors norm2;
  LinearTensors fc1;
  int fc1_output = 0;
  int activated = 0;
  LinearTensors fc2;
  std::optional<int> fc2_mask;
};

/// The hidden gradient before and behind a branch that ends in a norm: one tensor where it is turned in
/// place.
struct GradientTurn {
  int from = 0;
  int to = 0;
};

/// y += x [+ bias], with dropout of y where the profile has it. Returns the mask.
std::optional<int> residual_add(BlockBuilder& b, const std::string& name, int y, int x,
                                const LinearTensors& linear);
/// Gradient of a dropped-out branch: the hidden gradient itself, or a masked copy.
int branch_gradient(BlockBuilder& b, const std::string& name, int hidden_gradient, std::optional<int> mask);
/// Backward of a branch's norm, with the gradient that passes the branch by.
void add_norm_backward(BlockBuilder& b, const NormTensors& norm, int input, int norm_gradient,
                       const GradientTurn& turn);

void attention_forward(BlockBuilder& b, LayerTensors& t);
void attention_backward(BlockBuilder& b, const LayerTensors& t);
void mlp_forward(BlockBuilder& b, LayerTensors& t);
void mlp_backward(BlockBuilder& b, const LayerTensors& t);

}  // namespace portolan
