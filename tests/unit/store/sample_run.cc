#include "tests/unit/store/sample_run.h"

#include <cstdint>

#include "base/random.h"
#include "store/run_file.h"

namespace portolan {

namespace {

GradientAggregation sample_aggregation() {
  GradientAggregation aggregation;
  auto& [algorithm, bucket, overlap, compression] = aggregation;
  algorithm = CollectiveAlgorithm::kHierarchical;
  bucket = Bytes(25 * kMebi);
  overlap = true;
  compression = {.kind = CompressionKind::kTopK, .share = 1.0 / 3};
  return aggregation;
}

Strategy sample_strategy() {
  Strategy strategy;
  auto& [tensor, pipeline, data, context, expert, virtual_stages, sequence_parallel, microbatch_size,
         schedule, zero_stage, zero_group, recompute, aggregation, precision, offload, layers_per_stage,
         axis_order, node_order] = strategy;
  tensor = 8;
  pipeline = 4;
  data = 16;
  context = 2;
  expert = 3;
  virtual_stages = 5;
  sequence_parallel = true;
  microbatch_size = std::int64_t{1} << 40;
  schedule = ScheduleKind::kZeroBubbleH1;
  zero_stage = 3;
  zero_group = 7;
  auto& [all_layers, per_layer, layers_per_group, optimal] = recompute;
  all_layers.set();
  per_layer = {RecomputeSet(), RecomputeSet(1), all_layers};
  layers_per_group = 9;
  optimal.reset();  // sets are kept, not that a solver chose them
  aggregation = sample_aggregation();
  precision = Precision::kFp8;
  offload = Offload::kOptimizer;
  layers_per_stage = {11, 13, 12, 10};
  axis_order = {Axis::kPipeline, Axis::kTensor, Axis::kData, Axis::kContext, Axis::kExpert};
  node_order = {2, 0, 5, 3};
  return strategy;
}

StageMemory sample_stage_memory(std::int64_t first) {
  StageMemory memory;
  auto& [allocated, reserved, parameters, gradients, optimizer_states, activations, workspace, communication,
         host] = memory;
  for (Bytes* part : {&allocated, &reserved, &parameters, &gradients, &optimizer_states, &activations,
                      &workspace, &communication, &host}) {
    *part = Bytes(first++);
  }
  return memory;
}

Estimate sample_estimate() {
  Estimate estimate;
  auto& [strategy, step_time, breakdown, stage_memory, peak_memory, mfu, hfu, tokens_per_s, energy, cost,
         hash] = estimate;
  strategy = sample_strategy();
  step_time = Seconds(1.0 / 3);
  auto& [compute, recompute, tensor, pipeline, data, context, expert, offload, bubble, optimizer, other] =
      breakdown;
  double part = 0.1;
  for (Seconds* time : {&compute, &recompute, &tensor, &pipeline, &data, &context, &expert, &offload, &bubble,
                        &optimizer, &other}) {
    *time = Seconds(part /= 3);
  }
  stage_memory = {sample_stage_memory(1), sample_stage_memory(std::int64_t{1} << 62)};
  peak_memory = Bytes(80 * kGibi + 1);
  mfu = 51.7;
  hfu = 57.3;
  tokens_per_s = 1e6 / 7;
  energy = Joules(4.2e5);
  cost = 0.0123;
  hash = "5eed";
  return estimate;
}

Timeline sample_timeline(double offset) {
  Timeline timeline;
  auto& [entries, makespan] = timeline;
  makespan = Seconds(9.5 + offset);
  for (std::int32_t rank = 0; rank < 3; ++rank) {
    TimelineEntry entry;
    auto& [op_id, entry_rank, start, end] = entry;
    op_id = (std::int64_t{1} << 40) + rank;
    entry_rank = rank;
    start = Seconds(offset + 0.1 * rank);
    end = Seconds(offset + 0.1 * rank + 0.05);
    entries.push_back(entry);
  }
  return timeline;
}

}  // namespace

RunRecord sample_run() {
  RunRecord run;
  auto& [plan_json, program_hash, device, ranks_as, predicted, predicted_timeline, step_times, losses,
         heldout_losses, measured_timeline, by_kind, memory, valid, invalid_reason, provenance] = run;
  plan_json = "{\"name\": \"d\u00e9j\u00e0 vu \u8239\"}\n";
  program_hash = "0123abcd";
  device = "host";
  ranks_as = "threads";
  predicted = sample_estimate();
  predicted_timeline = sample_timeline(0.25);
  step_times = {Seconds(0.1), Seconds(0.11), Seconds(0.09)};
  losses = {10.8, 9.7, 8.6};
  heldout_losses = {10.9, 8.9};
  measured_timeline = sample_timeline(0.5);
  by_kind = {{"gemm", Seconds(1), Seconds(1.5)}, {"r\u00e9duction", Seconds(2), Seconds(2.5)}};
  memory = {{0, Bytes(10), Bytes(11), Bytes(12), Bytes(13)}, {1, Bytes(20), Bytes(21), Bytes(22), Bytes(23)}};
  valid = true;
  invalid_reason = "none, but kept all the same";
  auto& [command, version, machine, scenario_hash, seed] = provenance;
  command = "portolan run \"\u00e9tude.yaml\"";
  version = "0.1.0";
  machine = "2 cores";
  scenario_hash = "feed";
  seed = 0xfedcba9876543210;
  return run;
}

const std::string& sample_image() {
  static const std::string image = *format_run(sample_run(), "run.h5");
  return image;
}

RunRecord run_with_timeline(std::size_t num_entries) {
  constexpr std::size_t kNumRanks = 8;
  RunRecord run = sample_run();
  RandomStream random(1);
  std::vector<TimelineEntry>& entries = run.measured_timeline.entries;
  entries.clear();
  entries.reserve(num_entries);
  const std::size_t per_rank = (num_entries + kNumRanks - 1) / kNumRanks;
  Seconds now;
  for (std::size_t i = 0; i < num_entries; ++i) {
    const std::size_t position = i % per_rank;
    if (position == 0) {
      now = Seconds();
    }
    // Clock readings are whole nanoseconds.
    const Seconds start = now + Seconds(1e-9 * static_cast<double>(random.next_below(2'000)));
    now = start + Seconds(1e-9 * static_cast<double>(20'000 + random.next_below(5'000)));
    entries.push_back(
        {static_cast<std::int64_t>(position), static_cast<std::int32_t>(i / per_rank), start, now});
  }
  run.measured_timeline.makespan = now;
  return run;
}

}  // namespace portolan
