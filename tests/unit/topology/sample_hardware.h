#pragma once

#include "topology/hardware.h"

namespace portolan {

/// 64 nodes of 8 GPUs, a network card for each GPU, 2 pods of 32 nodes, 16 spines: 512 GPUs. The figures
/// are round numbers for arithmetic on paper: NVLink 200 GB/s, card 20 GB/s, trunk 40 GB/s achieved.
Hardware sample_hardware();

/// The same 64 nodes in 8 pods of 8 nodes, 2 groups of 4 pods and 4 spines, 2 core switches; a core trunk
/// achieves 80 GB/s.
Hardware three_tier_hardware();

}  // namespace portolan
