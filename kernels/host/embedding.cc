#include "kernels/host/embedding.h"

#include "kernels/host/buffer.h"

namespace portolan::host {

void embedding_forward(const operands::EmbeddingForward<float>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    float* const x = a.x + r * a.columns;
    copy(x, a.word + a.tokens[r] * a.columns, a.columns);
    if (a.position != nullptr) {
      accumulate(x, a.position + r % a.sequence * a.columns, a.columns);
    }
  }
}

void embedding_backward(const operands::EmbeddingBackward<float>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const dx = a.dx + r * a.columns;
    accumulate(a.dword + a.tokens[r] * a.columns, dx, a.columns);
    if (a.dposition != nullptr) {
      accumulate(a.dposition + r % a.sequence * a.columns, dx, a.columns);
    }
  }
}

}  // namespace portolan::host
