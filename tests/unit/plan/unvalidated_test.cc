#include "plan/unvalidated.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "plan/lower.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

template <typename T>
void mark(Sourced<T>& figure) {
  figure.unvalidated = true;
}
void mark(LinkSpec& link) {
  mark(link.bandwidth);
  mark(link.latency);
  mark(link.efficiency);
}

/// Every figure of the hardware and none of the software is marked. Rates of no kernel and no collective are
/// known.
Scenario nothing_measured(std::int64_t num_gpus) {
  Scenario scenario = tiny_scenario(num_gpus);
  Hardware& hardware = scenario.hardware;
  mark(hardware.device.memory);
  for (auto& [precision, peak] : hardware.device.peak) {
    mark(peak);
  }
  mark(hardware.device.memory_bandwidth);
  mark(hardware.device.gemm_efficiency);
  mark(hardware.device.attention_gemm_efficiency);
  mark(hardware.device.memory_efficiency);
  mark(hardware.device.kernel_launch);
  mark(hardware.device.power_busy);
  mark(hardware.device.power_idle);
  hardware.pcie = hardware.nvlink;
  for (LinkSpec* link :
       {&hardware.nvlink, &*hardware.pcie, &hardware.nic, &hardware.trunk, &hardware.core_trunk}) {
    mark(*link);
  }
  mark(hardware.intra_node_step);
  mark(hardware.inter_node_step);
  return scenario;
}

std::vector<UnvalidatedFigure> figures(const Scenario& scenario, const Strategy& strategy) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  return unvalidated_figures(scenario, strategy, lower(scenario, strategy), cluster);
}

/// Names, kernels left out.
std::set<std::string> names(const Scenario& scenario, const Strategy& strategy) {
  std::set<std::string> names;
  for (const UnvalidatedFigure& figure : figures(scenario, strategy)) {
    if (!figure.figure.starts_with("kernel.")) {
      names.insert(figure.figure);
    }
  }
  return names;
}

std::set<std::string> with(std::set<std::string> names, const std::set<std::string>& more) {
  names.insert(more.begin(), more.end());
  return names;
}

const std::set<std::string> kDevice = {"device.memory",
                                       "device.peak.fp32",
                                       "device.memory_bandwidth",
                                       "device.gemm_efficiency",
                                       "device.attention_gemm_efficiency",
                                       "device.memory_efficiency",
                                       "device.kernel_launch"};

TEST(UnvalidatedFigures, OfFlashAttentionAreItsOwnShareOrThatOfAttentionProducts) {
  Scenario scenario = nothing_measured(1);
  scenario.software.flash_attention.value = true;
  EXPECT_EQ(names(scenario, sample_strategy(scenario, {})), kDevice);
  scenario.hardware.device.flash_attention = {{.version = 2,
                                               .efficiency = {0.5, "assumed", true},
                                               .mask_overhead = {300, "assumed", true},
                                               .forward_rate = {1.2, "assumed", true}}};
  std::set<std::string> own =
      with(kDevice, {"device.flash_attention.efficiency", "device.flash_attention.mask_overhead",
                     "device.flash_attention.forward_rate"});
  own.erase("device.attention_gemm_efficiency");
  EXPECT_EQ(names(scenario, sample_strategy(scenario, {})), own);
}

TEST(UnvalidatedFigures, OfCompressionAreItsKernelsAndItself) {
  Scenario scenario = nothing_measured(4);
  scenario.lossy_gradients = true;
  Strategy strategy = sample_strategy(scenario, {.data = 4});
  const std::set<std::string> plain = names(scenario, strategy);
  strategy.gradient_aggregation.compression = find_compression("int8").value();
  EXPECT_EQ(names(scenario, strategy), with(plain, {"gradient_aggregation.compression",
                                                    "collective.all_to_all", "collective.all_gather"}));
  std::set<std::string> kernels;
  for (const UnvalidatedFigure& figure : figures(scenario, strategy)) {
    kernels.insert(figure.figure);
  }
  for (const char* kernel : {"kernel.gradient_pack", "kernel.quantized_sum", "kernel.gradient_unpack"}) {
    EXPECT_TRUE(kernels.contains(kernel)) << kernel;
  }
}

