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
  scenario.global_batch = num_cores * course.microbatch_size;
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
    // Few tokens are frequent and many rare, as in text: it decides what embedding rows are in a cache.
    const double share = std::pow(random.next_uniform(), 4);
    stream.tokens.push_back(static_cast<std::int32_t>(share * static_cast<double>(course.model.vocab_size)));
  }
  return TokenDataset::make(std::move(stream),
                            {.sequence_length = course.sequence_length, .heldout_fraction = 0, .seed = seed});
}

/// Steps that fit the budget if a core reached this rate: a guess is enough, as more or fewer do as well.
std::int64_t num_steps(const Program& program, Seconds budget) {
  constexpr double kFlopsPerSecond = 1e11;
  double flops = 0;
  for (const Slot& slot : program.stages.front().order) {
    for (const Op& op : program.stages.front().templates[static_cast<std::size_t>(slot.template_index)].ops) {
      for (const Kernel& kernel : op.kernels) {
        flops += kernel.flops.value;
      }
    }
  }
  return std::clamp(static_cast<std::int64_t>(budget.value * kFlopsPerSecond / flops), std::int64_t{3},
                    std::int64_t{200});
}

/// Samples of all cores, in the order of the kernels in the Program, so that results do not depend on
/// addresses' hashes.
std::map<const Kernel*, Sample> together(const std::vector<KernelSamples>& of_cores) {
  std::map<const Kernel*, Sample> merged;
  for (const KernelSamples& samples : of_cores) {
    for (const auto& [kernel, sample] : samples) {
      merged[kernel].append(sample);
    }
  }
  return merged;
}

}  // namespace

std::vector<TrainingCourse> training_courses() {
  return {gpt_course(
              {.layers = 4, .hidden = 128, .heads = 4, .vocabulary = 1024, .sequence = 128, .microbatch = 2}),
          gpt_course({.layers = 4, .hidden = 256, .heads = 8, .vocabulary = 4096, .sequence = 256}),
          gpt_course({.layers = 2, .hidden = 512, .heads = 8, .vocabulary = 8192, .sequence = 256}),
          llama_course(
              {.layers = 4, .hidden = 128, .heads = 4, .vocabulary = 1024, .sequence = 128, .microbatch = 2}),
          llama_course({.layers = 4, .hidden = 256, .heads = 4, .vocabulary = 4096, .sequence = 256}),
          llama_course({.layers = 2, .hidden = 512, .heads = 8, .vocabulary = 6144, .sequence = 512})};
}

std::vector<TrainingCourse> rough_courses() {
  return {gpt_course({.layers = 1, .hidden = 64, .heads = 2, .vocabulary = 256, .sequence = 64}),
          llama_course({.layers = 1, .hidden = 64, .heads = 2, .vocabulary = 256, .sequence = 64})};
}

Result<CourseResult> run_course(const TrainingCourse& course, const CourseOptions& options) {
  const Plan plan = course_plan(course, options.num_cores, options.seed);
  PORTOLAN_TRY(const TokenDataset text, random_text(course, options.seed));
  std::vector<KernelSamples> samples(static_cast<std::size_t>(options.num_cores));
  RunOptions run{
      .num_steps = 1 + num_steps(plan.program, options.budget), .dataset = &text, .num_warmup_steps = 1};
  run.decorate_device = [&](std::int32_t rank, std::unique_ptr<Device> inner) -> std::unique_ptr<Device> {
    return std::make_unique<RecordingDevice>(std::move(inner), samples[static_cast<std::size_t>(rank)]);
  };
  // The first step touches the arena's pages: its samples are dropped when it is over.
  run.on_step = [&](const RunProgress& progress) {
    if (progress.step == 1) {
      for (KernelSamples& of_core : samples) {
        of_core.clear();
      }
    }
  };
  PORTOLAN_TRY(const RunMeasurement measured, run_program(plan, run));
  CourseResult result{.kernels = {}, .stretch = measured.stretch};
  for (auto& [kernel, sample] : together(samples)) {
    result.kernels.push_back({*kernel, sample});
  }
  return result;
}

}  // namespace portolan
