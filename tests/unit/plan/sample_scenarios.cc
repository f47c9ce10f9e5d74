#include "sample_scenarios.h"

namespace portolan {

namespace {

template <typename T>
Sourced<T> made_up(T value) {
  return {value, "made up for tests"};
}

LinkSpec link(double bandwidth, double latency, double efficiency) {
  return {.bandwidth = made_up(BytesPerSecond(bandwidth)),
          .latency = made_up(Seconds(latency)),
          .efficiency = made_up(efficiency)};
}

}  // namespace

TransformerConfig tiny_gpt() {
  TransformerConfig config;
  config.name = "tiny-gpt";
  config.num_layers = 4;
  config.hidden_size = 32;
  config.num_heads = 4;
  config.num_kv_heads = 4;
  config.ffn_size = 64;
  config.vocab_size = 50;
  config.max_positions = 16;
  return config;
}

TransformerConfig tiny_llama() {
  TransformerConfig config = tiny_gpt();
  config.name = "tiny-llama";
  config.num_kv_heads = 2;
  config.normalization = Normalization::kRmsNorm;
  config.activation = Activation::kSwiGlu;
  config.position = PositionEncoding::kRotary;
  config.linear_bias = false;
  config.tied_embeddings = false;
  return config;
}

TransformerConfig tiny_latent() {
  TransformerConfig config = tiny_llama();
  config.name = "tiny-latent";
  config.num_kv_heads = config.num_heads;
  config.latent = {
      .q_lora_rank = 24, .kv_lora_rank = 16, .qk_nope_head_dim = 8, .qk_rope_head_dim = 4, .v_head_dim = 6};
  return config;
}

TransformerConfig gpt3_175b() {
  TransformerConfig config;
  config.name = "gpt3-175b";
  config.num_layers = 96;
  config.hidden_size = 12288;
  config.num_heads = 96;
  config.num_kv_heads = 96;
  config.ffn_size = 4 * 12288;
  config.vocab_size = 50257;
  config.max_positions = 2048;
  return config;
}

Hardware small_hardware() {
  Hardware hardware;
  hardware.name = "small";
  hardware.num_nodes = 2;
  hardware.gpus_per_node = 4;
  hardware.device.memory = made_up(Bytes(kGibi));
  hardware.device.peak[Precision::kFp32] = made_up(FlopsPerSecond(100e12));
  hardware.device.peak[Precision::kBf16] = made_up(FlopsPerSecond(100e12));
  hardware.device.memory_bandwidth = made_up(BytesPerSecond(1e12));
  hardware.device.gemm_efficiency = made_up(0.5);
  hardware.device.attention_gemm_efficiency = made_up(0.25);
  hardware.device.memory_efficiency = made_up(0.8);
  hardware.device.kernel_launch = made_up(Seconds(1e-6));
  hardware.nvlink = link(100e9, 1e-6, 1);
  hardware.nic = link(10e9, 2e-6, 1);
  hardware.nics_per_node = 4;
  hardware.nodes_per_pod = 2;
  hardware.intra_node_step = made_up(Seconds(3e-6));
  hardware.inter_node_step = made_up(Seconds(5e-6));
  return hardware;
}

Hardware a100_like_hardware(std::int64_t nodes) {
  Hardware hardware = small_hardware();
  hardware.name = "a100-like";
  hardware.num_nodes = nodes;
  hardware.gpus_per_node = 8;
  hardware.device.memory = made_up(Bytes(80 * kGibi));
  hardware.device.peak[Precision::kBf16] = made_up(FlopsPerSecond(300e12));
  hardware.device.memory_bandwidth = made_up(BytesPerSecond(2e12));
  hardware.device.kernel_launch = made_up(Seconds(4e-6));
  hardware.device.power_busy = made_up(Watts(400));
  hardware.device.power_idle = made_up(Watts(100));
  hardware.nvlink = link(250e9, 1e-6, 0.8);
  hardware.nic = link(25e9, 2e-6, 0.8);
  hardware.nics_per_node = 8;
  hardware.nodes_per_pod = nodes;
  hardware.inter_node_step = made_up(Seconds(10e-6));
  hardware.price_per_gpu_hour = made_up(2.0);
  return hardware;
}

Hardware with_pcie(Hardware hardware) {
  hardware.pcie = link(20e9, 1e-6, 1);
  return hardware;
}

Hardware with_free_communication(Hardware hardware) {
  hardware.nvlink = link(1e30, 0, 1);
  hardware.nic = link(1e30, 0, 1);
  hardware.intra_node_step = made_up(Seconds(0));
  hardware.inter_node_step = made_up(Seconds(0));
  return hardware;
}

SoftwareProfile plain_profile() {
  SoftwareProfile profile;
  profile.name = "plain";
  profile.logits_in_fp32 = made_up(true);
  profile.gradient_bytes = made_up(std::int64_t{4});
  profile.optimizer_bytes_per_parameter = made_up(std::int64_t{8});
  profile.recompute_whole_group = made_up(false);
  profile.scatter_gather_pipeline = made_up(false);
  profile.blocking_sends = made_up(false);
  profile.zero_stages = made_up(std::int64_t{3});
  profile.sequence_parallel = made_up(true);
  profile.interleaved_schedule = made_up(true);
  profile.zero_bubble_schedule = made_up(true);
  return profile;
}

SoftwareProfile megatron_like_profile() {
  SoftwareProfile profile;
  profile.name = "megatron-like";
  profile.vocab_padding = made_up(std::int64_t{128});
  profile.dropout = made_up(true);
  profile.tensor_overlap = made_up(true);
  profile.optimizer_bytes_per_parameter = made_up(std::int64_t{12});
  profile.framework_memory = made_up(Bytes(kGibi));
  profile.sequence_parallel = made_up(true);
  profile.interleaved_schedule = made_up(true);
  profile.zero_bubble_schedule = made_up(true);
  return profile;
}

Scenario tiny_scenario(std::int64_t num_gpus) {
  Scenario scenario;
  scenario.name = "tiny";
  scenario.model = tiny_gpt();
  scenario.hardware = small_hardware();
  scenario.software = plain_profile();
  scenario.sequence_length = 16;
  scenario.global_batch = 16;
  scenario.num_gpus = num_gpus;
  scenario.precision = Precision::kFp32;
  return scenario;
}

Scenario gpt3_scenario() {
  Scenario scenario;
  scenario.name = "gpt3";
  scenario.model = gpt3_175b();
  scenario.hardware = a100_like_hardware(64);
  scenario.software = megatron_like_profile();
  scenario.sequence_length = 2048;
  scenario.global_batch = 1536;
  scenario.num_gpus = 512;
  scenario.precision = Precision::kBf16;
  return scenario;
}

Strategy sample_strategy(const Scenario& scenario, const Degrees& degrees) {
  Strategy strategy;
  strategy.tensor_parallel = degrees.tensor;
  strategy.pipeline_parallel = degrees.pipeline;
  strategy.data_parallel = degrees.data;
  strategy.microbatch_size = degrees.microbatch;
  strategy.precision = scenario.precision;
  return strategy;
}

Scenario gpt_of_eight_layers() {
  Scenario scenario = gpt3_scenario();
  scenario.hardware = a100_like_hardware(4);
  scenario.model.num_layers = 8;
  scenario.num_gpus = 32;
  scenario.global_batch = 32;
  return scenario;
}

}  // namespace portolan
