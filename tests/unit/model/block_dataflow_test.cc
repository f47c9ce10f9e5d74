#include <gtest/gtest.h>

#include <map>
#include <set>

#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

/// Follows which tensors of a block hold a value.
class Dataflow {
 public:
  explicit Dataflow(const Block& block)
      : block_(block), defined_(block.tensors.size(), false), read_(block.tensors.size(), false) {
    for (std::size_t i = 0; i < defined_.size(); ++i) {
      const TensorRole role = block.tensors[i].role;
      defined_[i] = role == TensorRole::kInput || role == TensorRole::kParameter ||
                    role == TensorRole::kGradient || role == TensorRole::kLoss;
    }
  }

  void define(TensorRole role) {
    for (std::size_t i = 0; i < defined_.size(); ++i) {
      defined_[i] = defined_[i] || block_.tensors[i].role == role;
    }
  }

  void run(const std::vector<GroupedKernel>& kernels) {
    for (const GroupedKernel& grouped : kernels) {
      for (const Operand& operand : grouped.kernel.operands) {
        const auto i = static_cast<std::size_t>(operand.tensor);
        ASSERT_LT(i, block_.tensors.size());
        const Tensor& tensor = block_.tensors[i];
        if (operand.access != Access::kWrite) {
          EXPECT_TRUE(defined_[i]) << kernel_name(grouped.kernel.kind) << " reads " << tensor.name;
          read_[i] = true;
        }
        if (operand.access != Access::kRead) {
          EXPECT_NE(tensor.role, TensorRole::kParameter) << tensor.name;
          EXPECT_NE(tensor.role, TensorRole::kInput) << tensor.name;
        }
        if (tensor.role == TensorRole::kGradient) {
          EXPECT_EQ(operand.access, Access::kUpdate) << tensor.name << " accumulates over microbatches";
          updated_.insert(i);
        }
      }
      for (const Operand& operand : grouped.kernel.operands) {
        defined_[static_cast<std::size_t>(operand.tensor)] = true;
      }
    }
  }

  bool holds(TensorRole role) const {
    for (std::size_t i = 0; i < defined_.size(); ++i) {
      if (block_.tensors[i].role == role && !defined_[i]) {
        return false;
      }
    }
    return true;
  }

  void expect_every_gradient_updated_and_nothing_made_in_vain() const {
    for (std::size_t i = 0; i < defined_.size(); ++i) {
      const Tensor& tensor = block_.tensors[i];
      EXPECT_EQ(tensor.role == TensorRole::kGradient, updated_.contains(i)) << tensor.name;
      if (tensor.role == TensorRole::kParameter) {
        ASSERT_LT(i + 1, block_.tensors.size());
        EXPECT_EQ(block_.tensors[i + 1].role, TensorRole::kGradient);
        EXPECT_EQ(block_.tensors[i + 1].elements, tensor.elements);
        EXPECT_EQ(block_.tensors[i + 1].name, tensor.name + ".gradient");
      }
      EXPECT_TRUE(read_[i] || tensor.role == TensorRole::kOutput ||
                  tensor.role == TensorRole::kHiddenGradient)
          << tensor.name << " is never read";
    }
  }

 private:
  const Block& block_;
  std::vector<bool> defined_;
  std::vector<bool> read_;
  std::set<std::size_t> updated_;
};

void expect_sound(const Block& block) {
  SCOPED_TRACE(block.name);
  Dataflow flow(block);
  flow.run(block.forward);
  EXPECT_TRUE(flow.holds(TensorRole::kOutput));
  if (block.name != "head") {
    flow.define(TensorRole::kHiddenGradient);  // the head makes the first one
  }
  flow.run(block.backward);
  EXPECT_TRUE(flow.holds(TensorRole::kHiddenGradient));
  flow.expect_every_gradient_updated_and_nothing_made_in_vain();
}

TEST(BlockDataflow, EveryValueIsMadeBeforeItIsReadInEveryStyleAndOption) {
  for (const TransformerConfig& config : all_styles()) {
    for (const BlockOptions& options : all_options()) {
      expect_sound(embedding_block(config, options));
      expect_sound(layer_block(config, options));
      expect_sound(head_block(config, options, 1.0));
    }
  }
}

TEST(BlockDataflow, EveryValueIsMadeBeforeItIsReadInLayersWithExperts) {
  for (const TransformerConfig& config : expert_styles()) {
    for (const BlockOptions& options : expert_options()) {
      expect_sound(layer_block(config, options, LayerKind::kExperts));
    }
  }
}

void expect_one_writing_group(const Block& layer) {
  std::map<int, KernelGroup> writer;
  for (const GroupedKernel& grouped : layer.forward) {
    EXPECT_NE(grouped.group, KernelGroup::kOther);
    for (const Operand& operand : grouped.kernel.operands) {
      if (operand.access != Access::kRead) {
        const auto [found, first] = writer.emplace(operand.tensor, grouped.group);
        EXPECT_EQ(found->second, grouped.group)
            << layer.tensors[static_cast<std::size_t>(operand.tensor)].name;
      }
    }
  }
}

TEST(BlockDataflow, ATensorIsWrittenByKernelsOfOneGroupOnly) {
  for (const TransformerConfig& config : all_styles()) {
    for (const BlockOptions& options : all_options()) {
      expect_one_writing_group(layer_block(config, options));
    }
  }
  for (const TransformerConfig& config : expert_styles()) {
    for (const BlockOptions& options : expert_options()) {
      expect_one_writing_group(layer_block(config, options, LayerKind::kExperts));
    }
  }
}

void expect_unique_names(const Block& block) {
  std::set<std::string> names;
  for (const Tensor& tensor : block.tensors) {
    EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
    EXPECT_GT(tensor.elements, 0) << tensor.name;
  }
}

TEST(BlockDataflow, NamesAreUnique) {
  for (const TransformerConfig& config : all_styles()) {
    for (const BlockOptions& options : all_options()) {
      expect_unique_names(embedding_block(config, options));
      expect_unique_names(layer_block(config, options));
      expect_unique_names(head_block(config, options, 1.0));
    }
  }
  for (const TransformerConfig& config : expert_styles()) {
    for (const BlockOptions& options : expert_options()) {
      expect_unique_names(layer_block(config, options, LayerKind::kExperts));
    }
  }
}

TEST(BlockDataflow, OnlyMatricesDecayAndResidualProjectionsBeginSmaller) {
  const TransformerConfig config = gpt({.layers = 8, .hidden = 16, .heads = 4, .vocab = 20, .positions = 8});
  BlockOptions options;
  options.sequence_length = 4;
  const Block layer = layer_block(config, options);
  for (const Tensor& tensor : layer.tensors) {
    if (tensor.role != TensorRole::kParameter) {
      continue;
    }
    const bool matrix = tensor.name.ends_with(".weight");
    EXPECT_EQ(tensor.weight_decay, matrix) << tensor.name;
    if (matrix) {
      // GPT-2: 0.02, and 0.02 / sqrt(2 x 8) = 0.005 where a branch joins the residual stream.
      const bool joins = tensor.name == "projection.weight" || tensor.name == "fc2.weight";
      EXPECT_DOUBLE_EQ(tensor.init_std, joins ? 0.005 : 0.02) << tensor.name;
    } else {
      EXPECT_EQ(tensor.init, tensor.name.ends_with(".gain") ? ParameterInit::kOnes : ParameterInit::kZeros)
          << tensor.name;
    }
  }
}

}  // namespace
}  // namespace portolan
