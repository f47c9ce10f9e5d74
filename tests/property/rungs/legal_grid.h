#pragma once

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

#include "plan/legality.h"
#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// Strategies of a scenario over the product of choices for fields, those of the field named first outermost.
class LegalGrid {
 public:
  explicit LegalGrid(const Scenario& scenario) : scenario_(scenario) {}

  template <typename T>
  LegalGrid& vary(T Strategy::*field, std::initializer_list<T> values) {
    std::vector<Strategy> next;
    for (const Strategy& s : list_) {
      for (const T& value : values) {
        next.push_back(s);
        next.back().*field = value;
      }
    }
    list_ = std::move(next);
    return *this;
  }
  /// `change(strategy)` sets fields that follow from others.
  template <typename Change>
  LegalGrid& each(const Change& change) {
    std::for_each(list_.begin(), list_.end(), change);
    return *this;
  }
  /// As many replicas as there are GPUs for; what needs more of them than there are is left out.
  LegalGrid& fill_gpus() {
    each([&](Strategy& s) {
      s.data_parallel = static_cast<std::int32_t>(
          scenario_.num_gpus / (s.tensor_parallel * s.context_parallel * s.pipeline_parallel));
    });
    std::erase_if(list_, [](const Strategy& s) { return s.data_parallel == 0; });
    return *this;
  }
  /// Those that break no rule.
  std::vector<Strategy> take() {
    std::erase_if(list_, [&](const Strategy& s) { return find_rejection(scenario_, s).has_value(); });
    return std::move(list_);
  }

 private:
  const Scenario& scenario_;
  std::vector<Strategy> list_ = std::vector<Strategy>(1);
};

}  // namespace portolan
