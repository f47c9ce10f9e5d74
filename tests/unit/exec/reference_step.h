#pragma once

#include <map>
#include <string>
#include <vector>

#include "exec/data/token_dataset.h"
#include "plan/program.h"
#include "reference_kernel.h"

namespace portolan {

/// By the name of a parameter, its values or their gradient.
using NamedTensors = std::map<std::string, std::vector<double>>;

/// The first training step of a one-rank Program in double precision: its slots in their order, its kernels
/// by kernels/reference, each buffer memory of its own. An interpreter that shares nothing with the executor
/// but the Program and the text.
class ReferenceStep {
 public:
  /// `program` and `text` must outlive it; `parameters` has every parameter of the program.
  ReferenceStep(const Program& program, const TokenDataset& text, const NamedTensors& parameters);

  /// A parameter's values, for a test to change between calls.
  std::vector<double>& parameter(const std::string& name);
  /// Mean token loss of the batch: the forward passes alone.
  double loss();
  /// Forward and backward.
  NamedTensors gradients();

 private:
  void run(bool with_backward);
  void run_kernel(const Kernel& kernel, std::int32_t microbatch);
  void load_tokens(const std::string& buffer_name, std::int32_t microbatch,
                   std::vector<std::int32_t>& destination) const;
  void forget_activations();
  ReferenceBuffer& buffer(std::int32_t index, std::int32_t microbatch);

  const Program& program_;
  const Stage& stage_;
  const TokenDataset& text_;
  std::vector<std::vector<ReferenceBuffer>> buffers_;  ///< (buffer, microbatch); persistent ones (buffer, 1)
};

}  // namespace portolan
