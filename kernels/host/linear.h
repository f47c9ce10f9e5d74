#pragma once

#include "kernels/operands/linear.h"

namespace portolan::host {

void linear_forward(const operands::LinearForward<float>& arguments);
void linear_backward_input(const operands::LinearBackwardInput<float>& arguments);
void linear_backward_weight(const operands::LinearBackwardWeight<float>& arguments);
void bias_backward(const operands::BiasBackward<float>& arguments);

}  // namespace portolan::host