// small_hardware: nodes of 4 GPUs with a card each, one pod.
TEST(UnvalidatedFigures, AreTheOnesThatThePlanUses) {
  // One GPU uses no link.
  EXPECT_EQ(names(nothing_measured(1), sample_strategy(nothing_measured(1), {})), kDevice);
  // Replicas in a node: NVLink and its ring; latencies of links are in sends only.
  const std::set<std::string> node =
      with(kDevice, {"nvlink.bandwidth", "nvlink.efficiency", "intra_node_step"});
  EXPECT_EQ(names(nothing_measured(4), sample_strategy(nothing_measured(4), {.data = 4})), node);
  // Replicas in both nodes: PCIe, cards, and the ring between nodes.
  EXPECT_EQ(names(nothing_measured(8), sample_strategy(nothing_measured(8), {.data = 8})),
            with(node, {"pcie.bandwidth", "pcie.efficiency", "nic.bandwidth", "nic.efficiency",
                        "inter_node_step"}));
  // A stage a node, replicas within: sends cross the cards, rings do not. The end stages of a tied model sum
  // up the word embedding over both nodes; without that no ring crosses them.
  Scenario untied = nothing_measured(8);
  untied.model.tied_embeddings = false;
  EXPECT_EQ(names(untied, sample_strategy(untied, {.pipeline = 2, .data = 4})),
            with(node, {"pcie.bandwidth", "pcie.latency", "pcie.efficiency", "nic.bandwidth", "nic.latency",
                        "nic.efficiency", "collective.send_receive"}));
}

// Copies cross PCIe, whose figures nobody measured for them; and how much memory the host has is not stated.
TEST(UnvalidatedFigures, CopiesToTheHostCountPcie) {
  Scenario scenario = nothing_measured(1);
  Strategy strategy = sample_strategy(scenario, {});
  strategy.offload = Offload::kOptimizer;
  const std::set<std::string> copies =
      with(kDevice, {"pcie.bandwidth", "pcie.latency", "pcie.efficiency", "copy.host"});
  EXPECT_EQ(names(scenario, strategy), with(copies, {"host_memory"}));
  scenario.hardware.host_memory = {Bytes(kGibi), "datasheet"};
  EXPECT_EQ(names(scenario, strategy), copies);
  scenario.hardware.host_memory.unvalidated = true;
  EXPECT_EQ(names(scenario, strategy), with(copies, {"host_memory"}));
}

TEST(UnvalidatedFigures, CountTrunksWhereAGroupSpansPods) {
  Scenario scenario = nothing_measured(8);
  scenario.hardware.nodes_per_pod = 1;
  scenario.hardware.spines = 1;
  scenario.hardware.trunk.bandwidth.value = BytesPerSecond(10e9);
  scenario.hardware.trunk.efficiency.value = 1;
  const std::set<std::string> found = names(scenario, sample_strategy(scenario, {.data = 8}));
  EXPECT_TRUE(found.contains("trunk.bandwidth"));
  EXPECT_FALSE(found.contains("core_trunk.bandwidth"));
  const std::set<std::string> within = names(scenario, sample_strategy(scenario, {.tensor = 4, .data = 2}));
  EXPECT_TRUE(within.contains("trunk.bandwidth"));
}

