// Each feature of a software profile, toggled alone where it applies: what the Program's time, memory and
// kernels do. docs/software-profiles.md says why.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "plain_runner.h"
#include "plan/closed_form.h"
#include "plan/costed_program.h"
#include "plan/lower.h"
#include "plan/search.h"
#include "plan/simulate.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// Which way a figure goes.
enum class Change : std::uint8_t { kDown = 0, kNone, kUp, kAny };

struct Toggle {
  std::string feature;
  Scenario scenario;
  Strategy strategy;
  void (*set)(SoftwareProfile&);
  Change time = Change::kUp;
  Change memory = Change::kNone;
  Change kernels = Change::kNone;
};

/// GPT's eight layers as LLaMA has them, without dropout.
Scenario llama_of_eight_layers() {
  Scenario scenario = gpt_of_eight_layers();
  scenario.model.normalization = Normalization::kRmsNorm;
  scenario.model.activation = Activation::kSwiGlu;
  scenario.model.position = PositionEncoding::kRotary;
  scenario.model.linear_bias = false;
  scenario.model.tied_embeddings = false;
  scenario.software.dropout.value = false;
  return scenario;
}

struct Outcome {
  Estimate estimate;
  std::int64_t num_kernels = 0;
};

Outcome outcome_of(const Scenario& scenario, const Strategy& strategy) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Program program = lower(scenario, strategy);
  EXPECT_TRUE(check_program(program));
  Outcome outcome{.estimate =
                      simulate_program({scenario, strategy, program, cluster, Fidelity::kFolded, false},
                                       run_without_contention)
                          ->estimate};
  for (const Stage& stage : program.stages) {
    for (const Template& t : stage.templates) {
      for (const Op& op : t.ops) {
        outcome.num_kernels += std::ssize(op.kernels);
      }
    }
  }
  return outcome;
}

