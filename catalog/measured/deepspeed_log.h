#pragma once

#include "catalog/measured/log_line.h"
#include "catalog/measured/step_collector.h"

namespace portolan {

/// Lines of DeepSpeed's rank 0: of its ThroughputTimer ("epoch=0/micro_step=40/global_step=10,
/// RunningAvgSamplesPerSec=25.0, CurrSamplesPerSec=25.7, MemAllocated=4.32GB, MaxMemAllocated=38.49GB", in
/// old versions "0/20, RunningAvg..." or "0/20, SamplesPerSec=..."), of its pipeline engine ("steps: 100
/// loss: 0.0585 iter time (s): 0.186 samples/sec: 53.694"), of see_memory_usage ("MA 4.17 GB Max_MA 4.17 GB
/// CA 4.47 GB Max_CA 4 GB"). A GB is 2^30 bytes. A step takes the plan's global batch over the samples a
/// second. Sources: deepspeed/utils/timer.py, runtime/pipe/engine.py, runtime/utils.py.
void read_deepspeed_line(const LogLine& line, const StepSize& size, StepCollector& collector);

}  // namespace portolan
