#pragma once

#include "kernels/operands/embedding.h"

namespace portolan::host {

void embedding_forward(const operands::EmbeddingForward<float>& arguments);
void embedding_backward(const operands::EmbeddingBackward<float>& arguments);

}  // namespace portolan::host
