#include "kernels/host/linear.h"

#include <thread>

#include "kernels/host/blas.h"
#include "kernels/reference/linear.h"
#include "tests/unit/kernels/closeness.h"
#include "tests/unit/kernels/finite_difference.h"

namespace portolan {
namespace {

struct Shape {
  std::int64_t rows;
  std::int64_t in;
  std::int64_t out;
};

constexpr Shape kShapes[] = {{1, 1, 1},    {1, 7, 5},      {3, 1, 4},     {17, 33, 9},
                             {64, 48, 96}, {130, 65, 257}, {300, 16, 520}};

TEST(Linear, ForwardEqualsReference) {
  for (const auto& [rows, in, out] : kShapes) {
    Tensor x = random_tensor("x", rows * in);
    Tensor weight = random_tensor("weight", out * in);
    Tensor bias = random_tensor("bias", out);
    for (const bool with_bias : {false, true}) {
      Tensor y = poisoned_tensor(rows * out);
      host::linear_forward({.rows = rows,
                            .in_features = in,
                            .out_features = out,
                            .x = x.f(),
                            .weight = weight.f(),
                            .bias = with_bias ? bias.f() : nullptr,
                            .y = y.f()});
      reference::linear_forward<double>({.rows = rows,
                                         .in_features = in,
                                         .out_features = out,
                                         .x = x.d(),
                                         .weight = weight.d(),
                                         .bias = with_bias ? bias.d() : nullptr,
                                         .y = y.d()});
      expect_close(y, "y");
    }
  }
}

TEST(Linear, BackwardEqualsReference) {
  for (const auto& [rows, in, out] : kShapes) {
    Tensor x = random_tensor("x", rows * in);
    Tensor weight = random_tensor("weight", out * in);
    Tensor dy = random_tensor("dy", rows * out);
    Tensor dx = poisoned_tensor(rows * in);
    Tensor dweight = random_tensor("dweight", out * in);
    Tensor dbias = random_tensor("dbias", out);
    host::linear_backward_input({.rows = rows,
                                 .in_features = in,
                                 .out_features = out,
                                 .dy = dy.f(),
                                 .weight = weight.f(),
                                 .dx = dx.f()});
    reference::linear_backward_input<double>({.rows = rows,
                                              .in_features = in,
                                              .out_features = out,
                                              .dy = dy.d(),
                                              .weight = weight.d(),
                                              .dx = dx.d()});
    expect_close(dx, "dx");
    host::linear_backward_weight({.rows = rows,
                                  .in_features = in,
                                  .out_features = out,
                                  .dy = dy.f(),
                                  .x = x.f(),
                                  .dweight = dweight.f()});
    reference::linear_backward_weight<double>({.rows = rows,
                                               .in_features = in,
                                               .out_features = out,
                                               .dy = dy.d(),
                                               .x = x.d(),
                                               .dweight = dweight.d()});
    expect_close(dweight, "dweight");
    host::bias_backward({.rows = rows, .columns = out, .dy = dy.f(), .dbias = dbias.f()});
    reference::bias_backward<double>({.rows = rows, .columns = out, .dy = dy.d(), .dbias = dbias.d()});
    expect_close(dbias, "dbias");
  }
}

TEST(Linear, ReferenceGradientsAreFiniteDifferences) {
  const std::int64_t rows = 3;
  const std::int64_t in = 4;
  const std::int64_t out = 5;
  auto x = random_doubles("x", rows * in);
  auto weight = random_doubles("weight", out * in);
  auto bias = random_doubles("bias", out);
  const auto dy = random_doubles("dy", rows * out);
  const auto loss = [&] {
    std::vector<double> y(dy.size());
    reference::linear_forward<double>({.rows = rows,
                                       .in_features = in,
                                       .out_features = out,
                                       .x = x.data(),
                                       .weight = weight.data(),
                                       .bias = bias.data(),
                                       .y = y.data()});
    return weighted_sum(dy, y);
  };
  std::vector<double> dx(x.size());
  std::vector<double> dweight(weight.size());
  std::vector<double> dbias(bias.size());
  reference::linear_backward_input<double>({.rows = rows,
                                            .in_features = in,
                                            .out_features = out,
                                            .dy = dy.data(),
                                            .weight = weight.data(),
                                            .dx = dx.data()});
  reference::linear_backward_weight<double>({.rows = rows,
                                             .in_features = in,
                                             .out_features = out,
                                             .dy = dy.data(),
                                             .x = x.data(),
                                             .dweight = dweight.data()});
  reference::bias_backward<double>({.rows = rows, .columns = out, .dy = dy.data(), .dbias = dbias.data()});
  expect_gradient(x, dx, loss, "dx");
  expect_gradient(weight, dweight, loss, "dweight");
  expect_gradient(bias, dbias, loss, "dbias");
}

// Ranks are threads of one process: the same product on several threads at once must give the same bits.
TEST(Linear, ConcurrentCallsGiveTheSameBits) {
  const std::int64_t size = 96;
  Tensor x = random_tensor("x", size * size);
  Tensor weight = random_tensor("weight", size * size);
  constexpr std::size_t kThreads = 4;
  std::vector<std::vector<float>> results(kThreads,
                                          std::vector<float>(static_cast<std::size_t>(size * size)));
  std::vector<std::thread> threads;
  for (std::vector<float>& result : results) {
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 20; ++repeat) {
        host::linear_forward({.rows = size,
                              .in_features = size,
                              .out_features = size,
                              .x = x.f(),
                              .weight = weight.f(),
                              .y = result.data()});
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const std::vector<float>& result : results) {
    EXPECT_EQ(result, results[0]);
  }
}

TEST(Blas, NamesItsCore) { EXPECT_FALSE(host::blas_core_name().empty()); }

}  // namespace
}  // namespace portolan
