#pragma once

#include "catalog/measured/log_line.h"
#include "catalog/measured/step_collector.h"

namespace portolan {

/// Lines of Megatron-LM and of what descends from it (Megatron-DeepSpeed, Megatron-Bridge): "iteration 10/
/// 1000 | ... | elapsed time per iteration (ms): 1147.6 | ..." (also with = for : and _ for blanks), "[Rank
/// 0] (after 10 iterations) memory (MB) | allocated: ... | max allocated: ... | reserved: ... | max reserved:
/// ...". Source: training_log() in megatron/training/training.py, report_memory() in
/// megatron/training/utils.py; a MB is 2^20 bytes.
void read_megatron_line(const LogLine& line, StepCollector& collector);

}  // namespace portolan
