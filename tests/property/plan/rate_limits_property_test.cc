#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "plan/rate_limits.h"

namespace portolan {
namespace {

constexpr std::int32_t kNumUsers = 5;

struct System {
  std::vector<RateLimit> limits;
  std::vector<BytesPerSecond> most;
};

System random_system(std::mt19937_64& random) {
  const auto up_to = [&](std::int32_t last) { return std::uniform_int_distribution(0, last)(random); };
  System system;
  for (std::int32_t user = 0; user < kNumUsers; ++user) {
    system.most.emplace_back(1.0 + up_to(5));
  }
  const std::int32_t num_limits = 1 + up_to(7);
  for (std::int32_t number = 0; number < num_limits; ++number) {
    RateLimit limit{.number = number, .bandwidth = BytesPerSecond(1.0 + up_to(11)), .shares = {}};
    for (std::int32_t user = 0; user < kNumUsers; ++user) {
      if (const std::int32_t times = std::max(up_to(4) - 1, 0); times > 0) {
        limit.shares.push_back({user, times});
      }
    }
    system.limits.push_back(std::move(limit));
  }
  return system;
}

/// Max-min fair rates of the users whose bit is set, by progressive filling; 0 of the others.
std::vector<double> fair_rates(const std::vector<RateLimit>& limits, const System& system, unsigned active) {
  constexpr double kSlack = 1e-9;
  std::vector<double> rates(kNumUsers, 0);
  unsigned rising = active;
  while (rising != 0) {
    double step = std::numeric_limits<double>::infinity();
    const auto room = [&](const RateLimit& limit) {
      double used = 0, slope = 0;
      for (const auto& [user, times] : limit.shares) {
        used += times * rates[static_cast<std::size_t>(user)];
        slope += (rising >> user & 1U) != 0 ? times : 0;
      }
      return std::pair(limit.bandwidth.value - used, slope);
    };
    for (const RateLimit& limit : limits) {
      if (const auto [left, slope] = room(limit); slope > 0) {
        step = std::min(step, left / slope);
      }
    }
    for (std::size_t user = 0; user < kNumUsers; ++user) {
      if ((rising >> user & 1U) != 0) {
        step = std::min(step, system.most[user].value - rates[user]);
      }
    }
    unsigned full = 0;
    for (std::size_t user = 0; user < kNumUsers; ++user) {
      if ((rising >> user & 1U) != 0) {
        rates[user] += step;
        full |= rates[user] >= system.most[user].value - kSlack ? 1U << user : 0U;
      }
    }
    for (const RateLimit& limit : limits) {
      if (room(limit).first <= kSlack) {
        for (const RateLimit::Share& share : limit.shares) {
          full |= 1U << share.user;
        }
      }
    }
    rising &= ~full;
  }
  return rates;
}

TEST(RateLimitsProperty, WhatIsLeftOutChangesNoFairRate) {
  std::mt19937_64 random(1);
  std::size_t num_left_out = 0;
  for (int round = 0; round < 2000; ++round) {
    const System system = random_system(random);
    const std::vector<RateLimit> binding = limits_that_bind(system.limits, system.most);
    num_left_out += system.limits.size() - binding.size();
    for (unsigned active = 1; active < 1U << kNumUsers; ++active) {
      const std::vector<double> all = fair_rates(system.limits, system, active);
      const std::vector<double> left = fair_rates(binding, system, active);
      for (std::size_t user = 0; user < kNumUsers; ++user) {
        ASSERT_NEAR(all[user], left[user], 1e-9) << "round " << round << ", active " << active;
      }
    }
  }
  EXPECT_GT(num_left_out, 2000U);
}

TEST(RateLimitsProperty, WhatIsLeftFollowsFromNothing) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 2000; ++round) {
    const System system = random_system(random);
    const std::vector<RateLimit> once = limits_that_bind(system.limits, system.most);
    EXPECT_EQ(limits_that_bind(once, system.most), once);
  }
}

TEST(RateLimits, KeepsTheFirstOfEqualOnes) {
  const RateLimit first{.number = 7, .bandwidth = BytesPerSecond(10), .shares = {{0, 1}, {1, 1}}};
  RateLimit second = first;
  second.number = 3;
  RateLimit wider = first;
  wider.bandwidth = BytesPerSecond(16);
  RateLimit looser = first;  // of one user, half as tight
  looser.shares = {{1, 1}};
  looser.bandwidth = BytesPerSecond(20);
  const std::vector<BytesPerSecond> most{BytesPerSecond(8), BytesPerSecond(9)};
  EXPECT_EQ(limits_that_bind({wider, looser, first, second}, most), std::vector{first});
  EXPECT_TRUE(limits_that_bind({wider}, std::vector{BytesPerSecond(8), BytesPerSecond(8)}).empty());
}

}  // namespace
}  // namespace portolan
