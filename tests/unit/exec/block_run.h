#pragma once

#include <string>
#include <vector>

#include "model/block.h"
#include "reference_kernel.h"

namespace portolan {

/// A block on the ranks of a tensor-parallel group, in double precision, with a buffer for each tensor of
/// each rank. What is looked at is the sum of the output's elements, each times a random number: of all ranks
/// where each holds a part of the sequence, else of the first.
class BlockRun {
 public:
  /// `whole` is the same block on one rank: a parameter that is as large there is the same on every rank.
  BlockRun(Block block, const Block& whole, const BlockOptions& options);

  const Block& block() const { return block_; }
  std::size_t num_ranks() const { return ranks_.size(); }
  std::vector<double>& numbers(std::size_t rank, std::size_t tensor) { return ranks_[rank][tensor].numbers; }
  /// Whether all ranks hold the same values of a parameter or of the input.
  bool is_shared(std::size_t tensor) const { return shared_[tensor]; }

  double sum();
  /// After it gradients hold those of sum(), and the hidden gradient that of the input.
  void differentiate();
  /// Of element `element` of a rank's parameter or input: what differentiate() left there, and with a
  /// partial gradient what it left on all ranks together.
  double gradient(std::size_t rank, std::size_t tensor, std::size_t element);

  std::size_t find(TensorRole role) const;

 private:
  using Rank = std::vector<ReferenceBuffer>;

  std::size_t output() const { return find(TensorRole::kOutput); }
  void fill(std::size_t rank, std::size_t tensor);
  void run(const std::vector<GroupedKernel>& kernels);
  void run_alone(const Kernel& kernel, std::size_t rank);
  void communicate(const Kernel& kernel);

  Block block_;
  bool divides_sequence_ = false;
  std::vector<Rank> ranks_;
  std::vector<bool> shared_;
  std::vector<std::vector<double>> weights_;  ///< of each rank's output
};

}  // namespace portolan
