#include "plan/rate_limits.h"

#include <algorithm>
#include <utility>

namespace portolan {

namespace {

bool is_never_full(const RateLimit& limit, std::span<const BytesPerSecond> most) {
  BytesPerSecond together;
  for (const auto& [user, times] : limit.shares) {
    together += most[static_cast<std::size_t>(user)] * times;
  }
  return together <= limit.bandwidth;
}

/// Whether no rates that `other` allows exceed the limit: it gives each of its users no larger part of
/// itself.
bool follows_from(const RateLimit& limit, const RateLimit& other) {
  auto there = other.shares.begin();
  for (const auto& [user, times] : limit.shares) {
    there = std::find_if(there, other.shares.end(),
                         [wanted = user](const RateLimit::Share& share) { return share.user >= wanted; });
    if (there == other.shares.end() || there->user != user ||
        times * other.bandwidth.value > there->times * limit.bandwidth.value) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::vector<RateLimit> limits_that_bind(std::vector<RateLimit> limits, std::span<const BytesPerSecond> most) {
  std::erase_if(limits, [&](const RateLimit& limit) { return is_never_full(limit, most); });
  // A limit follows from those of as many users or more.
  std::stable_sort(limits.begin(), limits.end(),
                   [](const RateLimit& a, const RateLimit& b) { return a.shares.size() > b.shares.size(); });
  std::vector<RateLimit> binding;
  for (RateLimit& limit : limits) {
    const auto implies = [&](const RateLimit& other) { return follows_from(limit, other); };
    if (std::none_of(binding.begin(), binding.end(), implies)) {
      std::erase_if(binding, [&](const RateLimit& other) { return follows_from(other, limit); });
      binding.push_back(std::move(limit));
    }
  }
  return binding;
}

}  // namespace portolan
