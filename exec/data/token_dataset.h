#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "exec/data/token_stream.h"

namespace portolan {

/// Where the held-out part may begin.
enum class HeldoutBoundary {
  kToken,     ///< at any token: exactly the fraction asked for, a document may be cut in two
  kDocument,  ///< at a document's first token: the last documents that hold the fraction or more
};

struct TokenDatasetOptions {
  /// Tokens of a sequence; a window is one token longer, for the targets. At least 1.
  std::int64_t sequence_length = 0;
  /// Share of the tokens, from the end of the stream, that training never sees. In [0, 1); 0: no held-out
  /// part.
  double heldout_fraction = 0.05;
  HeldoutBoundary boundary = HeldoutBoundary::kToken;
  /// Seed of the choice of training windows.
  std::uint64_t seed = 0;
};

/// A token stream in two parts, training and held-out, served as windows: `tokens` are sequence_length tokens
/// in a row, `targets` the same run one token later. The windows of a step depend on the seed, the step and
/// the sequence's index in the global batch alone, so the batch is the same however it is divided over
/// data-parallel ranks and microbatches, and a resumed run goes on where it stopped. Const members may be
/// called from any thread; the windows allocate no memory.
class TokenDataset {
 public:
  /// Errors (kBadInput, with the numbers): options out of range; a part shorter than one window; no document
  /// boundary to split at.
  static Result<TokenDataset> make(TokenStream stream, const TokenDatasetOptions& options);

  std::int64_t sequence_length() const { return options_.sequence_length; }
  std::int64_t num_training_tokens() const { return num_training_tokens_; }
  std::int64_t num_heldout_tokens() const;
  /// Windows of the held-out part that do not overlap (but for the token that is a target in one and an input
  /// in the next): evaluation reads them all in order.
  std::int64_t num_heldout_windows() const;

  /// Sequence `sequence_index` of the global batch of `step`: a window at a uniformly random place of the
  /// training part, drawn with replacement. tokens, targets: shape (sequence_length). Precondition: step >=
  /// 0, sequence_index >= 0.
  void training_window(std::int64_t step, std::int64_t sequence_index, std::span<std::int32_t> tokens,
                       std::span<std::int32_t> targets) const;

  /// Held-out window `index`. tokens, targets: shape (sequence_length).
  /// Precondition: 0 <= index < num_heldout_windows().
  void heldout_window(std::int64_t index, std::span<std::int32_t> tokens,
                      std::span<std::int32_t> targets) const;

 private:
  TokenDataset(TokenStream stream, const TokenDatasetOptions& options, std::int64_t num_training_tokens);
  void copy_window(std::int64_t first, std::span<std::int32_t> tokens, std::span<std::int32_t> targets) const;

  TokenStream stream_;
  TokenDatasetOptions options_;
  std::int64_t num_training_tokens_;
};

}  // namespace portolan
