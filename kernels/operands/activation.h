#pragma once

#include <cstdint>

namespace portolan::operands {

/// y = u/2 (1 + tanh(sqrt(2/pi) (u + 0.044715 u^3))), the tanh form of GELU that GPT-2 uses.
/// Source: Hendrycks, Gimpel 2016, arXiv:1606.08415, section 2. y may be u itself.
template <typename T>
struct GeluForward {
  std::int64_t count;
  const T* u;  // (count)
  T* y;        // (count)
};

/// In place: dy becomes du. Precondition: |u| < 1e18, so that its square is finite.
template <typename T>
struct GeluBackward {
  std::int64_t count;
  const T* u;   // (count), the forward kernel's input
  T* gradient;  // (count), dy on entry, du on return
};

/// g = silu(gate) * up, silu(z) = z / (1 + exp(-z)). Source: Shazeer 2020, arXiv:2002.05202.
template <typename T>
struct SwigluForward {
  std::int64_t rows;
  std::int64_t features;
  const T* u;  // (rows, 2 * features): [gate | up]
  T* g;        // (rows, features)
};

/// du from dg and the forward kernel's input. Overwrites du, which may be u itself.
template <typename T>
struct SwigluBackward {
  std::int64_t rows;
  std::int64_t features;
  const T* u;   // (rows, 2 * features): [gate | up]
  const T* dg;  // (rows, features)
  T* du;        // (rows, 2 * features)
};

}  // namespace portolan::operands
