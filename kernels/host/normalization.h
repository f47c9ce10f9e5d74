#pragma once

#include "kernels/operands/normalization.h"

namespace portolan::host {

void layernorm_forward(const operands::LayernormForward<float>& arguments);
void layernorm_backward(const operands::LayernormBackward<float>& arguments);
void rmsnorm_forward(const operands::RmsnormForward<float>& arguments);
void rmsnorm_backward(const operands::RmsnormBackward<float>& arguments);

}  // namespace portolan::host