// What is assumed of switches counts where a payload would meet them.
TEST(UnvalidatedFigures, CountTheSwitchesThatAreAssumed) {
  const CountSource assumed = {"not published", true};
  Scenario scenario = tiny_scenario(8);
  scenario.hardware.count_sources = {
      {"spines", assumed}, {"core_switches", assumed}, {"nics_per_node", {"the order", false}}};
  const auto found = [&](const Strategy& strategy) {
    std::set<std::string> switches;
    for (const UnvalidatedFigure& figure : figures(scenario, strategy)) {
      if (scenario.hardware.count_sources.contains(figure.figure)) {
        switches.insert(figure.figure);
        EXPECT_EQ(figure.source, "not published");
      }
    }
    return switches;
  };
  using Names = std::set<std::string>;
  const Strategy both_nodes = sample_strategy(scenario, {.data = 8});
  EXPECT_EQ(found(both_nodes), (Names{"spines"}));  // one pod: would there be a spine, it were between them
  scenario.num_gpus = 4;
  EXPECT_EQ(found(sample_strategy(scenario, {.data = 4})), Names{}) << "within a node";
  scenario.num_gpus = 8;
  // Pods of a node: the spine is crossed, and core switches are above no more than one group.
  scenario.hardware.nodes_per_pod = 1;
  scenario.hardware.spines = 1;
  scenario.hardware.trunk.bandwidth.value = BytesPerSecond(10e9);
  scenario.hardware.trunk.efficiency.value = 1;
  for (const char* key :
       {"rails", "nodes_per_pod", "links_per_trunk", "pods_per_group", "links_per_core_trunk"}) {
    scenario.hardware.count_sources[key] = assumed;
  }
  EXPECT_EQ(found(both_nodes), (Names{"rails", "nodes_per_pod", "spines", "links_per_trunk", "pods_per_group",
                                      "core_switches"}));
  // A send between the nodes meets them as well.
  EXPECT_TRUE(found(sample_strategy(scenario, {.pipeline = 2, .data = 4})).contains("spines"));
  // Pods of two nodes: no trunk is crossed.
  scenario.hardware.nodes_per_pod = 2;
  EXPECT_EQ(found(both_nodes), (Names{"rails", "nodes_per_pod"}));
  // What is measured whole rests on no switch.
  scenario.hardware.collective_points = {
      {.collective = "all_reduce", .num_ranks = 8, .size = Bytes(1000), .time = Seconds(1e-5)}};
  EXPECT_EQ(found(both_nodes), Names{});
}

TEST(UnvalidatedFigures, EnergyCountsWhereItIsComputed) {
  Scenario scenario = nothing_measured(1);
  scenario.hardware.device.power_busy.value = Watts(400);
  EXPECT_EQ(names(scenario, sample_strategy(scenario, {})),
            with(kDevice, {"device.power_busy", "device.power_idle"}));
}

TEST(UnvalidatedFigures, CollectivesOfTheirOwnMeasurementAreLeftOut) {
  Scenario scenario = nothing_measured(4);
  Strategy strategy = sample_strategy(scenario, {.data = 4});
  strategy.zero_stage = 1;
  const std::set<std::string> derived = {"collective.reduce_scatter", "collective.all_gather"};
  const std::set<std::string> ring = {"nvlink.bandwidth", "nvlink.efficiency", "intra_node_step"};
  EXPECT_EQ(names(scenario, strategy), with(with(kDevice, ring), derived));
  const auto point = [](const char* collective) {
    return CollectivePoint{
        .collective = collective, .num_ranks = 4, .size = Bytes(1000), .time = Seconds(1e-5)};
  };
  scenario.hardware.collective_points = {point("all_gather")};
  EXPECT_EQ(names(scenario, strategy), with(with(kDevice, ring), {"collective.reduce_scatter"}));
  scenario.hardware.collective_points = {point("all_gather"), point("reduce_scatter")};
  EXPECT_EQ(names(scenario, strategy), kDevice) << "all is measured: no figure of a link enters";
}

TEST(UnvalidatedFigures, AlgorithmsButRingsAreDerived) {
  const Scenario scenario = nothing_measured(4);
  Strategy strategy = sample_strategy(scenario, {.data = 4});
  const std::set<std::string> ring = names(scenario, strategy);
  strategy.gradient_aggregation.algorithm = CollectiveAlgorithm::kTree;
  EXPECT_EQ(names(scenario, strategy), with(ring, {"aggregation.tree"}));
  strategy.gradient_aggregation.algorithm = CollectiveAlgorithm::kHierarchical;
  EXPECT_EQ(names(scenario, strategy), with(ring, {"aggregation.hierarchical"}));
}

/// What is said of products in `precision` by a device with peaks of these.
std::string said_of_products(Precision precision, const std::vector<Precision>& peaks, bool flash) {
  Scenario scenario = tiny_scenario(1);
  scenario.precision = precision;
  scenario.software.flash_attention.value = flash;
  const Sourced<FlopsPerSecond> peak = scenario.hardware.device.peak.begin()->second;
  scenario.hardware.device.peak.clear();
  for (const Precision has : peaks) {
    scenario.hardware.device.peak[has] = peak;
  }
  std::string said;
  for (const UnvalidatedFigure& figure : figures(scenario, sample_strategy(scenario, {}))) {
    if (figure.figure.starts_with("kernel.matrix products") || figure.figure.starts_with("kernel.linear")) {
      said += (said.empty() ? "" : "; ") + figure.figure + ": " + figure.source;
    }
  }
  return said;
}

