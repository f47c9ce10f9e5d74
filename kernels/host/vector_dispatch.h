#pragma once

#include "kernels/host/instruction_set.h"

// One loop, compiled once per instruction set. A loop is written as an inline function marked
// PORTOLAN_INLINE, as is everything that it calls, and run by with_widest_vectors<loop>(arguments). Inlining
// carries it into a function whose `target` attribute lets the compiler use wider vectors. Unlike
// target_clones this needs no ifunc, whose resolver runs before a sanitizer's runtime is ready.

#define PORTOLAN_INLINE [[gnu::always_inline]] inline
#define PORTOLAN_INLINE_LAMBDA __attribute__((always_inline))

namespace portolan::host {

#if defined(__x86_64__)
template <auto loop, typename Arguments>
[[gnu::target("avx2,fma"), gnu::noinline]] void with_avx2(const Arguments& arguments) {
  loop(arguments);
}

template <auto loop, typename Arguments>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), gnu::noinline]] void with_avx512(
    const Arguments& arguments) {
  loop(arguments);
}
#endif

/// loop(arguments) with the widest vectors of this processor.
template <auto loop, typename Arguments>
void with_widest_vectors(const Arguments& arguments) {
#if defined(__x86_64__)
  if (instruction_set() == InstructionSet::kAvx512) {
    return with_avx512<loop>(arguments);
  }
  if (instruction_set() == InstructionSet::kAvx2) {
    return with_avx2<loop>(arguments);
  }
#endif
  loop(arguments);
}

}  // namespace portolan::host
