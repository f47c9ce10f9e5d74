#pragma once

#include <cstdint>

namespace portolan::operands {

/// What a backward kernel does with the gradient of its input: a residual branch adds to what is there.
enum class InputGradient { kOverwrite, kAccumulate };

/// y = gamma * (x - mean) * rstd + beta, with each row's mean and rstd = 1 / sqrt(variance + epsilon), kept
/// for the backward kernel. Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450. Overwrites y, mean, rstd.
template <typename T>
struct LayernormForward {
  std::int64_t rows;
  std::int64_t columns;
  double epsilon = 1e-5;  ///< that of GPT-2
  const T* x;             // (rows, columns)
  const T* gamma;         // (columns)
  const T* beta;          // (columns)
  T* y;                   // (rows, columns)
  T* mean;                // (rows)
  T* rstd;                // (rows)
};

/// dgamma += and dbeta += always; dx as `input_gradient` says. No output overlaps an input.
template <typename T>
struct LayernormBackward {
  std::int64_t rows;
  std::int64_t columns;
  InputGradient input_gradient = InputGradient::kAccumulate;
  const T* dy;     // (rows, columns)
  const T* x;      // (rows, columns)
  const T* gamma;  // (columns)
  const T* mean;   // (rows)
  const T* rstd;   // (rows)
  T* dx;           // (rows, columns)
  T* dgamma;       // (columns)
  T* dbeta;        // (columns)
};

/// y = gamma * x * rstd with each row's rstd = 1 / sqrt(mean(x^2) + epsilon). Source: Zhang, Sennrich 2019,
/// arXiv:1910.07467. Overwrites y, rstd.
template <typename T>
struct RmsnormForward {
  std::int64_t rows;
  std::int64_t columns;
  double epsilon = 1e-5;  ///< that of LLaMA 2
  const T* x;             // (rows, columns)
  const T* gamma;         // (columns)
  T* y;                   // (rows, columns)
  T* rstd;                // (rows)
};

/// dgamma += always; dx as `input_gradient` says. No output overlaps an input.
template <typename T>
struct RmsnormBackward {
  std::int64_t rows;
  std::int64_t columns;
  InputGradient input_gradient = InputGradient::kAccumulate;
  const T* dy;     // (rows, columns)
  const T* x;      // (rows, columns)
  const T* gamma;  // (columns)
  const T* rstd;   // (rows)
  T* dx;           // (rows, columns)
  T* dgamma;       // (columns)
};

}  // namespace portolan::operands
