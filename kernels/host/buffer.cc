#include "kernels/host/buffer.h"

#include <algorithm>

#include "kernels/host/vector_dispatch.h"

namespace portolan::host {
namespace {

struct Accumulation {
  float* destination;
  const float* source;
  std::int64_t count;
};

PORTOLAN_INLINE void accumulate_loop(const Accumulation& a) {
  float* const destination = a.destination;
  const float* const source = a.source;
#pragma omp simd
  for (std::int64_t i = 0; i < a.count; ++i) {
    destination[i] += source[i];
  }
}

}  // namespace

void copy(float* destination, const float* source, std::int64_t count) {
  std::copy_n(source, count, destination);
}

void fill_zero(float* destination, std::int64_t count) { std::fill_n(destination, count, 0.0F); }

void accumulate(float* destination, const float* source, std::int64_t count) {
  const Accumulation arguments{.destination = destination, .source = source, .count = count};
  with_widest_vectors<accumulate_loop>(arguments);
}

}  // namespace portolan::host
