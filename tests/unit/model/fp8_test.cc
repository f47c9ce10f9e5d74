#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

/// 2 sequences of 4 tokens, 8 rows.
BlockOptions fp8_options(std::int64_t tensor_parallel = 1, bool sequence_parallel = false) {
  BlockOptions options;
  options.microbatch_size = 2;
  options.sequence_length = 4;
  options.tensor_parallel = tensor_parallel;
  options.sequence_parallel = sequence_parallel;
  options.compute_bytes = 2;
  options.fp8_linear = true;
  return options;
}

/// "copies of source", of the casts in a list of kernels.
std::vector<std::string> casts_of(const Block& block, const std::vector<GroupedKernel>& kernels) {
  std::vector<std::string> lines;
  for (const Kernel& kernel : of_kind(kernels, KernelKind::kFp8Cast)) {
    std::string line;
    for (const Operand& operand : kernel.operands) {
      const std::string& name = block.tensors[static_cast<std::size_t>(operand.tensor)].name;
      line += operand.access == Access::kRead ? "of " + name : name.substr(name.rfind('.') + 1) + " ";
    }
    lines.push_back(line);
  }
  return lines;
}

TEST(Fp8, EachFactorIsCastOnceStraightAndTransposed) {
  const Block layer = layer_block(small_gpt(), fp8_options());
  EXPECT_EQ(casts_of(layer, layer.forward),
            (std::vector<std::string>{
                "fp8 fp8_transposed of norm1.output", "fp8 fp8_transposed of attention.context",
                "fp8 fp8_transposed of norm2.output", "fp8 fp8_transposed of activation.output"}));
  EXPECT_EQ(casts_of(layer, layer.backward),
            (std::vector<std::string>{
                "fp8 fp8_transposed of hidden_gradient", "fp8 fp8_transposed of activation.gradient",
                "fp8 fp8_transposed of hidden_gradient", "fp8 fp8_transposed of qkv.gradient"}));
}

TEST(Fp8, WhatBackwardGathersAgainIsTransposedThere) {
  const Block layer = layer_block(small_gpt(), fp8_options(2, true));
  EXPECT_EQ(casts_of(layer, layer.forward),
            (std::vector<std::string>{"fp8 of norm1.gathered", "fp8 fp8_transposed of attention.context",
                                      "fp8 of norm2.gathered", "fp8 fp8_transposed of activation.output"}));
  const std::vector<std::string> backward = casts_of(layer, layer.backward);
  EXPECT_EQ(std::count(backward.begin(), backward.end(), "fp8_transposed of norm1.gathered_again"), 1);
  EXPECT_EQ(std::count(backward.begin(), backward.end(), "fp8_transposed of norm2.gathered_again"), 1);
}

TEST(Fp8, ProductsMoveOneByteOfEachFactorAndWideResults) {
  // 8 rows, hidden 16, MLP 64: fc1 reads 8x16 and 16x64 of one byte and 64 biases, writes 8x64 of two; its
  // weight's gradient reads 8x64 and 8x16, rewrites 64x16 of four.
  const Block layer = layer_block(small_gpt(), fp8_options());
  const Kernel forward = of_kind(layer.forward, KernelKind::kLinearForward)[2];
  EXPECT_EQ(forward.shape.factor_bytes, 1);
  EXPECT_EQ(forward.bytes.value, 8 * 16 + 16 * 64 + 2 * 64 + 2 * 8 * 64);
  const Kernel weight = of_kind(layer.backward, KernelKind::kLinearBackwardWeight)[1];
  EXPECT_EQ(weight.shape.factor_bytes, 1);
  EXPECT_EQ(weight.bytes.value, 8 * 64 + 8 * 16 + 2 * 4 * 64 * 16);
}

TEST(Fp8, RouterAndHeadStayWide) {
  const Block experts = layer_block(small_mixtral(), fp8_options(), LayerKind::kExperts);
  const std::vector<Kernel> products = of_kind(experts.forward, KernelKind::kLinearForward);
  ASSERT_EQ(products.size(), 5U);  // qkv, projection, router, fc1, fc2
  for (std::size_t i = 0; i < products.size(); ++i) {
    EXPECT_EQ(products[i].shape.factor_bytes, i == 2 ? 0 : 1);
  }
  for (const Kernel& kernel :
       of_kind(head_block(small_gpt(), fp8_options(), 1.0).forward, KernelKind::kLinearForward)) {
    EXPECT_EQ(kernel.shape.factor_bytes, 0);
  }
}

/// What each tensor holds after both passes, as a term over what was there before: casts are invisible.
class Terms {
 public:
  explicit Terms(const Block& block) : block_(block) {
    for (const auto* list : {&block.forward, &block.backward}) {
      for (const GroupedKernel& grouped : *list) {
        run(grouped.kernel);
      }
    }
  }

  std::map<std::string, std::size_t> of_gradients() const {
    std::map<std::string, std::size_t> terms;
    for (std::size_t i = 0; i < block_.tensors.size(); ++i) {
      const Tensor& tensor = block_.tensors[i];
      if (tensor.role == TensorRole::kGradient || tensor.role == TensorRole::kHiddenGradient ||
          tensor.role == TensorRole::kInputGradient || tensor.role == TensorRole::kOutput) {
        terms[tensor.name] = value(static_cast<int>(i));
      }
    }
    return terms;
  }

 private:
  std::size_t value(int tensor) const {
    const auto found = values_.find(tensor);
    return found != values_.end()
               ? found->second
               : std::hash<std::string>()(block_.tensors[static_cast<std::size_t>(tensor)].name);
  }

  void run(const Kernel& kernel) {
    std::string term(kernel_name(kernel.kind));
    for (const Operand& operand : kernel.operands) {
      term += operand.access == Access::kWrite ? " w" : " " + std::to_string(value(operand.tensor));
    }
    for (std::size_t i = 0; i < kernel.operands.size(); ++i) {
      const Operand& operand = kernel.operands[i];
      if (operand.access != Access::kRead) {
        values_[operand.tensor] = kernel.kind == KernelKind::kFp8Cast
                                      ? value(kernel.operands.back().tensor)
                                      : std::hash<std::string>()(term + " result " + std::to_string(i));
      }
    }
  }

  const Block& block_;
  std::map<int, std::size_t> values_;
};

// A copy that is used after its tensor has changed would show as another term.
TEST(Fp8, ComputesTheTermsThatWideProductsCompute) {
  int count = 0;
  for (const bool experts : {false, true}) {
    for (const TransformerConfig& config : experts ? expert_styles() : all_styles()) {
      for (BlockOptions options : experts ? expert_options() : all_options()) {
        const LayerKind kind = experts ? LayerKind::kExperts : LayerKind::kDense;
        options.compute_bytes = 2;
        const Block wide = layer_block(config, options, kind);
        options.fp8_linear = true;
        const Block narrow = layer_block(config, options, kind);
        EXPECT_GT(narrow.forward.size(), wide.forward.size());
        EXPECT_EQ(Terms(narrow).of_gradients(), Terms(wide).of_gradients()) << config.name << " " << count;
        ++count;
      }
    }
  }
  EXPECT_GT(count, 100);
}

}  // namespace
}  // namespace portolan
