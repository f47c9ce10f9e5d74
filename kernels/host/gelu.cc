#include "kernels/host/activation.h"
#include "kernels/host/exponential.h"

namespace portolan::host {
namespace {

// The tanh form is u * sigmoid(2 z), z = sqrt(2/pi) (u + 0.044715 u^3), since (1 + tanh(z)) / 2 = sigmoid(2
// z): it keeps its relative precision where tanh is near -1.
constexpr float kTwoRoot = 1.5957691216F;  // 2 sqrt(2/pi)
constexpr float kCubic = 0.044715F;        // the paper's constant

PORTOLAN_INLINE void forward_loop(const operands::GeluForward<float>& a) {
  const float* const inputs = a.u;
  float* const y = a.y;
#pragma omp simd
  for (std::int64_t i = 0; i < a.count; ++i) {
    const float u = inputs[i];
    y[i] = u * sigmoid(kTwoRoot * u * (1.0F + kCubic * u * u)).value;
  }
}

PORTOLAN_INLINE void backward_loop(const operands::GeluBackward<float>& a) {
  const float* const inputs = a.u;
  float* const gradient = a.gradient;
#pragma omp simd
  for (std::int64_t i = 0; i < a.count; ++i) {
    const float u = inputs[i];
    const Sigmoid s = sigmoid(kTwoRoot * u * (1.0F + kCubic * u * u));
    gradient[i] *= s.value + u * s.derivative * (kTwoRoot * (1.0F + 3.0F * kCubic * u * u));
  }
}

}  // namespace

void gelu_forward(const operands::GeluForward<float>& a) { with_widest_vectors<forward_loop>(a); }

void gelu_backward(const operands::GeluBackward<float>& a) { with_widest_vectors<backward_loop>(a); }

}  // namespace portolan::host
