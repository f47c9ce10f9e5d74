#pragma once

#include "kernels/operands/adamw.h"

namespace portolan::host {

void adamw_update(const operands::AdamwUpdate<float>& arguments);

}  // namespace portolan::host
