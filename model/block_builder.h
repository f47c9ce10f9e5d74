#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/block.h"

namespace portolan {

/// A parameter and the buffer its gradient accumulates in.
struct ParameterPair {
  int value = 0;
  int gradient = 0;
};

/// What a norm made, for its backward.
struct NormTensors {
  int output = 0;
  int rstd = 0;
  std::optional<int> mean;
  ParameterPair gain;
  std::optional<ParameterPair> bias;
};

struct LinearTensors {
  ParameterPair weight;
  std::optional<ParameterPair> bias;
  std::int64_t out = 0;
  std::int64_t in = 0;
};

/// Assembles a Block: counts FLOPs and bytes of each kernel from the tensors it touches.
class BlockBuilder {
 public:
  BlockBuilder(std::string name, const TransformerConfig& config, const BlockOptions& options);

  const BlockOptions& options() const { return options_; }
  const TransformerConfig& config() const { return config_; }
  std::int64_t rows() const { return options_.microbatch_size * options_.sequence_length; }

  int activation(std::string name, std::int64_t elements);
  int activation(std::string name, std::int64_t elements, std::int64_t element_bytes);
  int port(std::string name, TensorRole role, std::int64_t elements, std::int64_t element_bytes);
  ParameterPair parameter(Tensor tensor);

  /// Kernels added from here on belong to `group`, and go to the forward or the backward list.
  void in_forward(KernelGroup group);
  void in_backward();

  struct Launch {
    KernelKind kind = KernelKind::kFillZero;
    std::vector<Operand> operands;
    KernelShape shape = {};
    double scalar = 0;
    double flops_per_element = 1;     ///< of memory-bound kernels: per element of the first operand
    std::optional<Bytes> bytes = {};  ///< where not each operand is touched whole
  };
  void launch(Launch launch);

  NormTensors norm_forward(const std::string& name, int input);
  /// `input_gradient` is overwritten or accumulated into, by `access`.
  void norm_backward(const NormTensors& norm, int input, int output_gradient, Operand input_gradient);

  struct LinearSpec {
    std::string name;
    std::int64_t out = 0;
    std::int64_t in = 0;
    bool bias = false;
    bool residual_projection = false;  ///< initialised smaller by 1/sqrt(2 layers), as GPT-2 does
  };
  LinearTensors linear_parameters(const LinearSpec& spec);
  /// With `add_bias` false the bias is left to a later kernel.
  void linear_forward(const LinearTensors& linear, int output, int input, bool add_bias);
  void linear_backward_input(const LinearTensors& linear, int input_gradient, int output_gradient);
  void linear_backward_weight(const LinearTensors& linear, int output_gradient, int input);

  /// Sums `tensor` over the tensor-parallel group; nothing where its degree is 1.
  void tensor_all_reduce(int tensor, Bytes payload);
  Bytes hidden_bytes() const;

  Block finish() { return std::move(block_); }

 private:
  int add(Tensor tensor);
  std::vector<GroupedKernel>& list() { return backward_ ? block_.backward : block_.forward; }

  TransformerConfig config_;
  BlockOptions options_;
  Block block_;
  KernelGroup group_ = KernelGroup::kOther;
  bool backward_ = false;
};

}  // namespace portolan
