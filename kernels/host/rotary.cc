#include "kernels/host/rotary.h"

#include <cassert>
#include <cmath>

#include "kernels/host/vector_dispatch.h"

namespace portolan::host {
namespace {

constexpr std::int64_t kMaxPairs = operands::kMaxRotaryHeadDim / 2;

/// Cosines and sines of one position's angles. The next position's come by angle addition in double, which
/// costs four multiplications where std::cos costs a call; the error grows by about 1e-16 per position.
struct Angles {
  double cos_step[kMaxPairs];  ///< of one position, signed by the direction
  double sin_step[kMaxPairs];
  double cos_angle[kMaxPairs];
  double sin_angle[kMaxPairs];
  float cos_float[kMaxPairs];
  float sin_float[kMaxPairs];
};

struct Rotation {
  operands::Rotary<float> operands;
  double direction;  ///< 1 forward, -1 backward
};

void start_at_position_zero(const Rotation& rotation, Angles& angles) {
  const auto& [operands, direction] = rotation;
  const std::int64_t half = operands.shape.head_dim / 2;
  for (std::int64_t j = 0; j < half; ++j) {
    const double exponent = -2.0 * static_cast<double>(j) / static_cast<double>(operands.shape.head_dim);
    const double step = std::pow(operands.theta, exponent);
    angles.cos_step[j] = std::cos(step);
    angles.sin_step[j] = direction * std::sin(step);
    angles.cos_angle[j] = 1;
    angles.sin_angle[j] = 0;
  }
}

PORTOLAN_INLINE void take_floats_and_advance(Angles& angles, std::int64_t half) {
#pragma omp simd
  for (std::int64_t j = 0; j < half; ++j) {
    const double c = angles.cos_angle[j];
    const double s = angles.sin_angle[j];
    angles.cos_float[j] = static_cast<float>(c);
    angles.sin_float[j] = static_cast<float>(s);
    angles.cos_angle[j] = c * angles.cos_step[j] - s * angles.sin_step[j];
    angles.sin_angle[j] = s * angles.cos_step[j] + c * angles.sin_step[j];
  }
}

PORTOLAN_INLINE void rotate_head(const Angles& angles, std::int64_t half, float* head) {
#pragma omp simd
  for (std::int64_t j = 0; j < half; ++j) {
    const float first = head[j];
    const float second = head[j + half];
    head[j] = first * angles.cos_float[j] - second * angles.sin_float[j];
    head[j + half] = second * angles.cos_float[j] + first * angles.sin_float[j];
  }
}

PORTOLAN_INLINE void rotate_loop(const Rotation& rotation) {
  const auto& shape = rotation.operands.shape;
  const std::int64_t half = shape.head_dim / 2;
  Angles angles;
  start_at_position_zero(rotation, angles);
  for (std::int64_t position = 0; position < shape.sequence; ++position) {
    take_floats_and_advance(angles, half);
    for (std::int64_t b = 0; b < shape.batch; ++b) {
      float* const row = rotation.operands.qkv + (b * shape.sequence + position) * shape.qkv_columns();
      for (std::int64_t head = 0; head < shape.heads + shape.kv_heads; ++head) {
        rotate_head(angles, half, row + head * shape.head_dim);
      }
    }
  }
}

void rotate(const Rotation& rotation) {
  assert(rotation.operands.shape.head_dim % 2 == 0);
  assert(rotation.operands.shape.head_dim <= operands::kMaxRotaryHeadDim);
  with_widest_vectors<rotate_loop>(rotation);
}

}  // namespace

void rotary_forward(const operands::Rotary<float>& a) { rotate({.operands = a, .direction = 1}); }

void rotary_backward(const operands::Rotary<float>& a) { rotate({.operands = a, .direction = -1}); }

}  // namespace portolan::host
