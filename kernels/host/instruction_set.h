#pragma once

namespace portolan::host {

/// The vector instructions that the loops of this folder are compiled for; each process uses the widest that
/// its processor has.
enum class InstructionSet {
  kBaseline,  ///< what the compiler assumes of any processor (SSE2 on x86-64)
  kAvx2,      ///< AVX2 and FMA, 8 floats
  kAvx512,    ///< AVX-512 F, BW, DQ and VL, 16 floats
};

/// Found out once. PORTOLAN_INSTRUCTION_SET=baseline or avx2 in the environment asks for less (to compare, or
/// to reproduce another machine's rounding).
InstructionSet instruction_set();

}  // namespace portolan::host
