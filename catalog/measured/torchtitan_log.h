#pragma once

#include "catalog/measured/log_line.h"
#include "catalog/measured/step_collector.h"

namespace portolan {

/// Lines of torchtitan: "[rank0]:... step: 10  loss: 8.1234  grad_norm: 1.2345  memory: 12.34GiB(15.57%) tps:
/// 6,789  tflops: 300.12  mfu: 30.45%" (in old versions wps for tps). tps: tokens a second and GPU, mean
/// since the line before; a step takes the plan's tokens over tps and GPUs. The memory is the most reserved.
/// `rank_without_prefix`: whose a line is that does not say. Source: torchtitan/components/metrics.py.
void read_torchtitan_line(const LogLine& line, const StepSize& size, std::int32_t rank_without_prefix,
                          StepCollector& collector);

}  // namespace portolan
