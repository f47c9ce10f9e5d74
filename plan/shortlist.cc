#include "plan/shortlist.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace portolan {

void BestPlaces::add(const RankedPlace& found) {
  if (found.value <= limit()) {
    list_.insert(std::upper_bound(list_.begin(), list_.end(), found), found);
    if (list_.size() > wanted_.most) {
      list_.pop_back();
    }
  }
}

double BestPlaces::limit() const {
  if (list_.size() < std::max<std::size_t>(wanted_.fewest, 1)) {
    return std::numeric_limits<double>::infinity();
  }
  const double near = list_.front().value * (1 + wanted_.tolerance);
  const double enough = std::max(list_[std::max<std::size_t>(wanted_.fewest, 1) - 1].value, near);
  return list_.size() < wanted_.most ? enough : std::min(enough, list_.back().value);
}

std::vector<RankedPlace> BestPlaces::take() {
  const double last = limit();
  std::erase_if(list_, [&](const RankedPlace& found) { return found.value > last; });
  return std::move(list_);
}

}  // namespace portolan
