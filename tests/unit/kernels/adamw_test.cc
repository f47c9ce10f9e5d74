#include "kernels/host/adamw.h"

#include "kernels/reference/adamw.h"
#include "tests/unit/kernels/closeness.h"

namespace portolan {
namespace {

// By hand, with beta1 = beta2 = 1/2, rate 0.1, decay 0.1, no epsilon, gradients 2, 2, -2 from parameter 1:
//   step 1: m = 1,     v = 2;     m^ = 1 / (1/2) = 2,         v^ = 2 / (1/2) = 4;       p = 1 - 0.1 (1 + 0.1)
//   step 2: m = 1.5,   v = 3;     m^ = 1.5 / (3/4) = 2,       v^ = 3 / (3/4) = 4;       p = 0.89 - 0.1 (1 +
//   0.089) step 3: m = -0.25, v = 3.5;   m^ = -0.25 / (7/8) = -2/7,  v^ = 3.5 / (7/8) = 4;     p = 0.7811 -
//   0.1 (-1/7 + 0.07811)
TEST(Adamw, ThreeStepsByHand) {
  struct Row {
    float gradient;
    float parameter;
    float first_moment;
    float second_moment;
  };
  constexpr Row kTable[] = {{2, 0.89F, 1, 2}, {2, 0.7811F, 1.5F, 3}, {-2, 0.78757471F, -0.25F, 3.5F}};
  float parameter = 1;
  float first_moment = 0;
  float second_moment = 0;
  std::int64_t step = 0;
  for (const Row& row : kTable) {
    ++step;
    host::adamw_update({.count = 1,
                        .options = {.learning_rate = 0.1,
                                    .beta1 = 0.5,
                                    .beta2 = 0.5,
                                    .epsilon = 0,
                                    .weight_decay = 0.1,
                                    .step = step},
                        .gradient = &row.gradient,
                        .parameter = &parameter,
                        .first_moment = &first_moment,
                        .second_moment = &second_moment});
    EXPECT_FLOAT_EQ(parameter, row.parameter) << "step " << step;
    EXPECT_FLOAT_EQ(first_moment, row.first_moment) << "step " << step;
    EXPECT_FLOAT_EQ(second_moment, row.second_moment) << "step " << step;
  }
}

TEST(Adamw, EqualsReferenceOverManySteps) {
  for (const std::int64_t count : {1, 13, 16, 100, 1001}) {
    Tensor parameter = random_tensor("parameter", count);
    Tensor first_moment = constant_tensor(count, 0);
    Tensor second_moment = constant_tensor(count, 0);
    for (std::int64_t step = 1; step <= 50; ++step) {
      Tensor gradient = random_tensor(std::to_string(step), count, 1e-3);
      const operands::AdamwOptions options{
          .learning_rate = 1e-2, .beta2 = 0.95, .weight_decay = 0.1, .step = step};
      host::adamw_update({.count = count,
                          .options = options,
                          .gradient = gradient.f(),
                          .parameter = parameter.f(),
                          .first_moment = first_moment.f(),
                          .second_moment = second_moment.f()});
      reference::adamw_update<double>({.count = count,
                                       .options = options,
                                       .gradient = gradient.d(),
                                       .parameter = parameter.d(),
                                       .first_moment = first_moment.d(),
                                       .second_moment = second_moment.d()});
    }
    expect_close(parameter, "parameter", 5e-6);
    expect_close(first_moment, "first moment");
    expect_close(second_moment, "second moment");
  }
}

// No gradient: only the decay acts, and nothing is divided by zero.
TEST(Adamw, ZeroGradientOnlyDecays) {
  const float gradient = 0;
  float parameter = 2;
  float first_moment = 0;
  float second_moment = 0;
  host::adamw_update({.count = 1,
                      .options = {.learning_rate = 0.5, .weight_decay = 0.5, .step = 1},
                      .gradient = &gradient,
                      .parameter = &parameter,
                      .first_moment = &first_moment,
                      .second_moment = &second_moment});
  EXPECT_EQ(parameter, 1.5F);
}

}  // namespace
}  // namespace portolan
