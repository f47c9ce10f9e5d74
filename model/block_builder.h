#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/block.h"

namespace portolan {

/// A parameter and the buffer its gradient accumulates in.
struct ParameterPair {
  int value = 0;
  int gradient = 0;
  std::optional<int> narrow_gradient = {};  ///< of one microbatch, where it is kept
};

/// What a norm made, for its backward.
struct NormTensors {
  int output = 0;
  int rstd = 0;
  std::optional<int> mean;
  std::optional<int> wide;    ///< of eager code: the input in fp32 ...
  std::optional<int> narrow;  ///< ... and what is multiplied by the gain
  std::int64_t columns = 0;
  ParameterPair gain;
  std::optional<ParameterPair> bias;
};

struct LinearTensors {
  ParameterPair weight;
  std::optional<ParameterPair> bias;
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::optional<std::int64_t> rows = {};  ///< of input and output; none: of the microbatch
  std::int64_t experts = 1;               ///< as many weights, each for its share of the rows
  bool fp8 = false;                       ///< the products' factors are
};

/// fp8 copies of a tensor: as it lies, and transposed.
struct Fp8Copies {
  std::optional<int> straight;
  std::optional<int> transposed;
};

/// A gradient of hidden states: of the rows that a rank holds, and of all rows where these are divided.
struct HiddenGradient {
  int held = 0;
  int whole = 0;
};

/// Assembles a Block: counts FLOPs and bytes of each kernel from the tensors it touches.
class BlockBuilder {
 public:
  BlockBuilder(std::string name, const TransformerConfig& config, const BlockOptions& options);

  const BlockOptions& options() const { return options_; }
  const TransformerConfig& config() const { return config_; }
  /// Tokens of a microbatch that a rank computes with, and those whose hidden states it holds.
  std::int64_t rows() const { return options_.microbatch_size * options_.local_sequence(); }
  std::int64_t hidden_rows() const { return rows() / row_shards(); }
  bool shards_sequence() const { return options_.sequence_parallel && options_.tensor_parallel > 1; }

  int activation(std::string name, std::int64_t elements);
  int activation(std::string name, std::int64_t elements, std::int64_t element_bytes);
  int port(std::string name, TensorRole role, std::int64_t elements, std::int64_t element_bytes);
  ParameterPair parameter(Tensor tensor);
  /// Whose gradient a kernel of its own adds up unless the product does.
  ParameterPair matrix(Tensor tensor);

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
    std::optional<Flops> flops = {};  ///< where neither shape nor first operand gives them
  };
  void launch(Launch launch);

  std::int64_t elements_of(int tensor) const {
    return block_.tensors[static_cast<std::size_t>(tensor)].elements;
  }
  /// One tensor operation of eager code, in the operands' order; the first is written or updated.
  void elementwise(std::vector<Operand> operands, std::optional<Bytes> bytes = std::nullopt);

  struct NormSpec {
    std::string name;
    std::optional<int> output = {};            ///< none: an activation of its own
    std::optional<std::int64_t> columns = {};  ///< none: the hidden size
  };
  /// Of the rows that a rank holds.
  NormTensors norm_forward(const NormSpec& spec, int input);
  /// `input_gradient` is overwritten or accumulated into, by `access`; with `added` it becomes the sum of
  /// both.
  void norm_backward(const NormTensors& norm, int input, int output_gradient, Operand input_gradient,
                     std::optional<int> added = std::nullopt);

  struct LinearSpec {
    std::string name;
    std::int64_t out = 0;
    std::int64_t in = 0;
    bool bias = false;
    bool residual_projection = false;  ///< initialised smaller by 1/sqrt(2 layers), as GPT-2 does
    std::optional<std::int64_t> rows = {};
    std::optional<std::int64_t> experts = {};  ///< of this rank
    bool partial_gradient = false;             ///< of the weight
    bool fp8 = true;                           ///< where options().fp8_linear is
  };
  LinearTensors linear_parameters(const LinearSpec& spec);
  /// With `add_bias` false the bias is left to a later kernel.
  void linear_forward(const LinearTensors& linear, int output, int input, bool add_bias);
  void linear_backward_input(const LinearTensors& linear, int input_gradient, int output_gradient);
  void linear_backward_weight(const LinearTensors& linear, int output_gradient, int input);
  /// Nothing where there is no bias.
  void bias_backward(const LinearTensors& linear, int output_gradient, std::int64_t num_rows);

