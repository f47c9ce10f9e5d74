#pragma once

#include "topology/hardware.h"

namespace portolan {

/// 64 nodes of 8 GPUs, a network card for each GPU, 2 pods of 32 nodes, 16 spines: 512 GPUs. The figures
/// are round numbers for arithmetic on paper: NVLink 200 GB/s, card 20 GB/s, trunk 40 GB/s achieved.
Hardware sample_hardware();

}  // namespace portolan
