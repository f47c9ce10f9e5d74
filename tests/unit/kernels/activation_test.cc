#include "kernels/host/activation.h"

#include "kernels/host/exponential.h"
#include "kernels/reference/activation.h"
#include "tests/unit/kernels/closeness.h"
#include "tests/unit/kernels/finite_difference.h"

namespace portolan {
namespace {

/// |actual - expected| in units in the last place of the expected value.
double error_in_units(float actual, double expected) {
  const float rounded = static_cast<float>(expected);
  const double unit =
      static_cast<double>(std::nextafter(rounded, std::numeric_limits<float>::max()) - rounded);
  return std::abs(static_cast<double>(actual) - expected) / unit;
}

TEST(Exponential, IsWithinTwoUnitsInTheLastPlace) {
  double worst = 0;
  for (float x = -87.3F; x < 88.0F; x += 1.9e-4F) {
    worst = std::max(worst, error_in_units(host::exponential(x), std::exp(static_cast<double>(x))));
  }
  EXPECT_LT(worst, 2.0);
}

TEST(Exponential, EdgesAreExact) {
  EXPECT_EQ(host::exponential(0.0F), 1.0F);
  EXPECT_EQ(host::exponential(-0.0F), 1.0F);
  EXPECT_EQ(host::exponential(-88.0F), 0.0F);
  EXPECT_EQ(host::exponential(-1e30F), 0.0F);
  EXPECT_EQ(host::exponential(-std::numeric_limits<float>::infinity()), 0.0F);
  EXPECT_TRUE(std::isnan(host::exponential(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Gelu, EqualsReference) {
  for (const std::int64_t count : {1, 15, 16, 17, 1000}) {
    Tensor u = random_tensor("u", count, 2);
    Tensor y = poisoned_tensor(count);
    host::gelu_forward({.count = count, .u = u.f(), .y = y.f()});
    reference::gelu_forward<double>({.count = count, .u = u.d(), .y = y.d()});
    expect_close(y, "y", 5e-7);
    Tensor gradient = random_tensor("dy", count);
    host::gelu_backward({.count = count, .u = u.f(), .gradient = gradient.f()});
    reference::gelu_backward<double>({.count = count, .u = u.d(), .gradient = gradient.d()});
    expect_close(gradient, "du", 5e-7);
    host::gelu_forward({.count = count, .u = u.f(), .y = u.f()});
    EXPECT_EQ(u.single_precision, y.single_precision) << "in place";
  }
}

TEST(Gelu, KnownValuesAndExtremes) {
  const float u[] = {0, 1, -1, 1e4F, -1e4F, 1e12F, -1e12F};
  const float expected_y[] = {0, 0.841192F, -0.158808F, 1e4F, 0, 1e12F, 0};
  const float expected_slope[] = {0.5F, 1.0829641F, -0.0829641F, 1, 0, 1, 0};
  float y[7];
  float slope[] = {1, 1, 1, 1, 1, 1, 1};
  host::gelu_forward({.count = 7, .u = u, .y = y});
  host::gelu_backward({.count = 7, .u = u, .gradient = slope});
  for (int i = 0; i < 7; ++i) {
    EXPECT_NEAR(y[i], expected_y[i], 1e-6F * (1 + std::abs(expected_y[i]))) << u[i];
    EXPECT_NEAR(slope[i], expected_slope[i], 1e-6F) << u[i];
  }
}

TEST(Swiglu, EqualsReference) {
  struct Shape {
    std::int64_t rows;
    std::int64_t features;
  };
  for (const auto& [rows, features] : {Shape{1, 1}, Shape{3, 7}, Shape{5, 16}, Shape{9, 101}}) {
    Tensor u = random_tensor("u", rows * 2 * features, 3);
    Tensor g = poisoned_tensor(rows * features);
    host::swiglu_forward({.rows = rows, .features = features, .u = u.f(), .g = g.f()});
    reference::swiglu_forward<double>({.rows = rows, .features = features, .u = u.d(), .g = g.d()});
    expect_close(g, "g", 5e-7);
    Tensor dg = random_tensor("dg", rows * features);
    Tensor du = poisoned_tensor(rows * 2 * features);
    host::swiglu_backward({.rows = rows, .features = features, .u = u.f(), .dg = dg.f(), .du = du.f()});
    reference::swiglu_backward<double>(
        {.rows = rows, .features = features, .u = u.d(), .dg = dg.d(), .du = du.d()});
    expect_close(du, "du", 5e-7);
    host::swiglu_backward({.rows = rows, .features = features, .u = u.f(), .dg = dg.f(), .du = u.f()});
    EXPECT_EQ(u.single_precision, du.single_precision) << "in place";
  }
}

TEST(Swiglu, ExtremeGates) {
  const float u[] = {1e4F, -1e4F, 2.0F, 2.0F};  // gates, then ups
  const float dg[] = {1, 1};
  float g[2];
  float du[4];
  host::swiglu_forward({.rows = 1, .features = 2, .u = u, .g = g});
  host::swiglu_backward({.rows = 1, .features = 2, .u = u, .dg = dg, .du = du});
  EXPECT_EQ(g[0], 2e4F);
  EXPECT_EQ(g[1], 0.0F);
  EXPECT_EQ(du[0], 2.0F);
  EXPECT_EQ(du[1], 0.0F);
  EXPECT_EQ(du[2], 1e4F);
  EXPECT_EQ(du[3], 0.0F);
}

TEST(Activation, NanIsNotHidden) {
  std::vector<float> u(40, 1.0F);
  u[20] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> y(40);
  host::gelu_forward({.count = 40, .u = u.data(), .y = y.data()});
  EXPECT_TRUE(std::isnan(y[20]));
  EXPECT_FALSE(std::isnan(y[21]));
  host::swiglu_forward({.rows = 1, .features = 20, .u = u.data(), .g = y.data()});
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_FALSE(std::isnan(y[1]));
}

TEST(Gelu, ReferenceGradientIsFiniteDifferences) {
  auto u = random_doubles("u", 40);
  const auto dy = random_doubles("dy", 40);
  const auto loss = [&] {
    std::vector<double> y(u.size());
    reference::gelu_forward<double>({.count = 40, .u = u.data(), .y = y.data()});
    return weighted_sum(dy, y);
  };
  std::vector<double> gradient = dy;
  reference::gelu_backward<double>({.count = 40, .u = u.data(), .gradient = gradient.data()});
  expect_gradient(u, gradient, loss, "du");
}

TEST(Swiglu, ReferenceGradientIsFiniteDifferences) {
  const std::int64_t rows = 4;
  const std::int64_t features = 5;
  auto u = random_doubles("u", rows * 2 * features);
  const auto dg = random_doubles("dg", rows * features);
  const auto loss = [&] {
    std::vector<double> g(dg.size());
    reference::swiglu_forward<double>({.rows = rows, .features = features, .u = u.data(), .g = g.data()});
    return weighted_sum(dg, g);
  };
  std::vector<double> du(u.size());
  reference::swiglu_backward<double>(
      {.rows = rows, .features = features, .u = u.data(), .dg = dg.data(), .du = du.data()});
  expect_gradient(u, du, loss, "du");
}

}  // namespace
}  // namespace portolan
