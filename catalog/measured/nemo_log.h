#pragma once

#include "catalog/measured/log_line.h"
#include "catalog/measured/step_collector.h"

namespace portolan {

/// Lines of NeMo: a progress bar ("Epoch 0: : 100%|###| 100/100 [10:48<00:00, reduced_train_loss=0.0172,
/// global_step=99.00, train_step_timing in s=3.130]"), or in NeMo 2 "Training epoch 0, iteration 5/249 | ...
/// | global_batch_size: 8 | global_step: 5 | ... | train_step_timing in s: 1.505". Without a global step the
/// bar's or the line's own count is taken.
void read_nemo_line(const LogLine& line, StepCollector& collector);

}  // namespace portolan
