#include "tests/property/rungs/wide_scenarios.h"

#include <algorithm>
#include <iterator>

#include "plan/legality.h"
#include "tests/property/rungs/legal_grid.h"
#include "tests/property/rungs/rung_scenarios.h"
#include "tests/property/thinned.h"

namespace portolan {

std::vector<Scenario> wide_scenarios() {
  Scenario dense = round_scenario(2);
  dense.hardware.gpus_per_node = dense.hardware.nics_per_node = 4;
  dense.hardware.device.attention_gemm_efficiency.value = dense.hardware.device.gemm_efficiency.value;
  dense.hardware.device.peak[Precision::kFp8] = {FlopsPerSecond(600e12), ""};
  dense.hardware.pcie = {
      .bandwidth = {BytesPerSecond(40e9), ""}, .latency = {Seconds(1e-6), ""}, .efficiency = {0.9, ""}};
  dense.num_gpus = 8;
  dense.global_batch = 16;
  dense.lossy_gradients = true;
  dense.model.num_layers = 4;
  dense.model.hidden_size = 2048;
  dense.model.num_heads = dense.model.num_kv_heads = 16;
  dense.model.ffn_size = 8192;
  dense.software.flash_attention.value = true;
  dense.software.parameter_gather_overlap.value = true;
  dense.software.tensor_overlap.value = true;

  Scenario experts = dense;
  experts.model.normalization = Normalization::kRmsNorm;
  experts.model.activation = Activation::kSwiGlu;
  experts.model.position = PositionEncoding::kRotary;
  experts.model.linear_bias = experts.model.tied_embeddings = false;
  experts.model.latent = LatentAttention{.q_lora_rank = 512,
                                         .kv_lora_rank = 256,
                                         .qk_nope_head_dim = 96,
                                         .qk_rope_head_dim = 32,
                                         .v_head_dim = 64};
  experts.model.experts = MixtureOfExperts{.num_experts = 8,
                                           .experts_per_token = 2,
                                           .expert_ffn_size = 1024,
                                           .shared_ffn_size = 1024,
                                           .first_dense_layers = 1};
  experts.software.dropout.value = experts.software.tensor_overlap.value = false;
  experts.software.blocking_sends.value = false;
  return {dense, experts};
}

namespace {

/// What of a strategy says who holds what, in which order and when it is summed.
std::vector<Strategy> plain_grid(const Scenario& scenario) {
  std::vector<Strategy> grid;
  for (const ScheduleKind schedule : {ScheduleKind::kOneFOneB, ScheduleKind::kGPipe,
                                      ScheduleKind::kInterleaved, ScheduleKind::kZeroBubbleH1}) {
    const std::vector<Strategy> part =
        LegalGrid(scenario)
            .vary(&Strategy::tensor_parallel, {1, 2, 4})
            .vary(&Strategy::sequence_parallel, {false, true})
            .vary(&Strategy::context_parallel, {1, 2})
            .vary(&Strategy::pipeline_parallel, {1, 2, 4})
            .vary(&Strategy::expert_parallel, {1, 2, 4})
            .vary(&Strategy::zero_stage, {0, 1, 2, 3})
            .vary(&Strategy::gradient_aggregation,
                  {GradientAggregation{}, {.bucket = Bytes(40 * kMebi), .overlap = true}})
            .fill_gpus()
            .each([&](Strategy& s) {
              s.schedule = schedule;
              s.virtual_stages = schedule == ScheduleKind::kInterleaved ? 2 : 1;
            })
            .take();
    std::copy_if(part.begin(), part.end(), std::back_inserter(grid),
                 [](const Strategy& s) { return s.tensor_parallel > 1 || !s.sequence_parallel; });
  }
  return grid;
}

Recompute nth_recompute(std::size_t n) {
  return {.all_layers = n % 4 == 0   ? recompute_none()
                        : n % 4 == 1 ? recompute_selective()
                                     : recompute_full(),
          .per_layer = {},
          .layers_per_group = n % 4 == 3 ? 2 : 1};
}

/// One of the things that most strategies do without.
void add_nth_feature(const Scenario& scenario, std::size_t n, Strategy& s) {
  constexpr const char* kCompressions[] = {"bf16", "fp8", "int8", "int4", "topk:0.01", "powersgd:4"};
  switch (n % 11) {
    case 0:
      s.precision = Precision::kFp8;
      break;
    case 1:
      s.offload = Offload::kActivations;
      break;
    case 2:
      s.offload = Offload::kActivationsAndOptimizer;
      break;
    case 3:
    case 4:
      s.gradient_aggregation.algorithm =
          n % 11 == 3 ? CollectiveAlgorithm::kTree : CollectiveAlgorithm::kHierarchical;
      break;
    case 5:  // a layer fewer at the end, which may have none
      s.layers_per_stage = layers_of_stages(scenario, s);
      ++s.layers_per_stage.front();
      --s.layers_per_stage.back();
      break;
    case 6:
    case 7:
      s.zero_group = 2;
      s.gradient_aggregation.algorithm =
          n % 11 == 6 ? CollectiveAlgorithm::kTree : CollectiveAlgorithm::kRing;
      s.gradient_aggregation.overlap = n % 2 == 0;
      break;
    case 8:
    case 9:
      s.gradient_aggregation = {.bucket = {}, .compression = find_compression(kCompressions[n % 6]).value()};
      break;
    default:
      break;
  }
}

}  // namespace

std::vector<Strategy> wide_grid(const Scenario& scenario, std::size_t step, std::size_t first) {
  std::vector<Strategy> grid;
  std::size_t count = 0;
  for (Strategy s : plain_grid(scenario)) {
    s.recompute = nth_recompute(count);
    Strategy with_feature = s;
    add_nth_feature(scenario, count, with_feature);
    s = find_rejection(scenario, with_feature) ? s : with_feature;
    if (!find_rejection(scenario, s) && count++ % step == first) {
      grid.push_back(s);
    }
  }
  return thinned(std::move(grid));
}

Estimate World::estimate(const Strategy& strategy, Fidelity fidelity) {
  return fidelity == Fidelity::kClosedForm ? closed_form_.evaluate(strategy)
                                           : simulated(scenario_, cluster_, strategy, fidelity);
}

}  // namespace portolan
