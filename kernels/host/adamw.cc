#include "kernels/host/adamw.h"

#include <cassert>
#include <cmath>

#include "kernels/host/vector_dispatch.h"

namespace portolan::host {
namespace {

PORTOLAN_INLINE void update_loop(const operands::AdamwUpdate<float>& a) {
  const operands::AdamwOptions& o = a.options;
  const auto step = static_cast<double>(o.step);
  // The constants of the whole buffer, in double: 1 - beta2^step loses digits in single precision.
  const auto beta1 = static_cast<float>(o.beta1);
  const auto beta2 = static_cast<float>(o.beta2);
  const auto new_share1 = static_cast<float>(1.0 - o.beta1);
  const auto new_share2 = static_cast<float>(1.0 - o.beta2);
  const auto kept = static_cast<float>(1.0 - o.learning_rate * o.weight_decay);
  const auto rate = static_cast<float>(o.learning_rate / (1.0 - std::pow(o.beta1, step)));
  const auto root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(o.beta2, step)));
  const auto epsilon = static_cast<float>(o.epsilon);
  const float* const gradient = a.gradient;
  float* const parameter = a.parameter;
  float* const first_moment = a.first_moment;
  float* const second_moment = a.second_moment;
#pragma omp simd
  for (std::int64_t i = 0; i < a.count; ++i) {
    const float g = gradient[i];
    const float m = beta1 * first_moment[i] + new_share1 * g;
    const float v = beta2 * second_moment[i] + new_share2 * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    parameter[i] = kept * parameter[i] - rate * (m / (std::sqrt(v) * root_correction + epsilon));
  }
}

}  // namespace

void adamw_update(const operands::AdamwUpdate<float>& a) {
  assert(a.options.step >= 1);
  with_widest_vectors<update_loop>(a);
}

}  // namespace portolan::host
