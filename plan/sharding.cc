#include "plan/sharding.h"

#include <algorithm>

#include "plan/legality.h"

namespace portolan {

Sharding sharding_of(const Scenario& scenario, const Strategy& strategy) {
  const SoftwareProfile& software = scenario.software;
  const bool gradients = divides_gradients(strategy);
  const bool parameters = divides_parameters(strategy);
  const std::int64_t reduced = reduction_width(software, strategy.precision);
  const auto copy_bytes = [&]() -> std::int64_t {
    switch (software.reduce_copy.value) {
      case ReduceCopy::kNone:
        break;
      case ReduceCopy::kAsComputed:
        return compute_bytes(strategy.precision);
      case ReduceCopy::kAsReduced:
        return reduced;
    }
    return 0;
  };
  return {.parts = gradients ? zero_sharers(strategy) : 1,
          .expert_parts = gradients ? expert_sharers(strategy) : 1,
          .parameters = parameters,
          .regathers = parameters && software.reshard_after_forward.value,
          .gradients = gradients,
          .copies_gathered = parameters && software.gather_copy.value,
          .reduce_copy_bytes = gradients ? copy_bytes() : 0,
          .reduce_bytes = reduced,
          .gradient_bytes = gradient_width(software, strategy.precision)};
}

bool backward_reads_parameters(const Block& block) {
  const auto is_parameter = [&](const Operand& operand) {
    return block.tensors[static_cast<std::size_t>(operand.tensor)].role == TensorRole::kParameter;
  };
  return std::any_of(block.backward.begin(), block.backward.end(), [&](const GroupedKernel& grouped) {
    return std::any_of(grouped.kernel.operands.begin(), grouped.kernel.operands.end(), is_parameter);
  });
}

namespace {

/// Each parameter's elements read at the width of the tensor `further` behind it, written at `written` bytes
/// or, where that is 0, as wide as read.
std::optional<Kernel> copy_of_parameters(const Block& block, bool expert, std::size_t further,
                                         std::int64_t written) {
  std::int64_t elements = 0;
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < block.tensors.size(); ++i) {
    const Tensor& tensor = block.tensors[i];
    if (tensor.role == TensorRole::kParameter && tensor.expert == expert) {
      const std::int64_t read = block.tensors[i + further].element_bytes;
      elements += tensor.elements;
      bytes += tensor.elements * (read + (written == 0 ? read : written));
    }
  }
  if (elements == 0) {
    return std::nullopt;
  }
  return Kernel{.kind = KernelKind::kBufferCopy,
                .shape = {.rows = elements, .columns = 1},
                .flops = {},
                .bytes = Bytes(bytes),
                .operands = {}};
}

}  // namespace

std::optional<Kernel> gathered_copy(const Block& block, const Sharding& sharding, bool expert) {
  return sharding.copies_gathered ? copy_of_parameters(block, expert, 0, 0) : std::nullopt;
}

std::optional<Kernel> reduce_copy(const Block& block, const Sharding& sharding, bool expert) {
  return sharding.reduce_copy_bytes > 0 ? copy_of_parameters(block, expert, 1, sharding.reduce_copy_bytes)
                                        : std::nullopt;
}

}  // namespace portolan