  /// Gradients of a column-parallel product's input and weight; the input's is summed over the ranks while
  /// the weight's is made, where the profile lets it. Returns the gradient of `input`, of hidden_rows().
  int column_parallel_backward(const std::string& name, const LinearTensors& linear, int output_gradient,
                               int input);
  HiddenGradient gathered(const std::string& name, int hidden_gradient) {
    return {.held = hidden_gradient, .whole = whole_rows(name + ".gathered_gradient", hidden_gradient)};
  }
  /// Gradients of a row-parallel product's input and weight, from that of the hidden states it was added to.
  void row_parallel_backward(const LinearTensors& linear, const HiddenGradient& output, int input,
                             int input_gradient);

  enum class Overlap : std::uint8_t { kNone, kWithCompute };
  /// Sums `tensor` over the tensor-parallel group; nothing where its degree is 1.
  void tensor_all_reduce(int tensor, Bytes payload, Overlap overlap = Overlap::kNone);
  /// Where rows are divided: a tensor of all rows for a product to read; else `held` itself.
  int whole_rows(const std::string& name, int held, Overlap overlap = Overlap::kNone);
  /// Where a product writes its part of `sum`, before sum_parts: a tensor of all rows where these are
  /// divided, else `sum` itself.
  int part_of(const std::string& name, int sum);
  /// Adds up the parts of all ranks: `sum` becomes the whole, or this rank's rows of it.
  void sum_parts(int part, int sum, Overlap overlap = Overlap::kNone);
  /// Sends `sent` round the context-parallel ring; `received` is as large.
  void context_shift(int received, int sent, Overlap overlap);
  /// Of the hidden states of all rows.
  Bytes hidden_bytes() const;
  /// Allowed where the profile lets communication of backward run beside compute.
  Overlap beside_compute() const { return options_.overlap_tensor ? Overlap::kWithCompute : Overlap::kNone; }

  /// Whether a matrix's gradient of each microbatch is a tensor of its own, which is then added.
  bool adds_narrow_gradients() const {
    return options_.accumulate_gradients && !options_.fused_gradient_accumulation;
  }
  /// That tensor, in compute width, for add_narrow_gradient(): kept, or made here.
  int narrow_gradient(const ParameterPair& matrix);
  void add_narrow_gradient(const ParameterPair& matrix, int narrow);
  /// How backward touches a parameter's gradient.
  Access gradient_access() const { return options_.accumulate_gradients ? Access::kUpdate : Access::kWrite; }

  /// Whether norms are the tensor operations of eager code.
  bool eager_norms() const {
    return !options_.fused_norms && config_.normalization == Normalization::kRmsNorm;
  }

  Block finish() { return std::move(block_); }

 private:
  int add(Tensor tensor);
  enum class Fp8Use : std::uint8_t { kStraight, kTransposed, kBoth };
  /// The copies of `tensor`, made here where they are not there yet; all that `use` says in one kernel.
  Fp8Copies fp8_copies(int tensor, Fp8Use use);
  int straight_factor(const LinearTensors& linear, int tensor, Fp8Use use) {
    return linear.fp8 ? *fp8_copies(tensor, use).straight : tensor;
  }
  int transposed_factor(const LinearTensors& linear, int tensor, Fp8Use use) {
    return linear.fp8 ? *fp8_copies(tensor, use).transposed : tensor;
  }
  void launch_product(const LinearTensors& linear, Launch launch);
  Bytes bytes_of(int tensor) const { return block_.tensors[static_cast<std::size_t>(tensor)].bytes(); }
  /// Ranks that divide rows.
  std::int64_t row_shards() const { return shards_sequence() ? options_.tensor_parallel : 1; }
  std::int64_t columns_of(const NormSpec& spec) const { return spec.columns.value_or(config_.hidden_size); }
  NormTensors eager_rms_norm_forward(const NormSpec& spec, int input);
  void eager_rms_norm_backward(const NormTensors& norm, int output_gradient, Operand input_gradient);
  std::int64_t rows_of(const LinearTensors& linear) const { return linear.rows.value_or(rows()); }
  /// Rows of each expert's product, rounded up.
  std::int64_t gemm_rows(const LinearTensors& linear) const {
    return (rows_of(linear) + linear.experts - 1) / linear.experts;
  }
  std::vector<GroupedKernel>& list() { return backward_ ? block_.backward : block_.forward; }

  TransformerConfig config_;
  BlockOptions options_;
  Block block_;
  KernelGroup group_ = KernelGroup::kOther;
  bool backward_ = false;
  std::map<int, Fp8Copies> fp8_copies_;  ///< of tensors that have not changed since
  std::set<int> gathered_;               ///< made by whole_rows(), again in backward
};

}  // namespace portolan
