#include "block_run.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/random.h"
#include "reference_experts.h"
#include "reference_latent.h"

namespace portolan {

BlockRun::BlockRun(Block block, const Block& whole, const BlockOptions& options)
    : block_(std::move(block)),
      divides_sequence_(options.sequence_parallel && options.tensor_parallel > 1),
      ranks_(static_cast<std::size_t>(options.tensor_parallel), Rank(block_.tensors.size())),
      shared_(block_.tensors.size()) {
  for (std::size_t i = 0; i < block_.tensors.size(); ++i) {
    const Tensor& tensor = block_.tensors[i];
    const auto alone = std::ranges::find(whole.tensors, tensor.name, &Tensor::name);
    shared_[i] = alone != whole.tensors.end() && alone->elements == tensor.elements;
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      ranks_[rank][i].numbers.resize(static_cast<std::size_t>(tensor.elements));
      ranks_[rank][i].tokens.resize(static_cast<std::size_t>(tensor.elements));
      if (tensor.role == TensorRole::kParameter || tensor.role == TensorRole::kInput) {
        fill(rank, i);
      }
    }
  }
  for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
    RandomStream random(20260104, "weights" + std::to_string(divides_sequence_ ? rank : 0));
    weights_.emplace_back(numbers(rank, output()).size());
    std::ranges::generate(weights_.back(), [&] { return random.next_normal(); });
  }
}

double BlockRun::sum() {
  run(block_.forward);
  double sum = 0;
  for (std::size_t rank = 0; rank < (divides_sequence_ ? ranks_.size() : 1); ++rank) {
    const std::vector<double>& y = numbers(rank, output());
    sum += std::inner_product(y.begin(), y.end(), weights_[rank].begin(), 0.0);
  }
  return sum;
}

void BlockRun::differentiate() {
  sum();
  for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
    numbers(rank, find(TensorRole::kHiddenGradient)) = weights_[rank];
  }
  run(block_.backward);
}

double BlockRun::gradient(std::size_t rank, std::size_t tensor, std::size_t element) {
  if (block_.tensors[tensor].role == TensorRole::kInput) {
    return numbers(rank, find(TensorRole::kHiddenGradient))[element];
  }
  if (!block_.tensors[tensor].partial_gradient) {
    return numbers(rank, tensor + 1)[element];
  }
  double sum = 0;
  for (std::size_t other = 0; other < ranks_.size(); ++other) {
    sum += numbers(other, tensor + 1)[element];
  }
  return sum;
}

std::size_t BlockRun::find(TensorRole role) const {
  const auto found = std::ranges::find(block_.tensors, role, &Tensor::role);
  return static_cast<std::size_t>(found - block_.tensors.begin());
}

void BlockRun::fill(std::size_t rank, std::size_t tensor) {
  const Tensor& t = block_.tensors[tensor];
  RandomStream random(20260104, t.name + std::to_string(shared_[tensor] ? 0 : rank));
  const double mean = t.init == ParameterInit::kOnes ? 1 : 0;
  std::ranges::generate(numbers(rank, tensor), [&] { return mean + 0.3 * random.next_normal(); });
}

void BlockRun::run(const std::vector<GroupedKernel>& kernels) {
  for (const GroupedKernel& grouped : kernels) {
    if (is_communication(grouped.kernel.kind)) {
      communicate(grouped.kernel);
      continue;
    }
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      run_alone(grouped.kernel, rank);
    }
  }
}

void BlockRun::run_alone(const Kernel& kernel, std::size_t rank) {
  std::vector<ReferenceBuffer*> operands;
  for (const Operand& operand : kernel.operands) {
    operands.push_back(&ranks_[rank][static_cast<std::size_t>(operand.tensor)]);
  }
  if (!run_expert_kernel(kernel, operands) && !run_latent_kernel(kernel, operands)) {
    run_reference_kernel(kernel, operands);
  }
}

/// Rows of a whole tensor lie in the order of the ranks that hold them.
void BlockRun::communicate(const Kernel& kernel) {
  const auto written = static_cast<std::size_t>(kernel.operands.front().tensor);
  const auto read = static_cast<std::size_t>(kernel.operands.back().tensor);
  std::vector<double> whole;
  for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
    const std::vector<double>& mine = numbers(rank, read);
    if (kernel.kind == KernelKind::kTensorAllGather) {
      whole.insert(whole.end(), mine.begin(), mine.end());
    } else {
      whole.resize(mine.size());
      std::ranges::transform(whole, mine, whole.begin(), std::plus<>());
    }
  }
  for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
    std::vector<double>& mine = numbers(rank, written);
    const bool scatters = kernel.kind == KernelKind::kTensorReduceScatter;
    std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(scatters ? rank * mine.size() : 0), mine.size(),
                mine.begin());
  }
}

}  // namespace portolan
