#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/data/token_dataset.h"
#include "exec/rank_script.h"
#include "plan/program.h"

namespace portolan {

/// Which text a step reads.
struct StepText {
  enum class Part : std::uint8_t { kTraining, kHeldout };
  Part part = Part::kTraining;
  std::int64_t index = 0;  ///< training step, or held-out batch
};

/// The text of one rank. Sequence i of microbatch m on replica d is sequence d * microbatches *
/// microbatch_size + m * microbatch_size + i of the global batch, so that the batch is the same however it is
/// divided.
class BatchSource {
 public:
  /// `dataset` must outlive it. Precondition: dataset.sequence_length() == program.sequence_length.
  BatchSource(const TokenDataset& dataset, const Program& program, std::int32_t replica);

  /// One microbatch's tokens or targets, int32; valid until the next call. Allocates nothing.
  std::span<const std::byte> load(TextRole role, const StepText& text, std::int32_t microbatch);

 private:
  const TokenDataset& dataset_;
  std::int64_t sequence_length_;
  std::int64_t microbatch_size_;
  std::int64_t first_sequence_;  ///< of the replica, in the global batch
  std::int64_t global_batch_;
  std::vector<std::int32_t> tokens_;
  std::vector<std::int32_t> targets_;
};

}  // namespace portolan
