#include "tiny_training.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "plan/legality.h"
#include "plan/lower.h"

namespace portolan {

namespace {

template <typename T>
Sourced<T> made_up(T value) {
  return {value, "made up for tests"};
}

}  // namespace

Hardware tiny_hardware(std::int64_t cores) {
  Hardware hardware;
  hardware.name = "tiny";
  hardware.num_nodes = 1;
  hardware.gpus_per_node = cores;
  hardware.device.memory = made_up(Bytes(4 * kGibi));
  hardware.device.peak[Precision::kFp32] = made_up(FlopsPerSecond(100e9));
  hardware.device.memory_bandwidth = made_up(BytesPerSecond(10e9));
  hardware.device.gemm_efficiency = made_up(1.0);
  hardware.device.attention_gemm_efficiency = made_up(1.0);
  hardware.device.memory_efficiency = made_up(1.0);
  hardware.nvlink = {.bandwidth = made_up(BytesPerSecond(10e9)),
                     .latency = made_up(Seconds(1e-6)),
                     .efficiency = made_up(1.0)};
  return hardware;
}

TransformerConfig tiny_gpt() {
  TransformerConfig model;
  model.name = "tiny gpt";
  model.num_layers = 2;
  model.hidden_size = 32;
  model.num_heads = 4;
  model.num_kv_heads = 4;
  model.ffn_size = 128;
  model.vocab_size = 61;
  model.max_positions = 16;
  return model;
}

TransformerConfig tiny_llama() {
  TransformerConfig model = tiny_gpt();
  model.name = "tiny llama";
  model.num_kv_heads = 2;
  model.ffn_size = 88;
  model.normalization = Normalization::kRmsNorm;
  model.activation = Activation::kSwiGlu;
  model.position = PositionEncoding::kRotary;
  model.linear_bias = false;
  model.tied_embeddings = false;
  return model;
}

Strategy fp32_strategy() {
  Strategy strategy;
  strategy.precision = Precision::kFp32;
  return strategy;
}

Scenario tiny_scenario(const TransformerConfig& model, const Strategy& strategy) {
  Scenario scenario;
  scenario.name = "tiny";
  scenario.model = model;
  scenario.hardware = tiny_hardware(strategy.num_ranks());
  scenario.software.name = "tiny";
  scenario.software.vocab_padding = {8, ""};
  scenario.software.optimizer_bytes_per_parameter = {8, ""};
  scenario.sequence_length = 16;
  scenario.global_batch = 8;
  scenario.num_gpus = strategy.num_ranks();
  scenario.precision = Precision::kFp32;
  scenario.training.learning_rate = 3e-3;
  return scenario;
}

Plan make_plan(Scenario scenario, const Strategy& strategy) {
  const auto rejection = find_rejection(scenario, strategy);
  EXPECT_FALSE(rejection) << rejection->message;
  Plan plan{.scenario = std::move(scenario), .strategy = strategy, .program = {}, .hash = {}};
  plan.program = lower(plan.scenario, strategy);
  plan.hash = program_hash(plan.program);
  return plan;
}

Plan tiny_plan(const TransformerConfig& model, const Strategy& strategy) {
  return make_plan(tiny_scenario(model, strategy), strategy);
}

TokenDataset made_up_text(std::int64_t sequence_length, std::int32_t vocabulary) {
  // Mostly the successor of the token before, as a function of it; now and then a surprise.
  TokenStream stream;
  stream.document_starts = {0};
  RandomStream random(7);
  const auto size = static_cast<std::uint64_t>(vocabulary);
  std::uint64_t token = 0;
  for (int i = 0; i < 20000; ++i) {
    token = random.next_below(10) == 0 ? random.next_below(size) : (token * 5 + 3) % size;
    stream.tokens.push_back(static_cast<std::int32_t>(token));
  }
  auto dataset = TokenDataset::make(
      std::move(stream), {.sequence_length = sequence_length, .heldout_fraction = 0.1, .seed = 11});
  EXPECT_TRUE(dataset);
  return std::move(dataset).value();
}

RunMeasurement run_or_fail(const Plan& plan, const RunOptions& options) {
  auto measurement = run_program(plan, options);
  EXPECT_TRUE(measurement) << measurement.error().message;
  return measurement ? std::move(measurement).value() : RunMeasurement{};
}

}  // namespace portolan