TEST(UnvalidatedFigures, ProductsInAnyOtherPrecisionThanWasMeasuredAreDerived) {
  const std::vector<Precision> all = {Precision::kFp32, Precision::kTf32, Precision::kFp16, Precision::kBf16,
                                      Precision::kFp8};
  for (const bool flash : {false, true}) {
    EXPECT_EQ(said_of_products(Precision::kTf32, all, flash),
              "kernel.matrix products in tf32: the tf32 peak at the efficiency of 16-bit products; none in "
              "tf32 was measured");
    EXPECT_EQ(said_of_products(Precision::kFp32, all, flash),
              "kernel.matrix products in fp32: the fp32 peak at the efficiency of 16-bit products; none in "
              "fp32 was measured");
    EXPECT_EQ(said_of_products(Precision::kFp16, all, flash), "");
    EXPECT_EQ(said_of_products(Precision::kBf16, all, flash), "");
    EXPECT_EQ(said_of_products(Precision::kFp32, {Precision::kFp32}, flash), "") << "its own figures";
  }
  EXPECT_EQ(said_of_products(Precision::kFp8, all, false),
            "kernel.linear_forward and backward in fp8: the fp8 peak at the efficiency of wider products; "
            "none in fp8 was measured");
}

/// Sources of what is said of `figure`.
std::vector<std::string> said_of(const Scenario& scenario, const Strategy& strategy,
                                 std::string_view figure) {
  std::vector<std::string> sources;
  for (const UnvalidatedFigure& one : figures(scenario, strategy)) {
    if (one.figure == figure) {
      sources.push_back(one.source);
    }
  }
  return sources;
}
using Sources = std::vector<std::string>;

TEST(UnvalidatedFigures, AWindowIsListedWhereItIsShorterThanTheSequence) {
  Scenario scenario = tiny_scenario(2);
  scenario.model = tiny_llama();
  Strategy strategy = sample_strategy(scenario, {.data = 2});
  const auto said = [&] { return said_of(scenario, strategy, "model.sliding_window"); };
  EXPECT_EQ(said(), Sources{});
  scenario.model.sliding_window = scenario.sequence_length;
  EXPECT_EQ(said(), Sources{}) << "all of it";
  scenario.model.sliding_window = scenario.sequence_length - 1;
  const Sources without = {"attention as without it, which is more than a framework with windows computes"};
  EXPECT_EQ(said(), without) << "scores in memory";
  scenario.software.flash_attention.value = true;
  EXPECT_EQ(said(), without) << "no mask is skipped";
  scenario.software.flash_skips_masked.value = true;
  EXPECT_EQ(said(),
            Sources{"its band at the rate of whole sequences; no flash kernel with a window was measured"});
  scenario.software.flash_version.value = 1;
  EXPECT_EQ(said(), without) << "the first version has no windows";
  scenario.software.flash_version.value = 2;
  strategy = sample_strategy(scenario, {});
  strategy.context_parallel = 2;
  EXPECT_EQ(said(), without) << "a ring";
}

TEST(UnvalidatedFigures, FlashAttentionOfLatentHeadsIsDerived) {
  Scenario scenario = tiny_scenario(1);
  const std::string figure = "kernel.flash_attention of latent attention";
  scenario.software.flash_attention.value = true;
  EXPECT_EQ(said_of(scenario, sample_strategy(scenario, {}), figure), Sources{});
  scenario.model = tiny_latent();
  EXPECT_EQ(said_of(scenario, sample_strategy(scenario, {}), figure),
            Sources{"the rate of heads whose values are as wide as their queries; no other was measured"});
  scenario.software.flash_attention.value = false;
  EXPECT_EQ(said_of(scenario, sample_strategy(scenario, {}), figure), Sources{});
}

