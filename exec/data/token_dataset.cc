#include "exec/data/token_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

#include "base/random.h"

namespace portolan {

namespace {

std::int64_t size_of(const TokenStream& stream) { return static_cast<std::int64_t>(stream.tokens.size()); }

/// Index of the first held-out token. Precondition: 0 < heldout_fraction < 1.
Result<std::int64_t> heldout_start(const TokenStream& stream, const TokenDatasetOptions& options) {
  const std::int64_t num_tokens = size_of(stream);
  const auto num_heldout =
      static_cast<std::int64_t>(static_cast<double>(num_tokens) * options.heldout_fraction);
  const std::int64_t start = num_tokens - num_heldout;
  if (options.boundary == HeldoutBoundary::kToken) {
    return start;
  }
  const auto& starts = stream.document_starts;
  const auto behind = std::upper_bound(starts.begin(), starts.end(), start);
  if (behind == starts.begin() || *(behind - 1) == 0) {
    return bad_input(
        fmt::format("the last {} of {} tokens begin in the first of {} documents: no document "
                    "boundary leaves a training part (split at any token instead)",
                    num_heldout, num_tokens, starts.size()));
  }
  return *(behind - 1);
}

Result<void> check_part(const char* name, std::int64_t num_tokens, std::int64_t num_all_tokens,
                        std::int64_t sequence_length) {
  if (num_tokens > sequence_length) {
    return {};
  }
  return bad_input(
      fmt::format("text too short: the {} part has {} of {} tokens, a sequence of {} needs at least {}", name,
                  num_tokens, num_all_tokens, sequence_length, sequence_length + 1));
}

}  // namespace

Result<TokenDataset> TokenDataset::make(TokenStream stream, const TokenDatasetOptions& options) {
  if (options.sequence_length < 1) {
    return bad_input(fmt::format("sequence_length: {} is too short (at least 1)", options.sequence_length));
  }
  if (!(options.heldout_fraction >= 0 && options.heldout_fraction < 1)) {
    return bad_input(
        fmt::format("heldout_fraction: {} is out of range (at least 0, below 1)", options.heldout_fraction));
  }
  const std::int64_t num_tokens = size_of(stream);
  std::int64_t num_training = num_tokens;
  if (options.heldout_fraction > 0) {
    PORTOLAN_TRY(num_training, heldout_start(stream, options));
    PORTOLAN_CHECK_OK(check_part("held-out", num_tokens - num_training, num_tokens, options.sequence_length));
  }
  PORTOLAN_CHECK_OK(check_part("training", num_training, num_tokens, options.sequence_length));
  return TokenDataset(std::move(stream), options, num_training);
}

TokenDataset::TokenDataset(TokenStream stream, const TokenDatasetOptions& options,
                           std::int64_t num_training_tokens)
    : stream_(std::move(stream)), options_(options), num_training_tokens_(num_training_tokens) {}

std::int64_t TokenDataset::num_heldout_tokens() const { return size_of(stream_) - num_training_tokens_; }

std::int64_t TokenDataset::num_heldout_windows() const {
  return std::max<std::int64_t>(0, num_heldout_tokens() - 1) / options_.sequence_length;
}

void TokenDataset::training_window(std::int64_t step, std::int64_t sequence_index,
                                   std::span<std::int32_t> tokens, std::span<std::int32_t> targets) const {
  assert(step >= 0 && sequence_index >= 0);
  // Each number is mixed by a draw of its own before the next comes in: (step 1, sequence 2) and
  // (step 2, sequence 1) are strangers.
  const std::uint64_t step_seed = RandomStream(options_.seed).next_bits() ^ static_cast<std::uint64_t>(step);
  const std::uint64_t window_seed =
      RandomStream(step_seed).next_bits() ^ static_cast<std::uint64_t>(sequence_index);
  const auto num_places = static_cast<std::uint64_t>(num_training_tokens_ - options_.sequence_length);
  const std::uint64_t first = RandomStream(window_seed).next_below(num_places);
  copy_window(static_cast<std::int64_t>(first), tokens, targets);
}

void TokenDataset::heldout_window(std::int64_t index, std::span<std::int32_t> tokens,
                                  std::span<std::int32_t> targets) const {
  assert(index >= 0 && index < num_heldout_windows());
  copy_window(num_training_tokens_ + index * options_.sequence_length, tokens, targets);
}

void TokenDataset::copy_window(std::int64_t first, std::span<std::int32_t> tokens,
                               std::span<std::int32_t> targets) const {
  const auto length = static_cast<std::size_t>(options_.sequence_length);
  assert(tokens.size() == length && targets.size() == length);
  const std::span<const std::int32_t> window =
      std::span(stream_.tokens).subspan(static_cast<std::size_t>(first), length + 1);
  std::copy_n(window.begin(), length, tokens.begin());
  std::copy_n(window.begin() + 1, length, targets.begin());
}

}  // namespace portolan
