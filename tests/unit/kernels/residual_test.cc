#include "kernels/host/residual.h"

#include "kernels/host/buffer.h"
#include "kernels/reference/linear.h"
#include "kernels/reference/residual.h"
#include "tests/unit/kernels/closeness.h"
#include "tests/unit/kernels/finite_difference.h"

namespace portolan {
namespace {

struct Shape {
  std::int64_t rows;
  std::int64_t columns;
};

TEST(Residual, EqualsReference) {
  for (const auto& [rows, columns] : {Shape{1, 1}, Shape{3, 7}, Shape{8, 64}, Shape{5, 333}}) {
    for (const bool with_bias : {false, true}) {
      Tensor x = random_tensor("x", rows * columns);
      Tensor bias = random_tensor("bias", columns);
      Tensor y = random_tensor("y", rows * columns);
      host::residual_add(
          {.rows = rows, .columns = columns, .x = x.f(), .bias = with_bias ? bias.f() : nullptr, .y = y.f()});
      reference::residual_add<double>(
          {.rows = rows, .columns = columns, .x = x.d(), .bias = with_bias ? bias.d() : nullptr, .y = y.d()});
      expect_close(y, "y", 2e-7);
    }
  }
}

TEST(Buffer, CopyFillAccumulate) {
  for (const std::int64_t count : {0, 1, 15, 16, 17, 1001}) {
    Tensor source = random_tensor("source", count);
    Tensor destination = poisoned_tensor(count);
    host::copy(destination.f(), source.f(), count);
    EXPECT_EQ(destination.single_precision, source.single_precision);
    destination.double_precision = source.double_precision;
    host::accumulate(destination.f(), source.f(), count);
    reference::accumulate(destination.d(), source.d(), count);
    expect_close(destination, "sum", 1e-7);
    host::fill_zero(destination.f(), count);
    EXPECT_EQ(destination.single_precision, std::vector<float>(static_cast<std::size_t>(count), 0.0F));
  }
}

// The gradient of y += x + bias: dx is dy added to what is there, dbias its column sums, dy itself passes
// through.
TEST(Residual, ReferenceGradientIsFiniteDifferences) {
  const std::int64_t rows = 3;
  const std::int64_t columns = 4;
  auto x = random_doubles("x", rows * columns);
  auto bias = random_doubles("bias", columns);
  auto y = random_doubles("y", rows * columns);
  const auto weights = random_doubles("weights", rows * columns);
  const auto loss = [&] {
    std::vector<double> out = y;
    reference::residual_add<double>(
        {.rows = rows, .columns = columns, .x = x.data(), .bias = bias.data(), .y = out.data()});
    return weighted_sum(weights, out);
  };
  std::vector<double> dx(x.size());
  std::vector<double> dbias(bias.size());
  reference::accumulate(dx.data(), weights.data(), rows * columns);
  reference::bias_backward<double>(
      {.rows = rows, .columns = columns, .dy = weights.data(), .dbias = dbias.data()});
  expect_gradient(x, dx, loss, "dx");
  expect_gradient(bias, dbias, loss, "dbias");
  expect_gradient(y, weights, loss, "dy");
}

}  // namespace
}  // namespace portolan
