// The gradient of one layer, which no Program is needed for: the block's backward in double precision against
// differences of a sum over its output.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/block.h"
#include "reference_experts.h"

namespace portolan {
namespace {

/// LLaMA style of hidden 8 with 2 heads; 4 experts of width 6, 2 a token.
TransformerConfig small_experts() {
  TransformerConfig model;
  model.num_layers = 1;
  model.hidden_size = 8;
  model.num_heads = 2;
  model.num_kv_heads = 2;
  model.ffn_size = 6;
  model.vocab_size = 10;
  model.max_positions = 4;
  model.normalization = Normalization::kRmsNorm;
  model.activation = Activation::kSwiGlu;
  model.position = PositionEncoding::kRotary;
  model.linear_bias = false;
  model.experts = {.num_experts = 4, .experts_per_token = 2, .expert_ffn_size = 6};
  return model;
}

/// A block with a buffer for each of its tensors. What is looked at is the sum of its output's elements, each
/// times a random number.
class BlockRun {
 public:
  explicit BlockRun(Block block) : block_(std::move(block)), buffers_(block_.tensors.size()) {
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const Tensor& tensor = block_.tensors[i];
      buffers_[i].numbers.resize(static_cast<std::size_t>(tensor.elements));
      buffers_[i].tokens.resize(static_cast<std::size_t>(tensor.elements));
      if (tensor.role == TensorRole::kParameter || tensor.role == TensorRole::kInput) {
        fill(i, tensor.init == ParameterInit::kOnes ? 1 : 0, 0.3);
      }
    }
    weights_.resize(static_cast<std::size_t>(block_.tensors[output()].elements));
    RandomStream random(20260104, "weights");
    std::ranges::generate(weights_, [&] { return random.next_normal(); });
  }

  const Block& block() const { return block_; }
  std::vector<double>& numbers(std::size_t tensor) { return buffers_[tensor].numbers; }

  double sum() {
    run(block_.forward);
    const std::vector<double>& y = numbers(output());
    return std::inner_product(y.begin(), y.end(), weights_.begin(), 0.0);
  }
  /// After it gradients hold those of sum(), and the hidden gradient that of the input.
  void differentiate() {
    sum();
    numbers(find(TensorRole::kHiddenGradient)) = weights_;
    run(block_.backward);
  }

  std::size_t find(TensorRole role) const {
    const auto found = std::ranges::find(block_.tensors, role, &Tensor::role);
    return static_cast<std::size_t>(found - block_.tensors.begin());
  }

 private:
  std::size_t output() const { return find(TensorRole::kOutput); }
  void fill(std::size_t tensor, double mean, double deviation) {
    RandomStream random(20260104, block_.tensors[tensor].name);
    std::ranges::generate(numbers(tensor), [&] { return mean + deviation * random.next_normal(); });
  }
  void run(const std::vector<GroupedKernel>& kernels) {
    for (const GroupedKernel& grouped : kernels) {
      std::vector<ReferenceBuffer*> operands;
      for (const Operand& operand : grouped.kernel.operands) {
        operands.push_back(&buffers_[static_cast<std::size_t>(operand.tensor)]);
      }
      if (!run_expert_kernel(grouped.kernel, operands)) {
        run_reference_kernel(grouped.kernel, operands);
      }
    }
  }

  Block block_;
  std::vector<ReferenceBuffer> buffers_;
  std::vector<double> weights_;
};

void expect_differences(const TransformerConfig& model, LayerKind kind) {
  BlockOptions options;
  options.microbatch_size = 2;
  options.sequence_length = 4;
  BlockRun run(layer_block(model, options, kind));
  run.differentiate();
  const std::vector<Tensor>& tensors = run.block().tensors;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const bool parameter = tensors[i].role == TensorRole::kParameter;
    if (!parameter && tensors[i].role != TensorRole::kInput) {
      continue;
    }
    const std::vector<double> gradient =
        run.numbers(parameter ? i + 1 : run.find(TensorRole::kHiddenGradient));
    const std::vector<double> before = run.numbers(i);
    for (std::size_t j = 0; j < before.size(); ++j) {
      constexpr double kStep = 1e-5;
      run.numbers(i)[j] = before[j] + kStep;
      const double above = run.sum();
      run.numbers(i)[j] = before[j] - kStep;
      const double below = run.sum();
      run.numbers(i)[j] = before[j];
      // Rounding makes errors of about 1e-15 / step; a term that is missing is of order 0.1.
      EXPECT_NEAR(gradient[j], (above - below) / (2 * kStep), 1e-7) << tensors[i].name << " " << j;
    }
  }
}

TEST(BlockGradient, OfExpertsEqualsDifferences) { expect_differences(small_experts(), LayerKind::kExperts); }

TEST(BlockGradient, OfSharedExpertsEqualsDifferences) {
  TransformerConfig model = small_experts();
  model.experts->shared_ffn_size = 4;
  expect_differences(model, LayerKind::kExperts);
}

TEST(BlockGradient, OfExpertsWithGeluEqualsDifferences) {
  TransformerConfig model = small_experts();
  model.activation = Activation::kGelu;
  model.normalization = Normalization::kLayerNorm;
  model.linear_bias = true;
  model.experts->experts_per_token = 1;
  model.experts->shared_ffn_size = 4;
  expect_differences(model, LayerKind::kExperts);
}

TEST(BlockGradient, OfADenseLayerEqualsDifferences) {
  expect_differences(small_experts(), LayerKind::kDense);
}

}  // namespace
}  // namespace portolan