TEST(UnvalidatedFigures, GroupedProductsAndEvenLoadsOfExpertsAreAssumed) {
  Scenario scenario = tiny_scenario(1);
  scenario.model = tiny_llama();
  const std::string grouped = "kernel.linear_forward and backward of experts";
  EXPECT_EQ(said_of(scenario, sample_strategy(scenario, {}), grouped), Sources{});
  EXPECT_EQ(said_of(scenario, sample_strategy(scenario, {}), "model.experts"), Sources{});
  scenario.model.experts = {.num_experts = 4, .experts_per_token = 2, .expert_ffn_size = 16};
  EXPECT_EQ(said_of(scenario, sample_strategy(scenario, {}), grouped),
            Sources{"one product an expert side by side, at the rate of single ones; no grouped product was "
                    "measured"});
  const Sources assumed = {"each gets as many tokens: an assumption; the fullest rank would take longer"};
  EXPECT_EQ(said_of(scenario, sample_strategy(scenario, {}), "model.experts"), assumed);
  scenario.hardware.device.gemm_points = {
      {.layout = GemmLayout::kForward, .batch = 4, .m = 8, .n = 8, .k = 8, .rate = FlopsPerSecond(1e12)}};
  EXPECT_EQ(said_of(scenario, sample_strategy(scenario, {}), grouped), Sources{});
  EXPECT_EQ(said_of(scenario, sample_strategy(scenario, {}), "model.experts"), assumed);
}

TEST(UnvalidatedFigures, KernelsOfTheirOwnMeasurementAreLeftOut) {
  Scenario scenario = nothing_measured(1);
  scenario.hardware.device.peak.erase(Precision::kBf16);  // else its products were measured in that
  const Strategy strategy = sample_strategy(scenario, {});
  std::set<std::string> kernels;
  for (const UnvalidatedFigure& figure : figures(scenario, strategy)) {
    if (figure.figure.starts_with("kernel.")) {
      kernels.insert(figure.figure.substr(7));
    }
  }
  EXPECT_EQ(kernels, (std::set<std::string>{
                         "load_tokens", "embedding_forward", "embedding_backward", "layernorm_forward",
                         "layernorm_backward", "bias_backward", "attention_softmax_forward",
                         "attention_softmax_backward", "gelu_forward", "gelu_backward", "residual_add",
                         "cross_entropy_forward", "cross_entropy_backward", "fill_zero", "adamw"}));
  for (const std::string& kernel : kernels) {
    scenario.hardware.device.kernel_rates.push_back(
        {.kernel = kernel, .elements = 1000, .rate = BytesPerSecond(1e11)});
  }
  for (const GemmLayout layout : {GemmLayout::kForward, GemmLayout::kBackwardInput,
                                  GemmLayout::kBackwardWeight, GemmLayout::kAttention}) {
    scenario.hardware.device.gemm_points.push_back(
        {.layout = layout, .batch = 1, .m = 8, .n = 8, .k = 8, .rate = FlopsPerSecond(1e12)});
  }
  EXPECT_EQ(figures(scenario, strategy),
            (std::vector<UnvalidatedFigure>{{"device.memory", scenario.hardware.device.memory.source}}));
}

// A feature counts where the model and the strategy meet it.
TEST(UnvalidatedFigures, OfTheSoftwareAreThoseThatThePlanMeets) {
  Scenario scenario = tiny_scenario(8);
  SoftwareProfile& software = scenario.software;
  mark(software.fused_norms);
  mark(software.host_launch);
  mark(software.blocking_sends);
  mark(software.tensor_overlap);
  mark(software.gather_prefetch);
  mark(software.recompute_whole_group);
  mark(software.zero_stages);
  const auto of_software = [&](const Strategy& strategy) {
    std::set<std::string> found;
    for (const std::string& name : names(scenario, strategy)) {
      if (name.starts_with("software.")) {
        found.insert(name.substr(9));
      }
    }
    return found;
  };
  using Names = std::set<std::string>;
  EXPECT_EQ(of_software(sample_strategy(scenario, {.data = 8})), (Names{"host_launch"}));
  EXPECT_EQ(of_software(sample_strategy(scenario, {.tensor = 4, .pipeline = 2})),
            (Names{"host_launch", "blocking_sends", "tensor_overlap"}));
  Strategy sharded = sample_strategy(scenario, {.data = 8});
  sharded.zero_stage = 3;
  sharded.recompute.all_layers = recompute_full();
  EXPECT_EQ(of_software(sharded), (Names{"host_launch", "gather_prefetch", "recompute_whole_group"}));
  scenario.model = tiny_llama();
  EXPECT_EQ(of_software(sample_strategy(scenario, {.data = 8})), (Names{"host_launch", "fused_norms"}));
}

}  // namespace
}  // namespace portolan
