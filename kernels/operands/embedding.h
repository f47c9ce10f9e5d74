#pragma once

#include <cstdint>

namespace portolan::operands {

/// x[row] = word[tokens[row]], plus position[row % sequence] when there is a position table. Overwrites x.
/// Preconditions: tokens are valid rows of the word table; sequence >= 1.
template <typename T>
struct EmbeddingForward {
  std::int64_t rows;
  std::int64_t sequence;
  std::int64_t columns;
  const std::int32_t* tokens;   // (rows)
  const T* word;                // (vocabulary, columns)
  const T* position = nullptr;  // (at least sequence, columns) or none
  T* x;                         // (rows, columns)
};

/// dword[tokens[row]] += dx[row] and, when there is a position table, dposition[row % sequence] += dx[row].
template <typename T>
struct EmbeddingBackward {
  std::int64_t rows;
  std::int64_t sequence;
  std::int64_t columns;
  const std::int32_t* tokens;  // (rows)
  const T* dx;                 // (rows, columns)
  T* dword;                    // (vocabulary, columns)
  T* dposition = nullptr;      // (at least sequence, columns) or none
};

}  // namespace portolan::operands
