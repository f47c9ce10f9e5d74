#include "exec/calibration/training_course.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.h"
#include "exec/calibration/recording_device.h"
#include "exec/run.h"
#include "plan/lower.h"

namespace portolan {

namespace {

struct CourseSize {
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t vocabulary = 0;
  std::int64_t sequence = 0;
  std::int64_t microbatch = 1;
};

TrainingCourse gpt_course(const CourseSize& size) {
  TrainingCourse course{.model = {}, .sequence_length = size.sequence, .microbatch_size = size.microbatch};
  TransformerConfig& model = course.model;
  model.name = "calibration, gpt";
  model.num_layers = size.layers;
  model.hidden_size = size.hidden;
  model.num_heads = model.num_kv_heads = size.heads;
  model.ffn_size = 4 * size.hidden;
  model.vocab_size = size.vocabulary;
  model.max_positions = size.sequence;
  return course;
}

TrainingCourse llama_course(const CourseSize& size) {
  TrainingCourse course = gpt_course(size);
  TransformerConfig& model = course.model;
  model.name = "calibration, llama";
  model.num_kv_heads = std::max<std::int64_t>(size.heads / 2, 1);
  model.ffn_size = size.hidden * 11 / 4;
  model.normalization = Normalization::kRmsNorm;
  model.activation = Activation::kSwiGlu;
  model.position = PositionEncoding::kRotary;
  model.linear_bias = false;
  model.tied_embeddings = false;
  return course;
}

/// A scenario that makes `course` a legal plan on `num_cores` cores; its hardware is not asked for times.
Scenario course_scenario(const TrainingCourse& course, std::int32_t num_cores, std::uint64_t seed) {
  Scenario scenario;
  scenario.name = "calibration";
  scenario.model = course.model;
  scenario.hardware.num_nodes = 1;
  scenario.hardware.gpus_per_node = num_cores;
  scenario.hardware.device.peak[Precision::kFp32].value = FlopsPerSecond(1);
  scenario.software.optimizer_bytes_per_parameter.value = 8;
  scenario.sequence_length = course.sequence_length;
  scenario.global_batch = 2 * num_cores * course.microbatch_size;
  scenario.num_gpus = num_cores;
  scenario.precision = Precision::kFp32;
  scenario.training.seed = seed;
  scenario.training.heldout_batches = 0;
  return scenario;
}

Plan course_plan(const TrainingCourse& course, std::int32_t num_cores, std::uint64_t seed) {
  Plan plan{.scenario = course_scenario(course, num_cores, seed), .strategy = {}, .program = {}, .hash = {}};
  plan.strategy.data_parallel = num_cores;
  plan.strategy.microbatch_size = course.microbatch_size;
  plan.strategy.precision = Precision::kFp32;
  plan.program = lower(plan.scenario, plan.strategy);
  return plan;
}

Result<TokenDataset> random_text(const TrainingCourse& course, std::uint64_t seed) {
  TokenStream stream;
  stream.document_starts = {0};
  RandomStream random(seed, "calibration text");
  for (std::int64_t i = 0; i < 64 * course.sequence_length; ++i) {
    stream.tokens.push_back(static_cast<std::int32_t>(random.next_below(static_cast<std::uint64_t>(course.model.vocab_size))));
  }
  return TokenDataset::make(std::move(stream),
                            {.sequence_length = course.sequence_length, .heldout_fraction = 0, .seed = seed});
}

/// Samples of one core, those of the first step taken away; of every other step they come alike often.
void collect(const KernelSamples& samples, std::map<const Kernel*, Sample>& into) {
  for (const auto& [kernel, sample] : samples) {
    into[kernel].append(sample);
  }
}

}  // namespace

std::vector<TrainingCourse> training_courses() {
  return {gpt_course({.layers = 4, .hidden = 128, .heads = 4, .vocabulary = 1024, .sequence = 128, .microbatch = 2}),
          gpt_course({.layers = 4, .hidden = 256, .heads = 8, .vocabulary = 4096, .sequence = 256}),
          gpt_course({.layers = 2, .hidden = 512, .heads = 8, .vocabulary = 8192, .sequence = 256, .microbatch = 2}),
          llama_course({.layers = 4, .hidden = 128, .heads = 4, .vocabulary = 1024, .sequence = 128, .microbatch = 2}),
          llama_course({.layers = 4, .hidden = 256, .heads = 4, .vocabulary = 4096, .sequence = 256}),
          llama_course({.layers = 2, .hidden = 512, .heads = 8, .vocabulary = 8192, .sequence = 512})};
}

Result<CourseResult> run_course(const TrainingCourse& course, const CourseOptions& options) {
  const Plan plan = course_plan(course, options.num_cores, options.seed);
  PORTOLAN_TRY(const TokenDataset text, random_text(course, options.seed));
  std::vector<KernelSamples> samples(static_cast<std::size_t>(options.num_cores));
  RunOptions run{.num_steps = 2, .dataset = &text, .num_warmup_steps = 1};
  run.decorate_device = [&](std::int32_t rank, std::unique_ptr<Device> inner) -> std::unique_ptr<Device> {
    return std::make_unique<RecordingDevice>(std::move(inner), samples[static_cast<std::size_t>(rank)]);
  };
  PORTOLAN_TRY(const RunMeasurement trial, run_program(plan, run));
  const double step_s = std::max(median_step_time(trial).value, 1e-4);
  run.num_steps = 1 + std::clamp(static_cast<std::int64_t>(options.budget.value / step_s) - 3, std::int64_t{2}, std::int64_t{200});
  for (KernelSamples& of_core : samples) {
    of_core.clear();
  }
  // The first step touches the arena's pages: its samples are dropped when it is over.
  run.on_step = [&](const RunProgress& progress) {
    if (progress.step == 1) {
      for (KernelSamples& of_core : samples) {
        of_core.clear();
      }
    }
  };
  PORTOLAN_TRY(const RunMeasurement measured, run_program(plan, run));
  std::map<const Kernel*, Sample> together;
  for (const KernelSamples& of_core : samples) {
    collect(of_core, together);
  }
  CourseResult result;
  result.stretch = measured.stretch;
  for (auto& [kernel, sample] : together) {
    result.kernels.push_back({*kernel, std::move(sample)});
  }
  return result;
}

}  // namespace portolan
