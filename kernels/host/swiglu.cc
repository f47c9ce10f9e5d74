#include "kernels/host/activation.h"
#include "kernels/host/exponential.h"

namespace portolan::host {
namespace {

PORTOLAN_INLINE void forward_loop(const operands::SwigluForward<float>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const gate = a.u + r * 2 * a.features;
    const float* const up = gate + a.features;
    float* const g = a.g + r * a.features;
#pragma omp simd
    for (std::int64_t j = 0; j < a.features; ++j) {
      g[j] = gate[j] * sigmoid(gate[j]).value * up[j];
    }
  }
}

PORTOLAN_INLINE void backward_loop(const operands::SwigluBackward<float>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const gates = a.u + r * 2 * a.features;
    const float* const ups = gates + a.features;
    const float* const dg = a.dg + r * a.features;
    float* const dgate = a.du + r * 2 * a.features;
    float* const dup = dgate + a.features;
#pragma omp simd
    for (std::int64_t j = 0; j < a.features; ++j) {
      const float gate = gates[j];
      const float up = ups[j];
      const Sigmoid s = sigmoid(gate);
      dgate[j] = dg[j] * up * (s.value + gate * s.derivative);
      dup[j] = dg[j] * gate * s.value;
    }
  }
}

}  // namespace

void swiglu_forward(const operands::SwigluForward<float>& a) { with_widest_vectors<forward_loop>(a); }

void swiglu_backward(const operands::SwigluBackward<float>& a) { with_widest_vectors<backward_loop>(a); }

}  // namespace portolan::host
