#pragma once

#include "kernels/operands/residual.h"

namespace portolan::host {

void residual_add(const operands::ResidualAdd<float>& arguments);

}  // namespace portolan::host
