#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace portolan {

/// Repeated measurements of one thing, s.
class Sample {
 public:
  void add(double seconds) { seconds_.push_back(seconds); }
  void append(const Sample& other) {
    seconds_.insert(seconds_.end(), other.seconds_.begin(), other.seconds_.end());
  }
  bool empty() const { return seconds_.empty(); }
  std::size_t size() const { return seconds_.size(); }

  /// Precondition of these: not empty.
  double median() const { return middle(seconds_); }
  /// Mean without the highest twentieth: the usual spread counts, as it does in a step; an interruption does
  /// not.
  double typical() const {
    std::vector<double> sorted = seconds_;
    std::sort(sorted.begin(), sorted.end());
    const std::size_t kept = std::max<std::size_t>(sorted.size() - (sorted.size() + 19) / 20, 1);
    double sum = 0;
    for (std::size_t i = 0; i < kept; ++i) {
      sum += sorted[i];
    }
    return sum / static_cast<double>(kept);
  }
  /// Median absolute deviation over the median.
  double noise() const {
    const double center = median();
    std::vector<double> deviations;
    for (const double value : seconds_) {
      deviations.push_back(std::abs(value - center));
    }
    return center > 0 ? middle(std::move(deviations)) / center : 0;
  }

 private:
  static double middle(std::vector<double> values) {
    const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), half, values.end());
    return *half;
  }

  std::vector<double> seconds_;
};

}  // namespace portolan
