#include "kernels/host/normalization.h"

#include "kernels/reference/normalization.h"
#include "tests/unit/kernels/closeness.h"
#include "tests/unit/kernels/finite_difference.h"

namespace portolan {
namespace {

using operands::InputGradient;

struct Shape {
  std::int64_t rows;
  std::int64_t columns;
};

constexpr Shape kShapes[] = {{1, 3}, {3, 4}, {5, 17}, {4, 64}, {33, 127}, {7, 1024}, {2, 2500}};

TEST(Layernorm, EqualsReference) {
  for (const auto& [rows, columns] : kShapes) {
    for (const auto mode : {InputGradient::kOverwrite, InputGradient::kAccumulate}) {
      Tensor x = random_tensor("x", rows * columns);
      Tensor gamma = random_tensor("gamma", columns);
      Tensor beta = random_tensor("beta", columns);
      Tensor y = poisoned_tensor(rows * columns);
      Tensor mean = poisoned_tensor(rows);
      Tensor rstd = poisoned_tensor(rows);
      host::layernorm_forward({.rows = rows,
                               .columns = columns,
                               .x = x.f(),
                               .gamma = gamma.f(),
                               .beta = beta.f(),
                               .y = y.f(),
                               .mean = mean.f(),
                               .rstd = rstd.f()});
      reference::layernorm_forward<double>({.rows = rows,
                                            .columns = columns,
                                            .x = x.d(),
                                            .gamma = gamma.d(),
                                            .beta = beta.d(),
                                            .y = y.d(),
                                            .mean = mean.d(),
                                            .rstd = rstd.d()});
      expect_close(y, "y");
      expect_close(mean, "mean");
      expect_close(rstd, "rstd");
      Tensor dy = random_tensor("dy", rows * columns);
      const bool overwrite = mode == InputGradient::kOverwrite;
      Tensor dx = overwrite ? poisoned_tensor(rows * columns) : random_tensor("dx", rows * columns);
      Tensor dgamma = random_tensor("dgamma", columns);
      Tensor dbeta = random_tensor("dbeta", columns);
      host::layernorm_backward({.rows = rows,
                                .columns = columns,
                                .input_gradient = mode,
                                .dy = dy.f(),
                                .x = x.f(),
                                .gamma = gamma.f(),
                                .mean = mean.f(),
                                .rstd = rstd.f(),
                                .dx = dx.f(),
                                .dgamma = dgamma.f(),
                                .dbeta = dbeta.f()});
      reference::layernorm_backward<double>({.rows = rows,
                                             .columns = columns,
                                             .input_gradient = mode,
                                             .dy = dy.d(),
                                             .x = x.d(),
                                             .gamma = gamma.d(),
                                             .mean = mean.d(),
                                             .rstd = rstd.d(),
                                             .dx = dx.d(),
                                             .dgamma = dgamma.d(),
                                             .dbeta = dbeta.d()});
      expect_close(dx, "dx", 1e-5);
      expect_close(dgamma, "dgamma", 1e-5);
      expect_close(dbeta, "dbeta");
    }
  }
}

TEST(Rmsnorm, EqualsReference) {
  for (const auto& [rows, columns] : kShapes) {
    for (const auto mode : {InputGradient::kOverwrite, InputGradient::kAccumulate}) {
      Tensor x = random_tensor("x", rows * columns);
      Tensor gamma = random_tensor("gamma", columns);
      Tensor y = poisoned_tensor(rows * columns);
      Tensor rstd = poisoned_tensor(rows);
      host::rmsnorm_forward({.rows = rows,
                             .columns = columns,
                             .epsilon = 1e-3,
                             .x = x.f(),
                             .gamma = gamma.f(),
                             .y = y.f(),
                             .rstd = rstd.f()});
      reference::rmsnorm_forward<double>({.rows = rows,
                                          .columns = columns,
                                          .epsilon = 1e-3,
                                          .x = x.d(),
                                          .gamma = gamma.d(),
                                          .y = y.d(),
                                          .rstd = rstd.d()});
      expect_close(y, "y");
      expect_close(rstd, "rstd");
      Tensor dy = random_tensor("dy", rows * columns);
      const bool overwrite = mode == InputGradient::kOverwrite;
      Tensor dx = overwrite ? poisoned_tensor(rows * columns) : random_tensor("dx", rows * columns);
      Tensor dgamma = random_tensor("dgamma", columns);
      host::rmsnorm_backward({.rows = rows,
                              .columns = columns,
                              .input_gradient = mode,
                              .dy = dy.f(),
                              .x = x.f(),
                              .gamma = gamma.f(),
                              .rstd = rstd.f(),
                              .dx = dx.f(),
                              .dgamma = dgamma.f()});
      reference::rmsnorm_backward<double>({.rows = rows,
                                           .columns = columns,
                                           .input_gradient = mode,
                                           .dy = dy.d(),
                                           .x = x.d(),
                                           .gamma = gamma.d(),
                                           .rstd = rstd.d(),
                                           .dx = dx.d(),
                                           .dgamma = dgamma.d()});
      expect_close(dx, "dx", 1e-4);
      expect_close(dgamma, "dgamma");
    }
  }
}

// The one-pass variance would lose every digit here: mean 1000, standard deviation 1.
TEST(Layernorm, KeepsItsDigitsFarFromZero) {
  Tensor x = random_tensor("x", 256);
  for (std::int64_t i = 0; i < 256; ++i) {
    x.f()[i] += 1000.0F;
    x.d()[i] = static_cast<double>(x.f()[i]);
  }
  Tensor gamma = constant_tensor(256, 1);
  Tensor beta = constant_tensor(256, 0);
  Tensor y = poisoned_tensor(256);
  Tensor mean = poisoned_tensor(1);
  Tensor rstd = poisoned_tensor(1);
  host::layernorm_forward({.rows = 1,
                           .columns = 256,
                           .x = x.f(),
                           .gamma = gamma.f(),
                           .beta = beta.f(),
                           .y = y.f(),
                           .mean = mean.f(),
                           .rstd = rstd.f()});
  reference::layernorm_forward<double>({.rows = 1,
                                        .columns = 256,
                                        .x = x.d(),
                                        .gamma = gamma.d(),
                                        .beta = beta.d(),
                                        .y = y.d(),
                                        .mean = mean.d(),
                                        .rstd = rstd.d()});
  expect_close(rstd, "rstd", 1e-6);
  expect_close(y, "y",
               1e-3);  // a sum of 256 terms in single precision keeps the mean to about 1e-6 of itself
}

// A row of one column has variance 0: y is beta whatever x is, and the gradient is 0 but for rounding.
TEST(Layernorm, OneColumnIsConstant) {
  const float x[] = {5};
  const float gamma[] = {2};
  const float beta[] = {3};
  const float dy[] = {1};
  float y[1];
  float mean[1];
  float rstd[1];
  float dx[1];
  float dgamma[] = {0};
  float dbeta[] = {0};
  host::layernorm_forward(
      {.rows = 1, .columns = 1, .x = x, .gamma = gamma, .beta = beta, .y = y, .mean = mean, .rstd = rstd});
  host::layernorm_backward({.rows = 1,
                            .columns = 1,
                            .input_gradient = InputGradient::kOverwrite,
                            .dy = dy,
                            .x = x,
                            .gamma = gamma,
                            .mean = mean,
                            .rstd = rstd,
                            .dx = dx,
                            .dgamma = dgamma,
                            .dbeta = dbeta});
  EXPECT_EQ(y[0], 3.0F);
  EXPECT_NEAR(dx[0], 0.0F, 1e-4F);
  EXPECT_EQ(dgamma[0], 0.0F);
  EXPECT_EQ(dbeta[0], 1.0F);
}

// x = (1, 3): mean 2, variance 1, so y = (-1, 1) without epsilon; the root mean square is sqrt(5).
TEST(Normalization, TwoColumnsByHand) {
  const float x[] = {1, 3};
  const float ones[] = {1, 1};
  const float zeros[] = {0, 0};
  float y[2];
  float mean[1];
  float rstd[1];
  host::layernorm_forward({.rows = 1,
                           .columns = 2,
                           .epsilon = 0,
                           .x = x,
                           .gamma = ones,
                           .beta = zeros,
                           .y = y,
                           .mean = mean,
                           .rstd = rstd});
  EXPECT_EQ(mean[0], 2.0F);
  EXPECT_EQ(rstd[0], 1.0F);
  EXPECT_EQ(y[0], -1.0F);
  EXPECT_EQ(y[1], 1.0F);
  host::rmsnorm_forward({.rows = 1, .columns = 2, .epsilon = 0, .x = x, .gamma = ones, .y = y, .rstd = rstd});
  EXPECT_FLOAT_EQ(rstd[0], 0.4472136F);
  EXPECT_FLOAT_EQ(y[1], 1.3416408F);
}

TEST(Layernorm, ReferenceGradientsAreFiniteDifferences) {
  const std::int64_t rows = 3;
  const std::int64_t columns = 5;
  auto x = random_doubles("x", rows * columns);
  auto gamma = random_doubles("gamma", columns);
  auto beta = random_doubles("beta", columns);
  const auto dy = random_doubles("dy", rows * columns);
  std::vector<double> mean(rows);
  std::vector<double> rstd(rows);
  const auto loss = [&] {
    std::vector<double> y(dy.size());
    reference::layernorm_forward<double>({.rows = rows,
                                          .columns = columns,
                                          .x = x.data(),
                                          .gamma = gamma.data(),
                                          .beta = beta.data(),
                                          .y = y.data(),
                                          .mean = mean.data(),
                                          .rstd = rstd.data()});
    return weighted_sum(dy, y);
  };
  loss();
  std::vector<double> dx(x.size());
  std::vector<double> dgamma(gamma.size());
  std::vector<double> dbeta(beta.size());
  reference::layernorm_backward<double>({.rows = rows,
                                         .columns = columns,
                                         .dy = dy.data(),
                                         .x = x.data(),
                                         .gamma = gamma.data(),
                                         .mean = mean.data(),
                                         .rstd = rstd.data(),
                                         .dx = dx.data(),
                                         .dgamma = dgamma.data(),
                                         .dbeta = dbeta.data()});
  expect_gradient(x, dx, loss, "dx");
  expect_gradient(gamma, dgamma, loss, "dgamma");
  expect_gradient(beta, dbeta, loss, "dbeta");
}

TEST(Rmsnorm, ReferenceGradientsAreFiniteDifferences) {
  const std::int64_t rows = 3;
  const std::int64_t columns = 5;
  auto x = random_doubles("x", rows * columns);
  auto gamma = random_doubles("gamma", columns);
  const auto dy = random_doubles("dy", rows * columns);
  std::vector<double> rstd(rows);
  const auto loss = [&] {
    std::vector<double> y(dy.size());
    reference::rmsnorm_forward<double>({.rows = rows,
                                        .columns = columns,
                                        .x = x.data(),
                                        .gamma = gamma.data(),
                                        .y = y.data(),
                                        .rstd = rstd.data()});
    return weighted_sum(dy, y);
  };
  loss();
  std::vector<double> dx(x.size());
  std::vector<double> dgamma(gamma.size());
  reference::rmsnorm_backward<double>({.rows = rows,
                                       .columns = columns,
                                       .dy = dy.data(),
                                       .x = x.data(),
                                       .gamma = gamma.data(),
                                       .rstd = rstd.data(),
                                       .dx = dx.data(),
                                       .dgamma = dgamma.data()});
  expect_gradient(x, dx, loss, "dx");
  expect_gradient(gamma, dgamma, loss, "dgamma");
}

}  // namespace
}  // namespace portolan
