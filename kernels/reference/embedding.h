#pragma once

#include "kernels/operands/embedding.h"

namespace portolan::reference {

template <typename T>
void embedding_forward(const operands::EmbeddingForward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t j = 0; j < a.columns; ++j) {
      const T position = a.position != nullptr ? a.position[r % a.sequence * a.columns + j] : T(0);
      a.x[r * a.columns + j] = a.word[a.tokens[r] * a.columns + j] + position;
    }
  }
}

template <typename T>
void embedding_backward(const operands::EmbeddingBackward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t j = 0; j < a.columns; ++j) {
      a.dword[a.tokens[r] * a.columns + j] += a.dx[r * a.columns + j];
      if (a.dposition != nullptr) {
        a.dposition[r % a.sequence * a.columns + j] += a.dx[r * a.columns + j];
      }
    }
  }
}

}  // namespace portolan::reference
