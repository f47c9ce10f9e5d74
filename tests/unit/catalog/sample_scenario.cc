#include "sample_scenario.h"

#include "catalog/strategy_text.h"
#include "plan/lower.h"

namespace portolan {

namespace {

LinkSpec link(double rate, double latency, double efficiency) {
  return {.bandwidth = {BytesPerSecond(rate), "rate: \"measured\""},
          .latency = {Seconds(latency), "it's \\ here"},
          .efficiency = {efficiency, "line\nbreak, # hash"}};
}

DeviceSpec device() {
  DeviceSpec device;
  device.memory = {Bytes(80 * kGibi + 1), "datasheet"};
  device.peak[Precision::kFp32] = {FlopsPerSecond(19.5e12 / 3), "datasheet"};
  device.peak[Precision::kBf16] = {FlopsPerSecond(312e12), "null"};
  device.memory_bandwidth = {BytesPerSecond(2039e9 / 7), "m\xC3\xBCssig"};
  device.gemm_efficiency = {0.7300000000000001, ""};
  device.attention_gemm_efficiency = {1.0 / 3, "a", true};
  device.flash_attention = {
      {.version = 1, .efficiency = {0.375, "flash"}, .mask_overhead = {320, "measured"}},
      {.version = 2,
       .efficiency = {0.625, "faster"},
       .mask_overhead = {1.0 / 3, "assumed", true},
       .forward_rate = {1.25, "quicker", true}}};
  device.memory_efficiency = {0.9, " b "};
  device.kernel_launch = {Seconds(1e-6 / 3), "c"};
  device.gemm_tiles = {.multiprocessors = {108, "datasheet"},
                       .k_overhead = {116.75, "a fit", true},
                       .weight_gradient_rate = {0.95, "other products"},
                       .sizes = {{256, 128, 0.79}, {64, 64, 1.0 / 3}}};
  device.gemm_points = {{.layout = GemmLayout::kForward,
                         .batch = 1,
                         .m = 256,
                         .n = 256,
                         .k = 256,
                         .rate = FlopsPerSecond(65.1e9)},
                        {.layout = GemmLayout::kAttention,
                         .batch = 8,
                         .m = 1,
                         .n = 2,
                         .k = 3,
                         .rate = FlopsPerSecond(1e9 / 3)}};
  device.kernel_rates = {{.kernel = "gelu_forward",
                          .elements = 1024,
                          .rate = BytesPerSecond(1e9 / 3),
                          .source = "somewhere",
                          .unvalidated = true}};
  device.power_busy = {Watts(400.5), "d"};
  device.power_idle = {Watts(1.0 / 3), "e"};
  return device;
}

}  // namespace

Hardware sample_hardware() {
  Hardware hardware;
  hardware.name = "sample: 1";
  hardware.num_nodes = 4;
  hardware.gpus_per_node = 8;
  hardware.device = device();
  hardware.nvlink = link(300e9 / 7, 1e-6, 0.8);
  hardware.nic = link(25e9, 3e-6, 0.96);
  hardware.nics_per_node = 4;
  hardware.nodes_per_pod = 2;
  hardware.rails = false;
  hardware.spines = 2;
  hardware.links_per_trunk = 3;
  hardware.trunk = link(50e9, 1.1e-7, 0.9);
  hardware.pods_per_group = 1;
  hardware.core_switches = 4;
  hardware.links_per_core_trunk = 5;
  hardware.count_sources = {{"nics_per_node", {"order: 4 cards", false}},
                            {"rails", {"a \"plan\"", false}},
                            {"spines", {"assumed", true}},
                            {"links_per_core_trunk", {"", true}}};
  hardware.core_trunk = link(100e9 / 3, 1.3e-7, 0.7);
  hardware.pcie = link(32e9, 1e-7 / 3, 0.78);
  hardware.host_memory = {Bytes(2000 * kGibi + 1), "i"};
  hardware.collective_base = {Seconds(4.6e-5), "b"};
  hardware.intra_node_step = {Seconds(3.1e-6), "f"};
  hardware.inter_node_step = {Seconds(1e-5), "g"};
  hardware.collective_points = {
      {.collective = "all_reduce", .num_ranks = 8, .size = Bytes(1000), .time = Seconds(1.0 / 3)}};
  hardware.price_per_gpu_hour = {1.9, "h"};
  hardware.condition = {{ImpairmentKind::kSlowGpu, "node3.gpu5", 1.0 / 3},
                        {ImpairmentKind::kSlowLink, "node3.nic2<->pod1.leaf0", 0.5},
                        {ImpairmentKind::kDeadLink, "pod0.leaf0->group0.spine1"},
                        {ImpairmentKind::kFailedNic, "node1.nic3"},
                        {ImpairmentKind::kFailedNode, "node2"},
                        {ImpairmentKind::kCongestedSpine, "group1.spine0", 0.25}};
  return hardware;
}

SoftwareProfile sample_software() {
  SoftwareProfile software;
  software.name = "2022";
  software.vocab_padding = {128, "a"};
  software.dropout = {true, "b: c"};
  software.logits_in_fp32 = {false, "~"};
  software.fused_gradient_accumulation = {false, "true"};
  software.fused_softmax = {false, "- d"};
  software.fused_norms = {false, "norms", true};
  software.fused_activation = {false, "activation"};
  software.fused_dropout_add = {false, "dropout"};
  software.fused_rotary = {false, "rotary"};
  software.fused_residual_gradient = {false, "residual"};
  software.fused_logits_conversion = {false, "logits"};
  software.cross_entropy_passes = {7, "passes"};
  software.logits_metrics = {3, "metrics"};
  software.family = "frameworks";
  software.host_launch = {Seconds(1e-5), "host", true};
  software.checkpoint_pause = {Seconds(2e-3), "pause"};
  software.flash_attention = {true, "flash"};
  software.flash_skips_masked = {true, "skips"};
  software.flash_version = {1, "the first"};
  software.gradient_bytes = {2, "[e]"};
  software.fp16_gradient_bytes = {4, "fp16"};
  software.narrow_gradients_kept = {true, "kept"};
  software.fp16_update_copy_bytes = {6, "copies"};
  software.fp16_reduce_buffer = {Bytes(1'000), "reduces"};
  software.gather_buffer = {Bytes(2'000), "gathers"};
  software.optimizer_bytes_per_parameter = {8, "{f}"};
  software.recompute_whole_group = {false, "\"g\""};
  software.tensor_overlap = {true, "overlap"};
  software.scatter_gather_pipeline = {false, "'h'"};
  software.blocking_sends = {false, "&i"};
  software.receive_prefetch = {3, "*j"};
  software.gather_prefetch = {3, "prefetch"};
  software.reshard_after_forward = {false, "keep"};
  software.gather_copy = {true, "out"};
  software.reduce_copy = {ReduceCopy::kAsReduced, "in"};
  software.reduce_bytes = {2, "narrow"};
  software.sequence_parallel = {true, "sp"};
  software.interleaved_schedule = {true, "v"};
  software.zero_bubble_schedule = {true, "zb"};
  software.sharding_groups = {true, "sharding"};
  software.context_parallel = {true, "context"};
  software.operator_recompute = {true, "operator"};
  software.activation_offload = {true, "activation"};
  software.optimizer_offload = {true, "optimizer"};
  software.tree_sums = {true, "tree"};
  software.hierarchical_sums = {true, "hierarchical"};
  software.zero_stages = {3, "zero"};
  software.allocator = {AllocatorKind::kExpandableSegments, "al"};
  software.context_memory = {Bytes(400'000'000), "co", true};
  software.launch_queue_depth = {900, "queue"};
  software.communicator_channels = {24, "ch"};
  software.channel_memory = {Bytes(28'901'376), "cm"};
  software.framework_memory = {Bytes(kGibi), "\ttab"};
  software.usual = {.vocab_size = {50257, "vo"},
                    .precision = {Precision::kFp16, "pr"},
                    .zero_stage = {2, "ze"},
                    .recompute = {UsualRecompute::kSelective, "re", true}};
  return software;
}

TransformerConfig sample_model() {
  TransformerConfig model;
  model.name = "small";
  model.num_layers = 4;
  model.hidden_size = 64;
  model.num_heads = 8;
  model.num_kv_heads = 2;
  model.explicit_head_dim = 24;
  model.ffn_size = 100;
  model.vocab_size = 1000;
  model.max_positions = 128;
  model.normalization = Normalization::kRmsNorm;
  model.activation = Activation::kSwiGlu;
  model.position = PositionEncoding::kRotary;
  model.rotary_dim = 6;
  model.sliding_window = 17;
  model.linear_bias = false;
  model.qkv_bias = true;
  model.query_key_norm = true;
  model.embedding_norm = true;
  model.parallel_residual = true;
  model.tied_embeddings = false;
  model.norm_epsilon = 1e-6 / 3;
  model.rotary_theta = 500000.5;
  model.initializer_std = 0.1 / 3;
  return model;
}

Scenario sample_scenario() {
  Scenario scenario;
  scenario.name = "what if?";
  scenario.model = sample_model();
  scenario.hardware = sample_hardware();
  scenario.software = sample_software();
  scenario.sequence_length = 64;
  scenario.global_batch = 16;
  scenario.num_gpus = 8;
  scenario.job_nodes = {3, 0, 1};
  scenario.precision = Precision::kFp32;
  scenario.objective = Objective::kEnergy;
  scenario.lossy_gradients = true;
  scenario.constraints =
      parse_strategy(
          "tp=1,zero=0,bucket=25 MiB,layers=1:2:1,axis_order=data-tensor,recompute=mlp+qkv,offload=none,"
          "compression=powersgd:2")
          .value();
  scenario.training = {.learning_rate = 1e-4 / 3,
                       .adam_beta1 = 0.8,
                       .adam_beta2 = 0.99,
                       .adam_epsilon = 1e-9,
                       .weight_decay = 0,
                       .seed = 18446744073709551615U,
                       .heldout_batches = 5};
  scenario.training_run = TrainingRun{.tokens = 1'000'000'007,
                                      .start = Date{20'000},
                                      .deadline = Seconds(1e6 / 3),
                                      .node_mtbf = Sourced<Seconds>{Seconds(1e8 / 7), "told", true},
                                      .restart_time = Seconds(600.5),
                                      .checkpoint_bandwidth = BytesPerSecond(1e11 / 3),
                                      .checkpoint_interval = Seconds(3600),
                                      .power_usage_effectiveness = 1.0 / 0.9,
                                      .budget = 12345.5};
  return scenario;
}

Plan sample_plan(int pipeline) {
  Plan plan;
  plan.scenario = sample_scenario();
  plan.scenario.num_gpus = 2 * pipeline;
  plan.strategy.pipeline_parallel = pipeline;
  plan.strategy.data_parallel = 2;
  plan.strategy.microbatch_size = 2;
  plan.strategy.precision = Precision::kFp32;
  plan.strategy.recompute.all_layers = recompute_selective();
  plan.program = lower(plan.scenario, plan.strategy);
  plan.hash = program_hash(plan.program);
  return plan;
}

}  // namespace portolan
