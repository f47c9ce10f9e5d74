#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "catalog/launch/megatron_arguments.h"
#include "plan/strategy.h"

namespace portolan {

/// Which layers each stage has, as far as it goes beyond pipeline_parallel, which is set: virtual_stages, the
/// schedule and layers_per_stage (empty where it is as even as Strategy's default). Sources: Megatron-LM,
/// arguments.py (validate_args); Megatron-Core, transformer_block.py (get_num_layers_to_build). Errors
/// (kBadInput) with file and line: more than one of the flags that say it; layers that do not come out even.
Result<void> read_megatron_layers(const MegatronArguments& arguments, std::int64_t num_layers,
                                  Strategy& strategy);

}  // namespace portolan
