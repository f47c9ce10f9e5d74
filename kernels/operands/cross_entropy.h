#pragma once

#include <cstdint>

namespace portolan::operands {

/// In place: logits become probabilities, softmax over each row. Adds the sum over rows of
/// -log(probability of the row's target), in nats, to *loss_sum. Precondition: targets in [0, vocabulary).
template <typename T>
struct CrossEntropyForward {
  std::int64_t rows;
  std::int64_t vocabulary;
  const std::int32_t* targets;  // (rows)
  T* logits;                    // (rows, vocabulary), probabilities on return
  double* loss_sum;
};

/// In place: probabilities become the gradient of scale * (the loss sum), scale * (p - onehot(target)).
template <typename T>
struct CrossEntropyBackward {
  std::int64_t rows;
  std::int64_t vocabulary;
  double scale;                 ///< 1 / (tokens that the loss is averaged over)
  const std::int32_t* targets;  // (rows)
  T* probabilities;             // (rows, vocabulary), dlogits on return
};

}  // namespace portolan::operands
