#pragma once

#include <cstdint>

namespace portolan::operands {

/// Hyperparameters of one step. The defaults are those of Kingma, Ba 2014, arXiv:1412.6980.
struct AdamwOptions {
  double learning_rate;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  std::int64_t step;  ///< 1 for the first update

  bool operator==(const AdamwOptions&) const = default;
};

/// One step of Adam with decoupled weight decay: m and v are updated, and
/// p -= learning_rate (m^ / (sqrt(v^) + epsilon) + weight_decay p), with m^ = m / (1 - beta1^step) and
/// likewise v^. Source: Loshchilov, Hutter 2017, arXiv:1711.05101, algorithm 2, with a schedule multiplier
/// folded into the rate.
template <typename T>
struct AdamwUpdate {
  std::int64_t count;
  AdamwOptions options;
  const T* gradient;  // (count)
  T* parameter;       // (count)
  T* first_moment;    // (count), zero before step 1
  T* second_moment;   // (count), zero before step 1
};

}  // namespace portolan::operands
