#pragma once

#include "catalog/measured/log_line.h"
#include "catalog/measured/step_collector.h"

namespace portolan {

/// Lines of timers of Megatron-LM and DeepSpeed: "time (ms) | forward-compute: 53.79 | ..." of the rank that
/// prints; and, below "(min, max) time across ranks (ms):" or "max time across ranks (ms):", one line each,
/// "    forward-compute ....: (52.10, 53.79)". Sources: megatron/core/timers.py, deepspeed/utils/timer.py.
class TimerLines {
 public:
  void read(const LogLine& line, StepCollector& collector);

 private:
  bool below_header_ = false;
};

}  // namespace portolan
