#include <gtest/gtest.h>

#include <map>

#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/rank_place.h"
#include "sample_scenarios.h"
#include "tests/property/thinned.h"

// What ranks hold of parameters, gradients and optimizer states adds up to the model, once for each group
// that keeps all of it: whatever divides it, also where sizes do not divide.

namespace portolan {
namespace {

using Elements = std::map<std::string, std::int64_t>;

/// Elements of every parameter over all ranks: of itself, its gradient and its states.
struct Held {
  Elements parameters, gradients, states;
};

Held held_by_all_ranks(const Scenario& scenario, const Strategy& strategy) {
  const Program program = lower(scenario, strategy);
  Held held;
  for (std::int32_t rank = 0; rank < program.num_ranks(); ++rank) {
    const Stage& stage = program.stages[static_cast<std::size_t>(stage_of(program, rank))];
    for (const Buffer& buffer : stage.buffers) {
      if (!buffer.persistent) {
        continue;
      }
      const bool is_parameter = buffer.kind == BufferKind::kParameter;
      if (!is_parameter && buffer.partner == Buffer::kNone) {
        continue;
      }
      const std::string& name =
          is_parameter ? buffer.name : stage.buffers[static_cast<std::size_t>(buffer.partner)].name;
      Elements& of_kind = is_parameter                           ? held.parameters
                          : buffer.kind == BufferKind::kGradient ? held.gradients
                                                                 : held.states;
      of_kind[name] += buffer.bytes.value;
    }
  }
  const SoftwareProfile& software = scenario.software;
  for (const auto& [elements, width] : {std::pair{&held.parameters, compute_bytes(strategy.precision)},
                                        {&held.gradients, gradient_width(software, strategy.precision)},
                                        {&held.states, software.optimizer_bytes_per_parameter.value}}) {
    for (auto& [name, count] : *elements) {
      EXPECT_EQ(count % width, 0) << name;
      count /= width;
    }
  }
  return held;
}

/// Each rank of a tensor-parallel group holds the whole of these: norms, routers, what is added after the
/// sum over the group.
bool is_replicated(std::string_view name) {
  const std::string_view tensor = name.substr(name.rfind(' ') + 1);
  return tensor.starts_with("norm") || tensor.starts_with("router") ||
         tensor.ends_with("_latent_norm.gain") || tensor.ends_with("_down.weight") ||
         tensor == "projection.bias" || tensor == "fc2.bias" || tensor == "position.weight";
}
bool is_of_experts(std::string_view name) { return name.find(" experts.") != std::string_view::npos; }

Strategy alone() {
  Strategy one;
  one.precision = Precision::kBf16;
  return one;
}

/// The model on one rank, its vocabulary padded as on `tp` ranks.
Elements whole_model(Scenario scenario, std::int32_t tp) {
  scenario.num_gpus = 1;
  scenario.software.vocab_padding.value *= tp;
  const Held held = held_by_all_ranks(scenario, alone());
  EXPECT_EQ(held.gradients, held.parameters);
  EXPECT_EQ(held.states, held.parameters);
  scenario.model.vocab_size = held.parameters.at("embedding word.weight") / scenario.model.hidden_size;
  std::int64_t sum = 0;
  for (const auto& [name, elements] : held.parameters) {
    sum += elements;
  }
  EXPECT_EQ(sum, num_parameters(scenario.model));
  return held.parameters;
}

std::vector<Scenario> models() {
  Scenario gpt = tiny_scenario(8);
  gpt.precision = Precision::kBf16;
  gpt.hardware.device.peak[Precision::kBf16] = {FlopsPerSecond(1e12), ""};
  gpt.software = megatron_like_profile();
  gpt.software.flash_attention.value = true;
  gpt.model.vocab_size = 51;  // which neither two nor four ranks divide
  gpt.software.vocab_padding.value = 1;
  Scenario padded = gpt;
  padded.model = tiny_llama();
  padded.model.vocab_size = 53;
  padded.model.num_kv_heads = 4;
  padded.software.vocab_padding.value = 3;
  Scenario latent = gpt;
  latent.model = tiny_latent();
  Scenario experts = padded;
  experts.model.experts = MixtureOfExperts{.num_experts = 4,
                                           .experts_per_token = 2,
                                           .expert_ffn_size = 20,
                                           .shared_ffn_size = 12,
                                           .first_dense_layers = 1,
                                           .router_bias = true};
  return {gpt, padded, latent, experts};
}

std::vector<Strategy> divisions() {
  std::vector<Strategy> all;
  for (const std::int32_t tp : {1, 2, 4}) {
    for (const std::int32_t pp : {1, 3}) {
      for (const std::int32_t cp : {1, 2}) {
        for (const std::int32_t dp : {1, 2, 3, 4, 5, 6}) {
          for (const std::int32_t ep : {1, 2}) {
            for (const std::int32_t zero : {0, 1, 2, 3}) {
              for (const std::int32_t group : {0, 2, 3}) {
                Strategy s = alone();
                s.tensor_parallel = tp;
                s.pipeline_parallel = pp;
                s.context_parallel = cp;
                s.data_parallel = dp;
                s.expert_parallel = ep;
                s.zero_stage = zero;
                s.zero_group = group;
                all.push_back(s);
              }
            }
          }
        }
      }
    }
  }
  return thinned(std::move(all));
}

/// `held` are `copies` of `whole`, or more by what is left of shards when the whole is divided: less than an
/// element of each of `num_shards`.
void expect_whole(std::int64_t held, std::int64_t whole, std::int64_t copies, std::int64_t num_shards) {
  EXPECT_GE(held, copies * whole);
  EXPECT_LT(held, copies * whole + (num_shards > 1 ? copies * num_shards : 1));
}

TEST(ShardSum, OfParametersGradientsAndStatesIsTheModelForEveryGroupThatKeepsAll) {
  std::size_t num_uneven = 0, num_strategies = 0;
  for (Scenario scenario : models()) {
    std::map<std::int32_t, Elements> wholes;
    for (const std::int32_t tp : {1, 2, 4}) {
      wholes[tp] = whole_model(scenario, tp);
    }
    for (const Strategy& s : divisions()) {
      scenario.num_gpus = s.num_ranks();
      scenario.global_batch = s.data_parallel;
      if (find_rejection(scenario, s)) {
        continue;
      }
      ++num_strategies;
      SCOPED_TRACE(scenario.model.name + " " + short_name(s));
      const Held held = held_by_all_ranks(scenario, s);
      const Elements& whole = wholes[s.tensor_parallel];
      ASSERT_EQ(held.parameters.size(), whole.size());
      for (const auto& tensor : whole) {
        const std::string& name = tensor.first;
        const std::int64_t elements = tensor.second;
        SCOPED_TRACE(name);
        const bool tied =
            scenario.model.tied_embeddings && s.pipeline_parallel > 1 && name == "embedding word.weight";
        const bool expert = is_of_experts(name);
        const std::int64_t ep = expert ? s.expert_parallel : 1;
        // Ranks that hold what this one holds, over which ZeRO divides it or, in groups, does so several
        // times.
        const std::int64_t ranks = num_data_ranks(s) / ep;
        const std::int64_t sharers = s.zero_group == 0 ? ranks : s.zero_group;
        const std::int64_t parts = ep * (is_replicated(name) ? 1 : s.tensor_parallel);
        const std::int64_t groups =
            (tied ? 2 : 1) * (is_replicated(name) ? s.tensor_parallel : 1);  // that divide it, or would
        const auto expect_of = [&](const Elements& of_kind, bool divided) {
          const std::int64_t copies = groups * (divided ? ranks / sharers : ranks);
          expect_whole(of_kind.at(name), elements, copies, divided ? parts * sharers : 1);
        };
        num_uneven += elements / parts % sharers != 0 ? 1 : 0;
        expect_of(held.parameters, s.zero_stage >= 3);
        expect_of(held.gradients, s.zero_stage >= 2);
        expect_of(held.states, s.zero_stage >= 1);
      }
    }
  }
  EXPECT_GT(num_strategies, 100U);
  EXPECT_GT(num_uneven, num_strategies);
}

// A rank's rows of the vocabulary are as many as its neighbour's: the fewest that make all of it and whole
// multiples of the padding.
TEST(ShardSum, OfTheVocabularyIsTheLeastThatAllRanksCanDivide) {
  for (Scenario scenario : models()) {
    for (std::int64_t vocab = 48; vocab <= 64; ++vocab) {
      scenario.model.vocab_size = vocab;
      for (const std::int32_t tp : {1, 2, 4}) {
        Strategy s = alone();
        s.tensor_parallel = tp;
        scenario.num_gpus = tp;
        const std::int64_t rows = held_by_all_ranks(scenario, s).parameters.at("embedding word.weight") /
                                  scenario.model.hidden_size;
        const std::int64_t multiple = scenario.software.vocab_padding.value * tp;
        EXPECT_EQ(rows % multiple, 0) << vocab << " " << tp;
        EXPECT_GE(rows, vocab);
        EXPECT_LT(rows, vocab + multiple);
      }
    }
  }
}

}  // namespace
}  // namespace portolan
