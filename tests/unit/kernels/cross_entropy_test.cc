#include "kernels/host/cross_entropy.h"

#include "kernels/reference/cross_entropy.h"
#include "tests/unit/kernels/closeness.h"
#include "tests/unit/kernels/finite_difference.h"

namespace portolan {
namespace {

struct Shape {
  std::int64_t rows;
  std::int64_t vocabulary;
};

TEST(CrossEntropy, EqualsReference) {
  for (const auto& [rows, vocabulary] :
       {Shape{1, 1}, Shape{3, 2}, Shape{5, 17}, Shape{9, 100}, Shape{4, 5003}}) {
    const auto targets = random_tokens("targets", rows, vocabulary);
    Tensor logits = random_tensor("logits", rows * vocabulary, 4);
    double loss = 10;  // the kernel adds
    double expected_loss = 10;
    host::cross_entropy_forward({.rows = rows,
                                 .vocabulary = vocabulary,
                                 .targets = targets.data(),
                                 .logits = logits.f(),
                                 .loss_sum = &loss});
    reference::cross_entropy_forward<double>({.rows = rows,
                                              .vocabulary = vocabulary,
                                              .targets = targets.data(),
                                              .logits = logits.d(),
                                              .loss_sum = &expected_loss});
    EXPECT_NEAR(loss, expected_loss, 5e-7 * expected_loss);
    expect_close(logits, "probabilities");
    const double scale = 1.0 / static_cast<double>(rows);
    host::cross_entropy_backward({.rows = rows,
                                  .vocabulary = vocabulary,
                                  .scale = scale,
                                  .targets = targets.data(),
                                  .probabilities = logits.f()});
    reference::cross_entropy_backward<double>({.rows = rows,
                                               .vocabulary = vocabulary,
                                               .scale = scale,
                                               .targets = targets.data(),
                                               .probabilities = logits.d()});
    expect_close(logits, "dlogits");
  }
}

// Uniform logits over 4 tokens: probability 1/4 each, loss log 4.
TEST(CrossEntropy, UniformByHand) {
  float logits[] = {7, 7, 7, 7};
  const std::int32_t targets[] = {2};
  double loss = 0;
  host::cross_entropy_forward(
      {.rows = 1, .vocabulary = 4, .targets = targets, .logits = logits, .loss_sum = &loss});
  EXPECT_DOUBLE_EQ(loss, std::log(4.0));
  host::cross_entropy_backward(
      {.rows = 1, .vocabulary = 4, .scale = 2, .targets = targets, .probabilities = logits});
  EXPECT_EQ(logits[0], 0.5F);
  EXPECT_EQ(logits[2], -1.5F);
}

// A target whose probability has become 0 has a large loss, not an infinite one.
TEST(CrossEntropy, ExtremeLogitsAreFinite) {
  float logits[] = {1e4F, -1e4F, 0, -1e4F, 1e4F, 1e4F};
  const std::int32_t targets[] = {1, 2};
  double loss = 0;
  host::cross_entropy_forward(
      {.rows = 2, .vocabulary = 3, .targets = targets, .logits = logits, .loss_sum = &loss});
  EXPECT_NEAR(loss, 2e4 + std::log(2.0), 1e-3);
  const float expected[] = {1, 0, 0, 0, 0.5F, 0.5F};
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(logits[i], expected[i]) << i;
  }
}

// Training that has gone wrong must say so, wherever in the row the NaN is.
TEST(CrossEntropy, NanIsNotHidden) {
  for (const std::size_t place : {std::size_t{0}, std::size_t{7}, std::size_t{16}, std::size_t{39}}) {
    std::vector<float> logits(40, 1.0F);
    logits[place] = std::numeric_limits<float>::quiet_NaN();
    const std::int32_t targets[] = {5};
    double loss = 0;
    host::cross_entropy_forward(
        {.rows = 1, .vocabulary = 40, .targets = targets, .logits = logits.data(), .loss_sum = &loss});
    EXPECT_TRUE(std::isnan(loss)) << place;
    EXPECT_TRUE(std::isnan(logits[20])) << place;
  }
}

TEST(CrossEntropy, ReferenceGradientIsFiniteDifferences) {
  const std::int64_t rows = 3;
  const std::int64_t vocabulary = 6;
  const double scale = 0.7;
  const auto targets = random_tokens("targets", rows, vocabulary);
  auto logits = random_doubles("logits", rows * vocabulary);
  std::vector<double> gradient;
  const auto loss = [&] {
    double sum = 0;
    gradient = logits;
    reference::cross_entropy_forward<double>({.rows = rows,
                                              .vocabulary = vocabulary,
                                              .targets = targets.data(),
                                              .logits = gradient.data(),
                                              .loss_sum = &sum});
    return scale * sum;
  };
  loss();
  reference::cross_entropy_backward<double>({.rows = rows,
                                             .vocabulary = vocabulary,
                                             .scale = scale,
                                             .targets = targets.data(),
                                             .probabilities = gradient.data()});
  const std::vector<double> analytic = gradient;
  expect_gradient(logits, analytic, loss, "dlogits");
}

}  // namespace
}  // namespace portolan
