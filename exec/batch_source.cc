#include "exec/batch_source.h"

#include "plan/rank_place.h"

namespace portolan {

BatchSource::BatchSource(const TokenDataset& dataset, const Program& program, std::int32_t replica)
    : dataset_(dataset),
      sequence_length_(program.sequence_length),
      microbatch_size_(program.microbatch_size) {
  const std::int64_t of_replica = program.num_microbatches * microbatch_size_;
  first_sequence_ = replica * of_replica;
  global_batch_ = num_replicas(program) * of_replica;
  tokens_.resize(static_cast<std::size_t>(microbatch_size_ * sequence_length_));
  targets_.resize(tokens_.size());
}

std::span<const std::byte> BatchSource::load(TextRole role, const StepText& text, std::int32_t microbatch) {
  for (std::int64_t i = 0; i < microbatch_size_; ++i) {
    const auto place = static_cast<std::size_t>(i * sequence_length_);
    const auto length = static_cast<std::size_t>(sequence_length_);
    const std::span tokens(tokens_.data() + place, length);
    const std::span targets(targets_.data() + place, length);
    const std::int64_t sequence = first_sequence_ + microbatch * microbatch_size_ + i;
    if (text.part == StepText::Part::kTraining) {
      dataset_.training_window(text.index, sequence, tokens, targets);
    } else {
      // A short held-out part is read again from its beginning.
      dataset_.heldout_window((text.index * global_batch_ + sequence) % dataset_.num_heldout_windows(),
                              tokens, targets);
    }
  }
  return std::as_bytes(std::span<const std::int32_t>(role == TextRole::kTargets ? targets_ : tokens_));
}

}  // namespace portolan
