#include "kernels/host/attention.h"

#include "kernels/reference/attention.h"
#include "tests/unit/kernels/closeness.h"
#include "tests/unit/kernels/finite_difference.h"

namespace portolan {
namespace {

using operands::AttentionShape;

constexpr AttentionShape kShapes[] = {
    {.batch = 1, .sequence = 1, .heads = 1, .kv_heads = 1, .head_dim = 1},
    {.batch = 2, .sequence = 1, .heads = 2, .kv_heads = 1, .head_dim = 4},
    {.batch = 1, .sequence = 7, .heads = 3, .kv_heads = 3, .head_dim = 5},
    {.batch = 3, .sequence = 16, .heads = 4, .kv_heads = 2, .head_dim = 8},
    {.batch = 2, .sequence = 33, .heads = 6, .kv_heads = 1, .head_dim = 16},
    {.batch = 1, .sequence = host::kAttentionBlock, .heads = 2, .kv_heads = 2, .head_dim = 32},
    {.batch = 2, .sequence = 2 * host::kAttentionBlock + 3, .heads = 4, .kv_heads = 2, .head_dim = 12},
};

/// Sets the entries above the diagonal: the kernels may leave anything there between the product and the
/// softmax.
void poison_above_diagonal(const AttentionShape& s, Tensor& scores) {
  for (std::int64_t row = 0; row < s.batch * s.heads * s.sequence; ++row) {
    for (std::int64_t key = row % s.sequence + 1; key < s.sequence; ++key) {
      scores.f()[row * s.sequence + key] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

void expect_zero_above_diagonal(const AttentionShape& s, Tensor& scores) {
  for (std::int64_t row = 0; row < s.batch * s.heads * s.sequence; ++row) {
    for (std::int64_t key = row % s.sequence + 1; key < s.sequence; ++key) {
      ASSERT_EQ(scores.f()[row * s.sequence + key], 0.0F);
    }
  }
}

void forward(const AttentionShape& s, Tensor& qkv, Tensor& scores, Tensor& context) {
  host::attention_scores_forward({.shape = s, .qkv = qkv.f(), .scores = scores.f()});
  reference::attention_scores_forward<double>({.shape = s, .qkv = qkv.d(), .scores = scores.d()});
  poison_above_diagonal(s, scores);
  host::attention_softmax_forward({.shape = s, .scores = scores.f()});
  reference::attention_softmax_forward<double>({.shape = s, .scores = scores.d()});
  host::attention_context_forward(
      {.shape = s, .probabilities = scores.f(), .qkv = qkv.f(), .context = context.f()});
  reference::attention_context_forward<double>(
      {.shape = s, .probabilities = scores.d(), .qkv = qkv.d(), .context = context.d()});
}

TEST(Attention, ForwardEqualsReference) {
  for (const AttentionShape& s : kShapes) {
    Tensor qkv = random_tensor("qkv", s.rows() * s.qkv_columns());
    Tensor scores = poisoned_tensor(s.score_count());
    Tensor context = poisoned_tensor(s.rows() * s.context_columns());
    forward(s, qkv, scores, context);
    expect_zero_above_diagonal(s, scores);
    expect_close(scores, "probabilities");
    expect_close(context, "context");
  }
}

TEST(Attention, BackwardEqualsReference) {
  for (const AttentionShape& s : kShapes) {
    Tensor qkv = random_tensor("qkv", s.rows() * s.qkv_columns());
    Tensor probabilities = poisoned_tensor(s.score_count());
    Tensor context = poisoned_tensor(s.rows() * s.context_columns());
    forward(s, qkv, probabilities, context);
    Tensor dcontext = random_tensor("dcontext", s.rows() * s.context_columns());
    Tensor dscores = poisoned_tensor(s.score_count());
    Tensor dqkv = poisoned_tensor(s.rows() * s.qkv_columns());
    host::attention_context_backward({.shape = s,
                                      .probabilities = probabilities.f(),
                                      .qkv = qkv.f(),
                                      .dcontext = dcontext.f(),
                                      .dprobabilities = dscores.f(),
                                      .dqkv = dqkv.f()});
    reference::attention_context_backward<double>({.shape = s,
                                                   .probabilities = probabilities.d(),
                                                   .qkv = qkv.d(),
                                                   .dcontext = dcontext.d(),
                                                   .dprobabilities = dscores.d(),
                                                   .dqkv = dqkv.d()});
    poison_above_diagonal(s, dscores);
    host::attention_softmax_backward(
        {.shape = s, .probabilities = probabilities.f(), .dprobabilities = dscores.f()});
    reference::attention_softmax_backward<double>(
        {.shape = s, .probabilities = probabilities.d(), .dprobabilities = dscores.d()});
    expect_zero_above_diagonal(s, dscores);
    expect_close(dscores, "dscores", 5e-6);
    host::attention_scores_backward({.shape = s, .qkv = qkv.f(), .dscores = dscores.f(), .dqkv = dqkv.f()});
    reference::attention_scores_backward<double>(
        {.shape = s, .qkv = qkv.d(), .dscores = dscores.d(), .dqkv = dqkv.d()});
    expect_close(dqkv, "dqkv", 5e-6);
  }
}

TEST(Attention, SoftmaxOfExtremeScoresIsFinite) {
  const AttentionShape s{.batch = 1, .sequence = 40, .heads = 1, .kv_heads = 1, .head_dim = 4};
  Tensor scores = random_tensor("scores", s.score_count());
  for (std::int64_t i = 0; i < s.score_count(); ++i) {
    const float extreme = i % 3 == 0 ? 1e4F : (i % 3 == 1 ? -1e4F : 1e4F - 2.0F);
    scores.f()[i] = extreme;
    scores.d()[i] = static_cast<double>(extreme);
  }
  host::attention_softmax_forward({.shape = s, .scores = scores.f()});
  reference::attention_softmax_forward<double>({.shape = s, .scores = scores.d()});
  expect_zero_above_diagonal(s, scores);
  expect_close(scores, "probabilities");
}

// The whole chain by hand: two positions, one head of width 1, so that the scale is 1. q = (0, log 3), k =
// (0, 1), v = (10, 20): position 0 sees itself, position 1 weighs exp(0) : exp(log 3) = 1/4 : 3/4.
TEST(Attention, TwoPositionsByHand) {
  const AttentionShape s{.batch = 1, .sequence = 2, .heads = 1, .kv_heads = 1, .head_dim = 1};
  const float qkv[] = {0.0F, 0.0F, 10.0F, std::log(3.0F), 1.0F, 20.0F};
  float scores[4];
  float context[2];
  host::attention_scores_forward({.shape = s, .qkv = qkv, .scores = scores});
  host::attention_softmax_forward({.shape = s, .scores = scores});
  host::attention_context_forward({.shape = s, .probabilities = scores, .qkv = qkv, .context = context});
  EXPECT_FLOAT_EQ(scores[0], 1.0F);
  EXPECT_EQ(scores[1], 0.0F);
  EXPECT_FLOAT_EQ(scores[2], 0.25F);
  EXPECT_FLOAT_EQ(scores[3], 0.75F);
  EXPECT_FLOAT_EQ(context[0], 10.0F);
  EXPECT_FLOAT_EQ(context[1], 17.5F);
}

TEST(Attention, ReferenceChainIsFiniteDifferences) {
  for (const AttentionShape& s :
       {AttentionShape{.batch = 1, .sequence = 1, .heads = 1, .kv_heads = 1, .head_dim = 2},
        AttentionShape{.batch = 2, .sequence = 4, .heads = 2, .kv_heads = 2, .head_dim = 3},
        AttentionShape{.batch = 2, .sequence = 5, .heads = 4, .kv_heads = 2, .head_dim = 2}}) {
    auto qkv = random_doubles("qkv", s.rows() * s.qkv_columns());
    const auto dcontext = random_doubles("dcontext", s.rows() * s.context_columns());
    std::vector<double> probabilities(static_cast<std::size_t>(s.score_count()));
    const auto loss = [&] {
      std::vector<double> context(dcontext.size());
      reference::attention_scores_forward<double>(
          {.shape = s, .qkv = qkv.data(), .scores = probabilities.data()});
      reference::attention_softmax_forward<double>({.shape = s, .scores = probabilities.data()});
      reference::attention_context_forward<double>(
          {.shape = s, .probabilities = probabilities.data(), .qkv = qkv.data(), .context = context.data()});
      return weighted_sum(dcontext, context);
    };
    loss();
    std::vector<double> dscores(probabilities.size());
    std::vector<double> dqkv(qkv.size());
    reference::attention_context_backward<double>({.shape = s,
                                                   .probabilities = probabilities.data(),
                                                   .qkv = qkv.data(),
                                                   .dcontext = dcontext.data(),
                                                   .dprobabilities = dscores.data(),
                                                   .dqkv = dqkv.data()});
    reference::attention_softmax_backward<double>(
        {.shape = s, .probabilities = probabilities.data(), .dprobabilities = dscores.data()});
    reference::attention_scores_backward<double>(
        {.shape = s, .qkv = qkv.data(), .dscores = dscores.data(), .dqkv = dqkv.data()});
    expect_gradient(qkv, dqkv, loss, "dqkv");
  }
}

}  // namespace
}  // namespace portolan
