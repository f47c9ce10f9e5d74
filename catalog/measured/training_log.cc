#include "catalog/measured/training_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "catalog/document/node.h"
#include "catalog/measured/deepspeed_log.h"
#include "catalog/measured/log_line.h"
#include "catalog/measured/megatron_log.h"
#include "catalog/measured/nemo_log.h"
#include "catalog/measured/timer_lines.h"
#include "catalog/measured/torchtitan_log.h"

namespace portolan {

namespace {

/// In the order of preference where a log has lines of several.
constexpr std::array<std::string_view, 4> kFormats = {"Megatron-LM", "NeMo", "DeepSpeed", "torchtitan"};
constexpr std::size_t kMegatron = 0, kNemo = 1, kDeepSpeed = 2, kTorchtitan = 3;

/// What a line has that says: the time of the next step may have a checkpoint or an evaluation in it.
constexpr std::array<std::string_view, 6> kPauses = {
    "saving checkpoint",    "Saving checkpoint",     "successfully saved checkpoint",
    "is about to be saved", "Saving the checkpoint", "validation loss at iteration"};

bool is_pause(std::string_view text) {
  return std::any_of(kPauses.begin(), kPauses.end(),
                     [&](std::string_view phrase) { return text.find(phrase) != std::string_view::npos; });
}

MeasuredLog log_of(std::size_t format, const std::array<StepCollector, kFormats.size()>& collectors) {
  const StepCollector& chosen = collectors[format];
  MeasuredLog log{.format = std::string(kFormats[format]),
                  .steps = chosen.steps(),
                  .memory = {},
                  .timers = chosen.timers(),
                  .num_malformed = chosen.num_malformed(),
                  .num_cut_off = chosen.num_cut_off()};
  StepCollector all(0);
  for (const StepCollector& collector : collectors) {
    for (const auto& [rank, memory] : collector.memory()) {
      all.add_memory(rank, memory.allocated, memory.reserved);
    }
  }
  for (const auto& [rank, memory] : all.memory()) {
    log.memory.push_back(memory);
  }
  return log;
}

}  // namespace

Result<MeasuredLog> read_training_log(std::istream& stream, const std::string& file,
                                      const TrainingLogOptions& options) {
  const StepCollector empty(options.size.global_batch);
  std::array<StepCollector, kFormats.size()> collectors = {empty, empty, empty, empty};
  std::array<TimerLines, 2> timers;
  LogLines lines(stream);
  while (const std::optional<LogLine> line = lines.next()) {
    if (is_pause(line->text)) {
      std::for_each(collectors.begin(), collectors.end(), [](StepCollector& c) { c.pause(); });
    }
    read_megatron_line(*line, collectors[kMegatron]);
    read_nemo_line(*line, collectors[kNemo]);
    read_deepspeed_line(*line, options.size, collectors[kDeepSpeed]);
    read_torchtitan_line(*line, options.size, options.rank_without_prefix, collectors[kTorchtitan]);
    timers[0].read(*line, collectors[kMegatron]);
    timers[1].read(*line, collectors[kDeepSpeed]);
  }
  for (std::size_t format = 0; format < kFormats.size(); ++format) {
    const std::vector<LoggedStep>& steps = collectors[format].steps();
    if (steps.empty()) {
      continue;
    }
    if (std::all_of(steps.begin(), steps.end(), [](const LoggedStep& s) { return s.is_other_batch; })) {
      return bad_input(
          fmt::format("{}: no step has the plan's global batch of {} (allowed: logs of the job that "
                      "the plan is of)",
                      printable(file), options.size.global_batch));
    }
    return log_of(format, collectors);
  }
  return bad_input(fmt::format(
      "{}: no line with the time of a training step (read: \"elapsed time per iteration (ms)\" of "
      "Megatron-LM, "
      "\"train_step_timing in s\" of NeMo, \"SamplesPerSec\" or \"iter time (s)\" of DeepSpeed, \"tps:\" of "
      "torchtitan)",
      printable(file)));
}

}  // namespace portolan
