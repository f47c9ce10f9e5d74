#pragma once

#include "kernels/operands/cross_entropy.h"

namespace portolan::host {

void cross_entropy_forward(const operands::CrossEntropyForward<float>& arguments);
void cross_entropy_backward(const operands::CrossEntropyBackward<float>& arguments);

}  // namespace portolan::host
