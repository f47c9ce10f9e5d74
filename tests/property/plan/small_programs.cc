#include "small_programs.h"

#include "plan/legality.h"
#include "plan/search.h"
#include "sample_scenarios.h"
#include "tests/property/thinned.h"

namespace portolan {

std::vector<Scenario> small_scenarios() {
  std::vector<Scenario> scenarios;
  for (const std::int64_t num_gpus : {1, 2, 4, 8}) {
    Scenario plain = tiny_scenario(num_gpus);
    Scenario gathering = plain;
    gathering.software.scatter_gather_pipeline.value = true;
    Scenario blocking = gathering;
    blocking.software.blocking_sends.value = true;
    Scenario narrow = blocking;
    narrow.model = tiny_llama();
    narrow.precision = Precision::kBf16;
    narrow.software = megatron_like_profile();
    Scenario unfused = plain;
    unfused.model = tiny_llama();
    unfused.model.linear_bias = true;
    unfused.model.tied_embeddings = true;
    unfused.software.dropout.value = true;
    unfused.software.fused_softmax.value = false;
    unfused.software.fused_gradient_accumulation.value = false;
    Scenario eager = narrow;
    eager.software.fused_norms.value = eager.software.fused_activation.value =
        eager.software.fused_dropout_add.value = eager.software.fused_rotary.value =
            eager.software.fused_residual_gradient.value = eager.software.fused_logits_conversion.value =
                false;
    eager.software.cross_entropy_passes.value = 8;
    eager.software.logits_metrics.value = 2;
    eager.software.fused_gradient_accumulation.value = false;
    eager.software.narrow_gradients_kept.value = true;
    Scenario copying = narrow;
    copying.software.gather_copy.value = true;
    copying.software.reduce_copy.value = ReduceCopy::kAsReduced;
    Scenario half = narrow;
    half.precision = Precision::kFp16;
    half.hardware.device.peak[Precision::kFp16] = half.hardware.device.peak.at(Precision::kBf16);
    half.software.fp16_gradient_bytes = {0, ""};
    half.software.fp16_update_copy_bytes.value = 6;
    half.software.fp16_reduce_buffer.value = Bytes(200'000);
    half.software.gather_buffer.value = Bytes(300'000);
    Scenario variant = blocking;
    variant.model.activation = Activation::kRelu;
    variant.model.position = PositionEncoding::kAlibi;
    variant.model.embedding_norm = true;
    variant.model.parallel_residual = true;
    variant.model.query_key_norm = true;
    variant.model.explicit_head_dim = 16;
    Scenario latent = narrow;
    latent.model = tiny_latent();
    latent.software.flash_attention.value = num_gpus > 2;
    scenarios.insert(scenarios.end(),
                     {plain, gathering, blocking, narrow, unfused, eager, copying, half, variant, latent});
  }
  return scenarios;
}

std::vector<Strategy> legal_strategies(const Scenario& scenario) {
  std::vector<Strategy> legal;
  for (Strategy& strategy : enumerate_strategies(scenario, {})) {
    if (!find_rejection(scenario, strategy)) {
      legal.push_back(std::move(strategy));
    }
  }
  return thinned(std::move(legal));
}

ScenarioAndStrategy small_pipeline(const SmallPipeline& pipeline) {
  ScenarioAndStrategy made{.scenario = tiny_scenario(pipeline.num_stages), .strategy = {}};
  made.scenario.model.num_layers = pipeline.num_stages * pipeline.num_chunks;
  made.scenario.global_batch = pipeline.num_microbatches;
  made.strategy = sample_strategy(made.scenario, {.pipeline = pipeline.num_stages});
  made.strategy.schedule = pipeline.schedule;
  made.strategy.virtual_stages = pipeline.num_chunks;
  return made;
}

std::vector<SmallPipeline> small_pipelines(std::int32_t max_stages, std::int32_t max_microbatches) {
  std::vector<SmallPipeline> pipelines;
  for (std::int32_t p = 1; p <= max_stages; ++p) {
    for (std::int32_t m = 1; m <= max_microbatches; ++m) {
      for (const ScheduleKind schedule :
           {ScheduleKind::kGPipe, ScheduleKind::kOneFOneB, ScheduleKind::kZeroBubbleH1}) {
        pipelines.push_back({p, m, schedule});
      }
      for (const std::int32_t chunks : {2, 3}) {
        if (p > 1 && m % p == 0) {
          pipelines.push_back({p, m, ScheduleKind::kInterleaved, chunks});
        }
      }
    }
  }
  return pipelines;
}

}  // namespace portolan
