// The gradient of the whole model, checked twice: that of the Program in double precision against differences
// of its own loss, and that of the executor against the one in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gradient_probe.h"
#include "plan/rank_place.h"
#include "reference_step.h"
#include "tiny_training.h"

namespace portolan {
namespace {

struct GradientVariant {
  std::string name;
  Plan plan;
};

template <typename Change>
GradientVariant variant(std::string name, const TransformerConfig& model, Change change) {
  Strategy strategy = fp32_strategy();
  strategy.microbatch_size = 2;
  change(strategy);
  return {model.name + ", " + std::move(name), tiny_plan(model, strategy)};
}

/// On one rank.
std::vector<GradientVariant> recomputations(const TransformerConfig& model) {
  std::vector<GradientVariant> list;
  for (const auto& [name, set] : {std::pair{"no recomputation", recompute_none()},
                                  {"selective recomputation", recompute_selective()},
                                  {"full recomputation", recompute_full()}}) {
    list.push_back(variant(name, model, [set = set](Strategy& s) { s.recompute.all_layers = set; }));
  }
  list.push_back(variant("layers recomputed together", model, [](Strategy& s) {
    s.recompute = {.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = 2};
  }));
  Scenario scenario = list.front().plan.scenario;
  scenario.software.fused_gradient_accumulation = {false, ""};
  list.push_back({model.name + ", converted gradients", make_plan(scenario, list.front().plan.strategy)});
  return list;
}

std::vector<GradientVariant> divisions(const TransformerConfig& model) {
  return {variant("2 data ranks", model, [](Strategy& s) { s.data_parallel = 2; }),
          variant("2 stages", model, [](Strategy& s) { s.pipeline_parallel = 2; })};
}

/// Large enough for attention to prefer some keys and for activations to bend; no bias is 0 and no gain 1, so
/// that one that is left out shows. Singles, for the executor to begin with the same numbers.
NamedTensors make_parameters(const Program& program) {
  NamedTensors parameters;
  for (const Buffer& buffer : program.stages.front().buffers) {
    if (buffer.kind == BufferKind::kParameter) {
      RandomStream random(20260102, buffer.name);
      std::vector<double>& values = parameters[buffer.name];
      values.resize(static_cast<std::size_t>(buffer.bytes.value) / sizeof(float));
      const double mean = buffer.init == ParameterInit::kOnes ? 1.0 : 0.0;
      std::ranges::generate(
          values, [&] { return static_cast<double>(static_cast<float>(mean + 0.2 * random.next_normal())); });
    }
  }
  return parameters;
}

double inner_product(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double length(const std::vector<double>& vector) { return std::sqrt(inner_product(vector, vector)); }

/// Of length 1, the same for the same name.
std::vector<double> random_direction(const std::string& name, std::size_t size) {
  RandomStream random(20260103, name);
  std::vector<double> direction(size);
  std::ranges::generate(direction, [&] { return random.next_normal(); });
  const double scale = 1 / length(direction);
  std::ranges::for_each(direction, [&](double& value) { value *= scale; });
  return direction;
}

/// Central difference of the loss as `parameter` moves along `direction`. Its error is of order step^2 = 1e-8
/// of the third derivative, and rounding adds about 1e-16 / step.
double difference(ReferenceStep& step, std::vector<double>& parameter, const std::vector<double>& direction) {
  constexpr double kStep = 1e-4;
  const std::vector<double> before = parameter;
  const auto loss_at = [&](double distance) {
    std::ranges::transform(before, direction, parameter.begin(),
                           [&](double value, double slope) { return value + distance * slope; });
    return step.loss();
  };
  const double rise = loss_at(kStep) - loss_at(-kStep);
  parameter = before;
  return rise / (2 * kStep);
}

/// A tensor's slope along a random direction is usually its gradient's length over the root of its size, and
/// by chance anything down to 0: errors are relative to the usual slope. They were up to 6e-9 when this was
/// written; a factor, an operand or a term that is wrong makes one of order 1.
constexpr double kLargestSlopeError = 1e-6;

/// Relative to a gradient's length. Singles round by 6e-8; the longest chain of sums made errors of up
/// to 9.4e-7, and processors add in other orders.
constexpr double kLargestExecutorError = 1e-5;

void expect_differences(const TransformerConfig& model) {
  const TokenDataset text = made_up_text(16, 61);
  const std::vector<GradientVariant> variants = recomputations(model);
  const NamedTensors parameters = make_parameters(variants.front().plan.program);
  std::vector<NamedTensors> gradients;
  for (const GradientVariant& variant : variants) {
    gradients.push_back(ReferenceStep(variant.plan.program, text, parameters).gradients());
    ASSERT_EQ(gradients.back().size(), parameters.size()) << variant.name;
  }
  // Recomputation changes no forward pass: one difference serves all.
  ReferenceStep step(variants.front().plan.program, text, parameters);
  for (const auto& [name, values] : parameters) {
    const std::vector<double> direction = random_direction(name, values.size());
    const double expected = difference(step, step.parameter(name), direction);
    for (std::size_t v = 0; v < variants.size(); ++v) {
      const std::vector<double>& gradient = gradients[v].at(name);
      const double slope = inner_product(gradient, direction);
      const double usual = length(gradient) / std::sqrt(static_cast<double>(values.size()));
      EXPECT_GT(usual, 0) << variants[v].name << ", " << name;
      EXPECT_LE(std::abs(slope - expected), kLargestSlopeError * usual)
          << variants[v].name << ", " << name << ": slope " << slope << ", difference " << expected;
    }
  }
}

TEST(Gradient, OfGptEqualsDifferences) { expect_differences(tiny_gpt()); }

TEST(Gradient, OfLlamaEqualsDifferences) { expect_differences(tiny_llama()); }

/// Heads wider than hidden_size / num_heads, a norm behind the embedding, biases of query, key and value
/// only.
TransformerConfig wide_gpt() {
  TransformerConfig model = tiny_gpt();
  model.name = "wide gpt";
  model.explicit_head_dim = 12;
  model.embedding_norm = true;
  model.qkv_bias = true;
  model.linear_bias = false;
  return model;
}

TEST(Gradient, OfWideHeadsEqualsDifferences) { expect_differences(wide_gpt()); }

TEST(Gradient, OfBloomEqualsDifferences) {
  TransformerConfig model = tiny_gpt();
  model.position = PositionEncoding::kAlibi;
  model.embedding_norm = true;
  expect_differences(model);
}

TEST(Gradient, OfGptNeoxEqualsDifferences) {
  TransformerConfig model = tiny_gpt();
  model.position = PositionEncoding::kRotary;
  model.rotary_dim = 2;
  model.parallel_residual = true;
  model.tied_embeddings = false;
  expect_differences(model);
}

TEST(Gradient, OfQwen3EqualsDifferences) {
  TransformerConfig model = tiny_llama();
  model.query_key_norm = true;
  model.explicit_head_dim = 6;
  expect_differences(model);
}

TEST(Gradient, OfReluEqualsDifferences) {
  TransformerConfig model = tiny_gpt();
  model.activation = Activation::kRelu;
  expect_differences(model);
}

struct ExecutorStep {
  double loss = 0;
  std::vector<NamedTensors> gradients;  ///< of each rank
};

ExecutorStep run_executor(const Plan& plan, const TokenDataset& text, const NamedTensors& parameters) {
  ExecutorStep step;
  step.gradients.resize(static_cast<std::size_t>(plan.program.num_ranks()));
  RunOptions options{.num_steps = 1, .dataset = &text};
  options.decorate_device = [&](std::int32_t rank, std::unique_ptr<Device> inner) {
    const auto stage = static_cast<std::size_t>(stage_of(plan.program, rank));
    return std::make_unique<GradientProbe>(std::move(inner), plan.program.stages[stage], parameters,
                                           step.gradients[static_cast<std::size_t>(rank)]);
  };
  const RunMeasurement measurement = run_or_fail(plan, options);
  step.loss = measurement.losses.empty() ? std::nan("") : measurement.losses.front();
  return step;
}

/// A gradient that is left at 0 has an error of its whole length: no gradient of `expected` is 0.
void expect_near(const NamedTensors& expected, const NamedTensors& actual, const std::string& what) {
  for (const auto& [name, gradient] : actual) {
    std::vector<double> error = expected.at(name);
    ASSERT_EQ(error.size(), gradient.size()) << what << ", " << name;
    std::ranges::transform(gradient, error, error.begin(), std::minus<>());
    EXPECT_LE(length(error), kLargestExecutorError * length(expected.at(name))) << what << ", " << name;
  }
}

void expect_executor_agrees(const TransformerConfig& model) {
  const TokenDataset text = made_up_text(16, 61);
  std::vector<GradientVariant> variants = recomputations(model);
  std::ranges::move(divisions(model), std::back_inserter(variants));
  const Program& whole = variants.front().plan.program;
  const NamedTensors parameters = make_parameters(whole);
  ReferenceStep reference(whole, text, parameters);
  const double loss = reference.loss();
  const NamedTensors expected = reference.gradients();
  for (const auto& [name, plan] : variants) {
    const ExecutorStep step = run_executor(plan, text, parameters);
    EXPECT_NEAR(step.loss / loss, 1.0, 1e-6) << name;
    for (std::size_t rank = 0; rank < step.gradients.size(); ++rank) {
      const std::string what = name + ", rank " + std::to_string(rank);
      const auto stage = static_cast<std::size_t>(stage_of(plan.program, static_cast<std::int32_t>(rank)));
      EXPECT_EQ(std::ssize(step.gradients[rank]),
                std::ranges::count(plan.program.stages[stage].buffers, BufferKind::kParameter, &Buffer::kind))
          << what;
      expect_near(expected, step.gradients[rank], what);
    }
  }
}

TEST(Gradient, OfGptIsTheExecutors) { expect_executor_agrees(tiny_gpt()); }

TEST(Gradient, OfLlamaIsTheExecutors) { expect_executor_agrees(tiny_llama()); }

TEST(Gradient, OfWideHeadsIsTheExecutors) { expect_executor_agrees(wide_gpt()); }

}  // namespace
}  // namespace portolan
