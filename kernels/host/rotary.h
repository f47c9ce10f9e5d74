#pragma once

#include "kernels/operands/rotary.h"

namespace portolan::host {

void rotary_forward(const operands::Rotary<float>& arguments);
void rotary_backward(const operands::Rotary<float>& arguments);

}  // namespace portolan::host
