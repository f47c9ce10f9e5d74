#pragma once

#include "kernels/operands/activation.h"

namespace portolan::host {

void gelu_forward(const operands::GeluForward<float>& arguments);
void gelu_backward(const operands::GeluBackward<float>& arguments);
void swiglu_forward(const operands::SwigluForward<float>& arguments);
void swiglu_backward(const operands::SwigluBackward<float>& arguments);

}  // namespace portolan::host
