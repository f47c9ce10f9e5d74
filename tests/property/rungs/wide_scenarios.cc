#include "tests/property/rungs/wide_scenarios.h"

#include <algorithm>

#include "plan/legality.h"
#include "tests/property/rungs/rung_scenarios.h"

namespace portolan {

std::vector<Scenario> wide_scenarios() {
  Scenario dense = round_scenario(2);
  dense.hardware.gpus_per_node = dense.hardware.nics_per_node = 4;
  dense.hardware.device.attention_gemm_efficiency.value = dense.hardware.device.gemm_efficiency.value;
  dense.hardware.device.peak[Precision::kFp8] = {FlopsPerSecond(600e12), ""};
  dense.num_gpus = 8;
  dense.global_batch = 16;
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

/// What of a strategy says who holds what.
std::vector<Strategy> degrees_grid(const Scenario& scenario) {
  std::vector<Strategy> grid;
  for (const std::int32_t tp : {1, 2, 4}) {
    for (const bool divided : {false, true}) {
      for (const std::int32_t cp : {1, 2}) {
        for (const std::int32_t pp : {1, 2, 4}) {
          for (const std::int32_t ep : {1, 2, 4}) {
            Strategy s;
            s.tensor_parallel = tp;
            s.sequence_parallel = divided;
            s.context_parallel = cp;
            s.pipeline_parallel = pp;
            s.data_parallel = static_cast<std::int32_t>(scenario.num_gpus / (tp * cp * pp));
            s.expert_parallel = ep;
            if (s.data_parallel > 0 && (tp > 1 || !divided)) {
              grid.push_back(s);
            }
          }
        }
      }
    }
  }
  return grid;
}

}  // namespace

std::vector<Strategy> wide_grid(const Scenario& scenario, std::size_t step, std::size_t first) {
  std::vector<Strategy> grid;
  std::size_t count = 0;
  for (Strategy s : degrees_grid(scenario)) {
    for (const ScheduleKind schedule : {ScheduleKind::kOneFOneB, ScheduleKind::kGPipe,
                                        ScheduleKind::kInterleaved, ScheduleKind::kZeroBubbleH1}) {
      s.schedule = schedule;
      s.virtual_stages = schedule == ScheduleKind::kInterleaved ? 2 : 1;
      for (const std::int32_t zero : {0, 1, 2, 3}) {
        s.zero_stage = zero;
        for (const bool overlap : {false, true}) {
          s.gradient_aggregation = {.bucket = Bytes(overlap ? 40 * kMebi : 0), .overlap = overlap};
          s.recompute = {.all_layers = count % 4 == 0   ? recompute_none()
                                       : count % 4 == 1 ? recompute_selective()
                                                        : recompute_full(),
                         .per_layer = {},
                         .layers_per_group = count % 4 == 3 ? 2 : 1};
          s.precision = count % 5 == 4 ? Precision::kFp8 : Precision::kBf16;
          if (!find_rejection(scenario, s) && count++ % step == first) {
            grid.push_back(s);
          }
        }
      }
    }
  }
  return grid;
}

Estimate World::estimate(const Strategy& strategy, Fidelity fidelity) {
  return fidelity == Fidelity::kClosedForm ? closed_form_.evaluate(strategy)
                                           : simulated(scenario_, cluster_, strategy, fidelity);
}

}  // namespace portolan
