// Linear products with fp8 factors, as on Hopper: Micikevicius et al. 2022 (arXiv 2209.05433) for the
// formats; NVIDIA, Transformer Engine user guide, "Using FP8": activations, weights and gradients of the
// layers' linear products are fp8, all else and what products make is as wide as before. The tensor cores
// multiply fp8 factors only in one layout, so that what forward and backward both multiply is kept as it lies
// and transposed. A weight's two copies take the place of one 2-byte weight: the optimizer's update writes
// them.
#include <cassert>

#include "model/block_builder.h"

namespace portolan {

Fp8Copies BlockBuilder::fp8_copies(int tensor, Fp8Use use) {
  Fp8Copies copies;
  if (const auto known = fp8_copies_.find(tensor); known != fp8_copies_.end()) {
    copies = known->second;
  }
  const std::string name = block_.tensors[static_cast<std::size_t>(tensor)].name;
  std::vector<Operand> operands;
  const auto make = [&](std::optional<int>& copy, const char* suffix) {
    if (!copy) {
      copy = activation(name + suffix, elements_of(tensor), 1);
      operands.push_back({*copy, Access::kWrite});
    }
  };
  if (use != Fp8Use::kTransposed) {
    make(copies.straight, ".fp8");
  }
  if (use != Fp8Use::kStraight) {
    make(copies.transposed, ".fp8_transposed");
  }
  if (!operands.empty()) {
    operands.push_back({tensor, Access::kRead});
    launch({.kind = KernelKind::kFp8Cast,
            .operands = std::move(operands),
            .shape = {.rows = elements_of(tensor), .columns = 1}});
    fp8_copies_[tensor] = copies;
  }
  return copies;
}

void BlockBuilder::launch_product(const LinearTensors& linear, Launch product) {
  if (linear.fp8) {
    product.shape.factor_bytes = 1;
    Bytes bytes;
    for (const Operand& operand : product.operands) {
      const Tensor& tensor = block_.tensors[static_cast<std::size_t>(operand.tensor)];
      // Of a weight's two copies a product reads one.
      bytes += operand.tensor == linear.weight.value
                   ? Bytes(tensor.elements)
                   : tensor.bytes() * (operand.access == Access::kUpdate ? 2 : 1);
    }
    product.bytes = bytes;
  }
  launch(std::move(product));
}

}  // namespace portolan
