#include "kernels/host/rotary.h"

#include "kernels/reference/rotary.h"
#include "tests/unit/kernels/closeness.h"
#include "tests/unit/kernels/finite_difference.h"

namespace portolan {
namespace {

using operands::AttentionShape;

constexpr AttentionShape kShapes[] = {
    {.batch = 1, .sequence = 1, .heads = 1, .kv_heads = 1, .head_dim = 2},
    {.batch = 2, .sequence = 9, .heads = 4, .kv_heads = 2, .head_dim = 6},
    {.batch = 3, .sequence = 33, .heads = 3, .kv_heads = 1, .head_dim = 64},
    {.batch = 1, .sequence = 3, .heads = 1, .kv_heads = 1, .head_dim = operands::kMaxRotaryHeadDim},
    {.batch = 1, .sequence = 5000, .heads = 1, .kv_heads = 1, .head_dim = 8},
};

TEST(Rotary, ForwardAndBackwardEqualReference) {
  for (const AttentionShape& s : kShapes) {
    for (const double theta : {10000.0, 500000.0}) {
      Tensor qkv = random_tensor("qkv", s.rows() * s.qkv_columns());
      host::rotary_forward({.shape = s, .theta = theta, .qkv = qkv.f()});
      reference::rotary_forward<double>({.shape = s, .theta = theta, .qkv = qkv.d()});
      expect_close(qkv, "qkv", 3e-7);
      host::rotary_backward({.shape = s, .theta = theta, .qkv = qkv.f()});
      reference::rotary_backward<double>({.shape = s, .theta = theta, .qkv = qkv.d()});
      expect_close(qkv, "dqkv", 3e-7);
    }
  }
}

TEST(Rotary, BackwardUndoesForwardAndLeavesValuesAlone) {
  const AttentionShape& s = kShapes[2];
  Tensor qkv = random_tensor("qkv", s.rows() * s.qkv_columns());
  const std::vector<float> before = qkv.single_precision;
  host::rotary_forward({.shape = s, .qkv = qkv.f()});
  for (std::int64_t row = 0; row < s.rows(); ++row) {
    for (std::int64_t column = s.value_column(0); column < s.qkv_columns(); ++column) {
      const auto i = static_cast<std::size_t>(row * s.qkv_columns() + column);
      ASSERT_EQ(qkv.single_precision[i], before[i]);
    }
  }
  host::rotary_backward({.shape = s, .qkv = qkv.f()});
  expect_close(qkv, "qkv", 3e-7);
}

// The first pair turns by 1 radian per position, whatever theta is; columns 0 and head_dim / 2 form it.
TEST(Rotary, FirstPairTurnsByOneRadian) {
  const AttentionShape s{.batch = 1, .sequence = 2, .heads = 1, .kv_heads = 1, .head_dim = 4};
  std::vector<float> qkv(static_cast<std::size_t>(s.rows() * s.qkv_columns()));
  qkv[12] = 1.0F;  // position 1, query, column 0
  host::rotary_forward({.shape = s, .qkv = qkv.data()});
  EXPECT_FLOAT_EQ(qkv[12], 0.5403023F);  // cos 1
  EXPECT_FLOAT_EQ(qkv[14], 0.8414710F);  // sin 1
  EXPECT_EQ(qkv[13], 0.0F);
}

TEST(Rotary, ReferenceGradientIsFiniteDifferences) {
  const AttentionShape s{.batch = 2, .sequence = 4, .heads = 2, .kv_heads = 1, .head_dim = 4};
  auto qkv = random_doubles("qkv", s.rows() * s.qkv_columns());
  const auto weights = random_doubles("weights", s.rows() * s.qkv_columns());
  const auto loss = [&] {
    std::vector<double> rotated = qkv;
    reference::rotary_forward<double>({.shape = s, .qkv = rotated.data()});
    return weighted_sum(weights, rotated);
  };
  std::vector<double> gradient = weights;
  reference::rotary_backward<double>({.shape = s, .qkv = gradient.data()});
  expect_gradient(qkv, gradient, loss, "dqkv");
}

}  // namespace
}  // namespace portolan
