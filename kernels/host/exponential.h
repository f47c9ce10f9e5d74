#pragma once

#include <bit>
#include <cstdint>

#include "kernels/host/vector_dispatch.h"

namespace portolan::host {

/// exp(x) for x <= 88 within 2 units in the last place; 0 below log(2^-126), where the result would be
/// denormal; NaN for NaN. No branch, no call, no table: a loop around it vectorises, unlike one around
/// std::exp. Method: x = n log(2) + r with |r| <= log(2)/2, log(2) split in two so that r is exact (Cody,
/// Waite 1980, "Software Manual for the Elementary Functions", chapter 6); exp(r) by its Taylor polynomial of
/// degree 7, whose remainder is below 0.35^8/8! = 6e-9, a tenth of a unit; times 2^n by writing n into the
/// exponent bits.
PORTOLAN_INLINE float exponential(float x) {
  constexpr float kLowest = -87.33654F;            // log(2^-126)
  constexpr float kLog2E = 1.44269504F;            // 1 / log(2)
  constexpr float kLog2High = 0.693145751953125F;  // log(2) to 16 bits: its product with n is exact
  constexpr float kLog2Low = 1.42860677e-6F;       // log(2) - kLog2High
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const float clamped = x < kLowest ? kLowest : x;  // NaN stays
  const float shifted = clamped * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (clamped - n * kLog2High) - n * kLog2Low;
  float p = 1.0F / 5040;
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::uint32_t exponent_bits = (std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U;
  const float result = p * std::bit_cast<float>(exponent_bits);
  return x < kLowest ? 0.0F : result;
}

/// 1 / (1 + exp(-x)) and its derivative, both to full relative precision in either tail.
struct Sigmoid {
  float value;
  float derivative;
};

PORTOLAN_INLINE Sigmoid sigmoid(float x) {
  const float magnitude = x < 0.0F ? -x : x;
  const float e = exponential(-magnitude);
  const float inverse = 1.0F / (1.0F + e);
  return {.value = (x < 0.0F ? e : 1.0F) * inverse, .derivative = e * inverse * inverse};
}

}  // namespace portolan::host