std::vector<Toggle> toggles() {
  const Scenario gpt = gpt_of_eight_layers();
  const Scenario llama = llama_of_eight_layers();
  Scenario flash = gpt;
  flash.software.flash_attention.value = true;
  flash.hardware.device.flash_attention = {
      {.version = 1, .efficiency = {0.3, ""}, .mask_overhead = {300, ""}},
      {.version = 2, .efficiency = {0.6, ""}, .mask_overhead = {300, ""}}};
  Scenario one_channel = gpt;
  one_channel.software.communicator_channels.value = 1;
  Scenario small_channels = gpt;
  small_channels.software.channel_memory.value = Bytes(kMebi);
  Scenario sharing = gpt;
  sharing.hardware.device.multiprocessors.value = 100;
  sharing.software.channel_memory.value = Bytes(kMebi);
  Scenario cached = gpt;
  cached.software.allocator.value = AllocatorKind::kCaching;
  Scenario unfused = gpt;
  unfused.software.fused_gradient_accumulation.value = false;
  const Strategy one_stage = sample_strategy(gpt, {.tensor = 8, .data = 4});
  Scenario fp16 = gpt;
  fp16.precision = Precision::kFp16;
  fp16.hardware.device.peak[Precision::kFp16] = gpt.hardware.device.peak.at(Precision::kBf16);
  Strategy with_fp16 = one_stage;
  with_fp16.precision = Precision::kFp16;
  Strategy with_zero = one_stage, with_fp16_zero = with_fp16;
  with_zero.zero_stage = with_fp16_zero.zero_stage = 1;
  const Strategy two_stages = sample_strategy(gpt, {.tensor = 8, .pipeline = 2, .data = 2});
  // In 1F1B receives hide what sends hold up: all forwards in a row show it.
  Strategy forwards_first = sample_strategy(gpt, {.tensor = 8, .pipeline = 4});
  forwards_first.schedule = ScheduleKind::kGPipe;
  Strategy full = one_stage;
  full.recompute.all_layers = recompute_full();
  Strategy sharded = sample_strategy(llama, {.data = 32});
  sharded.zero_stage = 3;
  // ZeRO 1 with its gradients summed beside backward: what is left to overlap are the gathers.
  Strategy divided = one_stage;
  divided.zero_stage = 1;
  divided.gradient_aggregation.overlap = true;
  using S = SoftwareProfile;
  constexpr Change kDown = Change::kDown, kNone = Change::kNone, kUp = Change::kUp;
  return {
      {"vocab_padding: 1", gpt, one_stage, [](S& s) { s.vocab_padding.value = 1; }, kDown, kDown},
      {"dropout: false", gpt, one_stage, [](S& s) { s.dropout.value = false; }, kDown, kDown, kDown},
      {"logits_in_fp32: false", gpt, one_stage, [](S& s) { s.logits_in_fp32.value = false; }, kDown,
       Change::kAny},
      {"fused_logits_conversion: false", gpt, one_stage,
       [](S& s) { s.fused_logits_conversion.value = false; }, kUp, Change::kAny, kUp},
      {"cross_entropy_passes: 8", gpt, one_stage, [](S& s) { s.cross_entropy_passes.value = 8; }, kUp, kNone,
       kUp},
      {"logits_metrics: 2", gpt, one_stage, [](S& s) { s.logits_metrics.value = 2; }, kUp, Change::kAny, kUp},
      {"fused_gradient_accumulation: false", gpt, one_stage,
       [](S& s) { s.fused_gradient_accumulation.value = false; }, kUp, Change::kAny, kUp},
      {"fused_softmax: false", gpt, one_stage, [](S& s) { s.fused_softmax.value = false; }, kUp, kNone, kUp},
      {"flash_attention: true", gpt, one_stage, [](S& s) { s.flash_attention.value = true; }, kDown, kDown,
       kDown},
      {"flash_skips_masked: true", flash, one_stage, [](S& s) { s.flash_skips_masked.value = true; }, kDown},
      {"flash_version: 1", flash, one_stage, [](S& s) { s.flash_version.value = 1; }, kUp},
      {"fused_norms: false", llama, one_stage, [](S& s) { s.fused_norms.value = false; }, kUp, kUp, kUp},
      {"fused_activation: false", llama, one_stage, [](S& s) { s.fused_activation.value = false; }, kUp, kUp,
       kUp},
      {"fused_activation: false (GELU)", gpt, one_stage, [](S& s) { s.fused_activation.value = false; }, kUp,
       kNone, kUp},
      {"fused_dropout_add: false", gpt, one_stage, [](S& s) { s.fused_dropout_add.value = false; }, kUp,
       kNone, kUp},
      {"fused_rotary: false", llama, one_stage, [](S& s) { s.fused_rotary.value = false; }, kUp, kNone, kUp},
      {"fused_residual_gradient: false", gpt, one_stage,
       [](S& s) { s.fused_residual_gradient.value = false; }, kUp, Change::kAny, kUp},
      {"host_launch: 1 ms", gpt, one_stage, [](S& s) { s.host_launch.value = Seconds(1e-3); }, kUp},
      {"checkpoint_pause: 1 ms", llama, full, [](S& s) { s.checkpoint_pause.value = Seconds(1e-3); }, kUp},
      {"checkpoint_pause: 1 ms (nothing recomputed)", gpt, one_stage,
       [](S& s) { s.checkpoint_pause.value = Seconds(1e-3); }, kNone},
      {"gradient_bytes: 2", gpt, one_stage, [](S& s) { s.gradient_bytes.value = 2; }, kDown, kDown},
      {"fp16_gradient_bytes: 0", fp16, with_fp16,
       [](S& s) {
         s.fp16_gradient_bytes = {0, ""};
       },
       kDown, kDown},
      {"fp16_gradient_bytes: 0 (bf16)", gpt, one_stage,
       [](S& s) {
         s.fp16_gradient_bytes = {0, ""};
       },
       kNone, kNone},
      {"narrow_gradients_kept: true", unfused, one_stage, [](S& s) { s.narrow_gradients_kept.value = true; },
       kUp, kUp, kUp},
      {"narrow_gradients_kept: true (fused)", gpt, one_stage,
       [](S& s) { s.narrow_gradients_kept.value = true; }, kNone, kNone},
      {"fp16_update_copy_bytes: 64", fp16, with_fp16, [](S& s) { s.fp16_update_copy_bytes.value = 64; }, kUp,
       kUp, kUp},
      {"fp16_reduce_buffer: 100 GB", fp16, with_fp16_zero,
       [](S& s) { s.fp16_reduce_buffer.value = Bytes(100'000'000'000); }, kNone, kUp},
      {"gather_buffer: 100 GB", gpt, with_zero, [](S& s) { s.gather_buffer.value = Bytes(100'000'000'000); },
       kNone, kUp},
      {"fp16_update_copy_bytes: 64 (bf16)", gpt, one_stage, [](S& s) { s.fp16_update_copy_bytes.value = 64; },
       kNone, kNone},
      {"optimizer_bytes_per_parameter: 16", gpt, one_stage,
       [](S& s) { s.optimizer_bytes_per_parameter.value = 16; }, kUp, kUp},
      {"recompute_whole_group: false", llama, full, [](S& s) { s.recompute_whole_group.value = false; },
       kDown, Change::kAny, kDown},
      {"tensor_overlap: false", gpt, one_stage, [](S& s) { s.tensor_overlap.value = false; }, kUp,
       Change::kAny},
      {"scatter_gather_pipeline: false", gpt, two_stages,
       [](S& s) { s.scatter_gather_pipeline.value = false; }},
      {"blocking_sends: false", gpt, forwards_first, [](S& s) { s.blocking_sends.value = false; }, kDown,
       Change::kAny},
      {"receive_prefetch: 1", gpt, two_stages, [](S& s) { s.receive_prefetch.value = 1; }, kDown,
       Change::kAny},
      {"gather_prefetch: 0", llama, sharded, [](S& s) { s.gather_prefetch.value = 0; }, kUp, kDown},
      {"reshard_after_forward: false", llama, sharded, [](S& s) { s.reshard_after_forward.value = false; },
       kDown, kUp},
      {"gather_copy: true", llama, sharded, [](S& s) { s.gather_copy.value = true; }, kUp, Change::kAny, kUp},
      {"reduce_copy: as_computed", llama, sharded,
       [](S& s) { s.reduce_copy.value = ReduceCopy::kAsComputed; }, kUp, Change::kAny, kUp},
      {"gather_copy: true (nothing gathered)", gpt, one_stage, [](S& s) { s.gather_copy.value = true; },
       kNone, kNone},
      {"reduce_bytes: 4", llama, sharded, [](S& s) { s.reduce_bytes.value = 4; }, kUp, Change::kAny},
      {"parameter_gather_overlap: true", gpt, divided, [](S& s) { s.parameter_gather_overlap.value = true; },
       kDown, Change::kAny},
      {"allocator: caching", gpt, one_stage, [](S& s) { s.allocator.value = AllocatorKind::kCaching; }, kNone,
       kUp},
      {"allocator: expandable_segments", gpt, one_stage,
       [](S& s) { s.allocator.value = AllocatorKind::kExpandableSegments; }, kNone, kUp},
      {"context_memory: 1 GiB", gpt, one_stage, [](S& s) { s.context_memory.value = Bytes(kGibi); }, kNone,
       kUp},
      {"launch_queue_depth: 1000", cached, one_stage, [](S& s) { s.launch_queue_depth.value = 1000; }, kNone,
       kUp},
      {"communicator_channels: 16", small_channels, one_stage,
       [](S& s) { s.communicator_channels.value = 16; }, kNone, kUp},
      {"communicator_channels: 16 (of 100 multiprocessors)", sharing, one_stage,
       [](S& s) { s.communicator_channels.value = 16; }, kUp, kUp},
      {"channel_memory: 4 MiB", one_channel, one_stage,
       [](S& s) { s.channel_memory.value = Bytes(4 * kMebi); }, kNone, kUp},
      {"framework_memory: 2 GiB", gpt, one_stage, [](S& s) { s.framework_memory.value = Bytes(2 * kGibi); },
       kNone, kUp},
  };
}

void expect_change(Change expected, double before, double after) {
  const Change found = after < before ? Change::kDown : after > before ? Change::kUp : Change::kNone;
  EXPECT_TRUE(expected == Change::kAny || found == expected) << before << " became " << after;
}

TEST(SoftwareFeature, ToggledAloneHasItsEffect) {
  fmt::print("{:<36} {:>9} {:>9} {:>9}\n", "feature", "time", "memory", "kernels");
  for (const Toggle& toggle : toggles()) {
    SCOPED_TRACE(toggle.feature);
    const Outcome before = outcome_of(toggle.scenario, toggle.strategy);
    Scenario changed = toggle.scenario;
    toggle.set(changed.software);
    ASSERT_NE(changed.software, toggle.scenario.software);
    const Outcome after = outcome_of(changed, toggle.strategy);
    const double times[] = {before.estimate.step_time.value, after.estimate.step_time.value};
    const double sizes[] = {static_cast<double>(before.estimate.peak_memory.value),
                            static_cast<double>(after.estimate.peak_memory.value)};
    fmt::print("{:<36} {:>+8.2f}% {:>+8.2f}% {:>+9}\n", toggle.feature, 100 * (times[1] / times[0] - 1),
               100 * (sizes[1] / sizes[0] - 1), after.num_kernels - before.num_kernels);
    expect_change(toggle.time, times[0], times[1]);
    expect_change(toggle.memory, sizes[0], sizes[1]);
    expect_change(toggle.kernels, static_cast<double>(before.num_kernels),
                  static_cast<double>(after.num_kernels));
  }
}

// Every device holds the context; every group of ranks that it communicates with, its channels. Here these
// are tensor and data parallelism; with stages also the neighbours and, at the ends, the tied embedding.
TEST(SoftwareFeature, WhatIsHeldOutsideTheAllocatorAddsUp) {
  Scenario scenario = gpt_of_eight_layers();
  const auto reserved = [&](const Degrees& degrees, std::size_t stage) {
    const Strategy strategy = sample_strategy(scenario, degrees);
    return outcome_of(scenario, strategy).estimate.stage_memory[stage].reserved;
  };
  struct Held {
    Degrees degrees;
    std::size_t stage = 0;
    std::int64_t num_groups = 0;
  };
  for (const Held& held : {Held{{.data = 32}, 0, 1}, Held{{.tensor = 8, .data = 4}, 0, 2},
                           Held{{.tensor = 4, .pipeline = 4, .data = 2}, 0, 4},
                           Held{{.tensor = 4, .pipeline = 4, .data = 2}, 1, 3}}) {
    scenario = gpt_of_eight_layers();
    const Bytes alone = reserved(held.degrees, held.stage);
    scenario.software.context_memory.value = Bytes(300 * kMebi);
    scenario.software.communicator_channels.value = 24;
    scenario.software.channel_memory.value = Bytes(5 * kMebi);
    EXPECT_EQ(reserved(held.degrees, held.stage) - alone, Bytes((300 + held.num_groups * 24 * 5) * kMebi))
        << held.num_groups;
  }
}

// What a framework can do is what its search tries.
TEST(SoftwareFeature, AbilitiesWidenTheSearch) {
  Scenario none = gpt_of_eight_layers();
  none.software.sequence_parallel.value = none.software.interleaved_schedule.value =
      none.software.zero_bubble_schedule.value = false;
  none.software.zero_stages.value = 0;
  const std::size_t few = enumerate_strategies(none, {}).size();
  for (void (*const allow)(SoftwareProfile&) :
       {+[](SoftwareProfile& s) { s.sequence_parallel.value = true; },
        +[](SoftwareProfile& s) { s.interleaved_schedule.value = true; },
        +[](SoftwareProfile& s) { s.zero_bubble_schedule.value = true; },
        +[](SoftwareProfile& s) { s.zero_stages.value = 3; }}) {
    Scenario able = none;
    allow(able.software);
    EXPECT_GT(enumerate_strategies(able, {}).size(), few);
  }
}

// Likewise of what only a whole space varies.
TEST(SoftwareFeature, RarerAbilitiesWidenTheWholeSearch) {
  Scenario none = gpt_of_eight_layers();
  none.hardware = with_pcie(none.hardware);
  none.software.flash_attention.value = true;
  const auto count = [](const Scenario& scenario, SpaceBreadth breadth) {
    return SearchSpace(scenario, {}, breadth).num_strategies();
  };
  const std::int64_t few = count(none, SpaceBreadth::kWhole);
  for (Sourced<bool> SoftwareProfile::*ability :
       {&SoftwareProfile::sharding_groups, &SoftwareProfile::context_parallel,
        &SoftwareProfile::operator_recompute, &SoftwareProfile::activation_offload,
        &SoftwareProfile::optimizer_offload, &SoftwareProfile::tree_sums,
        &SoftwareProfile::hierarchical_sums}) {
    Scenario able = none;
    (able.software.*ability).value = true;
    EXPECT_GT(count(able, SpaceBreadth::kWhole), few);
    EXPECT_EQ(count(able, SpaceBreadth::kUsual), count(none, SpaceBreadth::kUsual));
  }
}

// Overlap of gradients is a choice of the strategy, which the search takes from the profile.
TEST(SoftwareFeature, GradientsOverlapAsTheProfileSays) {
  Scenario scenario = gpt_of_eight_layers();
  Strategy strategy = sample_strategy(scenario, {.tensor = 8, .data = 4});
  const double alone_s = outcome_of(scenario, strategy).estimate.step_time.value;
  scenario.software.gradient_overlap.value = true;
  // Without a size all gradients of a stage are one bucket, which is full when backward is over.
  for (const Bytes bucket : {Bytes(0), Bytes(1 << 30), Bytes(1)}) {
    scenario.software.gradient_bucket.value = bucket;
    for (const Strategy& candidate : enumerate_strategies(scenario, {})) {
      const bool sums_once = candidate.data_parallel > 1 && candidate.zero_stage <= 1;
      EXPECT_EQ(candidate.gradient_aggregation.overlap, sums_once);
      EXPECT_EQ(candidate.gradient_aggregation.bucket, sums_once ? bucket : Bytes(0));
    }
    strategy.gradient_aggregation.overlap = true;
    strategy.gradient_aggregation.bucket = bucket;
    const double beside_s = outcome_of(scenario, strategy).estimate.step_time.value;
    EXPECT_EQ(beside_s<alone_s, bucket.value> 0) << beside_s << " against " << alone_s;
  }
}

// The host launches 13 kernels of a GPT layer's forward, with dropout, and runs ahead of the device until the
// layer ends: a layer takes what device or host take, the longer, whatever collectives divide it into ops.
TEST(SoftwareFeature, AHostThatIsSlowerThanTheDeviceSetsThePace) {
  Scenario scenario = gpt_of_eight_layers();
  for (const Degrees& degrees : {Degrees{.data = 32}, Degrees{.tensor = 8, .data = 4}}) {
    const Strategy strategy = sample_strategy(scenario, degrees);
    const auto forward_of_a_layer = [&] {
      const Program program = lower(scenario, strategy);
      const Cluster cluster = Cluster::build(scenario.hardware).value();
      const KernelCost cost(scenario.hardware, strategy.precision, scenario.software);
      const CostedProgram costed = fold(program, cost, cluster, Fidelity::kFolded);
      std::size_t kernels = 0;
      double seconds = 0;
      for (std::size_t t = 0; t < program.stages[0].templates.size(); ++t) {
        const std::vector<Op>& ops = program.stages[0].templates[t].ops;
        for (std::size_t o = 0; o < ops.size(); ++o) {
          if (ops[o].phase == Phase::kForward && ops[o].layer == 3) {
            kernels += ops[o].kernels.size();
            seconds += costed.stages[0].templates[t].ops[o].duration.value;
          }
        }
      }
      EXPECT_EQ(kernels, 13U);
      return seconds;
    };
    scenario.software.host_launch.value = Seconds(0);
    const double device_s = forward_of_a_layer();
    scenario.software.host_launch.value = Seconds(device_s / 13 * 0.99);
    EXPECT_DOUBLE_EQ(forward_of_a_layer(), device_s);
    scenario.software.host_launch.value = Seconds(device_s / 13 * 1.01);
    EXPECT_NEAR(forward_of_a_layer(), device_s * 1.01, 1e-12);
  }
}

// Both rungs price the host alike, whatever splits a layer into ops: tensor collectives beside compute or
// not.
TEST(SoftwareFeature, TheClosedFormSeesTheHost) {
  for (const bool overlap : {false, true}) {
    Scenario scenario = gpt_of_eight_layers();
    scenario.software.tensor_overlap.value = overlap;
    scenario.software.host_launch.value = Seconds(400e-6);
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    for (const Degrees& degrees : {Degrees{.data = 32}, Degrees{.tensor = 8, .data = 4},
                                   Degrees{.tensor = 4, .pipeline = 2, .data = 4}}) {
      Strategy strategy = sample_strategy(scenario, degrees);
      strategy.recompute.all_layers = recompute_selective();
      const double folded = outcome_of(scenario, strategy).estimate.step_time.value;
      EXPECT_NEAR(ClosedForm(scenario, cluster).evaluate(strategy).step_time.value / folded, 1, 0.01)
          << short_name(strategy);
    }
  }
}

}  // namespace
}  // namespace portolan
