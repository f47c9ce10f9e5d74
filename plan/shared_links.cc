#include "plan/shared_links.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "plan/link_use.h"
#include "plan/links_asked.h"
#include "plan/rate_limits.h"

namespace portolan {

namespace {

/// Where flows of different sizes cross a link, they come to a part of the one that stands for them.
constexpr std::int32_t kPartsOfAFlow = 8;
constexpr double kRounding = 1e-6;

/// Flows that one transfer stands for, and the lane of a stage that waits for them.
struct User {
  const OpFlows::Kind* kind = nullptr;
  std::int32_t stage = 0;
  std::int32_t lane = 0;

  auto operator<=>(const User&) const = default;
};

/// Each once, in the order of the Program.
std::vector<User> users_of(const CostedProgram& program) {
  std::vector<User> users;
  std::set<User> known;
  const Program& source = *program.source;
  for (std::size_t s = 0; s < source.stages.size(); ++s) {
    const auto stage = static_cast<std::int32_t>(s);
    std::set<const CostedTemplate*> seen;
    for (std::size_t slot = 0; slot < source.stages[s].order.size(); ++slot) {
      const CostedTemplate& t = program.stages[s].in_slot(static_cast<std::int32_t>(slot));
      if (!seen.insert(&t).second) {
        continue;
      }
      const Template& from =
          source.stages[s].templates[static_cast<std::size_t>(source.stages[s].order[slot].template_index)];
      for (const CostedOp& costed : t.ops) {
        const Op& op = from.ops[static_cast<std::size_t>(costed.parts.front().op)];
        // A receive is its send, and both end stages share what they do.
        if (costed.kind == OpKind::kCompute || costed.is_timed || op.kind == OpKind::kReceive ||
            (op.group == GroupKind::kFirstAndLastStage && s > 0)) {
          continue;
        }
        for (const OpFlows::Kind& kind : program.flows->of(op, stage).kinds) {
          const User user{&kind, stage, costed.lane};
          if (known.insert(user).second) {
            users.push_back(user);
          }
        }
      }
    }
  }
  return users;
}

/// How many flows, like the one that stands for them, of a user cross a link.
struct FlowsOfUser {
  std::int32_t user = 0;
  double flows = 0;

  auto operator<=>(const FlowsOfUser&) const = default;
};

/// Of links that the same flows cross, the slowest.
std::map<std::vector<FlowsOfUser>, LinkIndex> crossed_by_lanes(const std::vector<User>& users,
                                                               const Cluster& cluster) {
  LinksAsked crossed(cluster);
  for (const User& user : users) {
    for (const LinkIndex link : user.kind->route) {
      crossed.add(link);
    }
  }
  std::vector<std::vector<FlowsOfUser>> uses_of(crossed.size());
  for (std::size_t user = 0; user < users.size(); ++user) {
    const OpFlows::Kind& kind = *users[user].kind;
    crossed.for_each_load(kind, [&](std::size_t place, double bytes) {
      uses_of[place].push_back({static_cast<std::int32_t>(user), bytes / kind.slowest.bytes});
    });
  }
  std::map<std::vector<FlowsOfUser>, LinkIndex> slowest_of;
  for (std::size_t place = 0; place < crossed.size(); ++place) {
    const LinkIndex link = crossed.link(place);
    const std::vector<FlowsOfUser>& uses = uses_of[place];
    const auto in_lane_of_first = [&](const FlowsOfUser& use) {
      const User& first = users[static_cast<std::size_t>(uses.front().user)];
      const User& user = users[static_cast<std::size_t>(use.user)];
      return user.stage == first.stage && user.lane == first.lane;
    };
    if (std::all_of(uses.begin(), uses.end(), in_lane_of_first)) {
      continue;
    }
    const auto [known, is_new] = slowest_of.try_emplace(uses, link);
    if (!is_new && cluster.bandwidth(link) < cluster.bandwidth(known->second)) {
      known->second = link;
    }
  }
  return slowest_of;
}

/// Of a flow, in which the shares of a link are counted.
std::int32_t parts_of(const std::vector<FlowsOfUser>& uses) {
  const bool whole = std::all_of(uses.begin(), uses.end(), [](const FlowsOfUser& use) {
    return std::abs(use.flows - std::round(use.flows)) <= kRounding;
  });
  return whole ? 1 : kPartsOfAFlow;
}

}  // namespace

BytesPerSecond rate_together(const Cluster& cluster, const OpFlows::Kind& kind) {
  return cluster.bandwidth(kind.busiest.link) / (kind.busiest.bytes / kind.slowest.bytes);
}

SharedLinks::SharedLinks(const CostedProgram& program, const Cluster& cluster) {
  const std::vector<User> users = users_of(program);
  std::vector<BytesPerSecond> most;
  for (const User& user : users) {
    most.push_back(rate_together(cluster, *user.kind));
  }
  std::vector<RateLimit> limits;
  for (const auto& [uses, link] : crossed_by_lanes(users, cluster)) {
    const std::int32_t parts = parts_of(uses);
    RateLimit limit{.number = link, .bandwidth = cluster.bandwidth(link) * parts, .shares = {}};
    for (const FlowsOfUser& use : uses) {
      // Rounded down: the shared link alone must never be slower than the flows themselves.
      const auto times = static_cast<std::int32_t>(std::floor(use.flows * parts + kRounding));
      if (times > 0) {
        limit.shares.push_back({use.user, times});
      }
    }
    limits.push_back(std::move(limit));
  }
  for (const RateLimit& limit : limits_that_bind(std::move(limits), most)) {
    for (const auto& [user, times] : limit.shares) {
      std::vector<Crossing>& crossings = crossings_[users[static_cast<std::size_t>(user)].kind];
      const auto is_known = [&](const Crossing& known) { return known.link == limit.number; };
      if (std::none_of(crossings.begin(), crossings.end(), is_known)) {
        crossings.push_back({.link = limit.number, .bandwidth = limit.bandwidth, .times = times});
      }
    }
  }
}

const std::vector<SharedLinks::Crossing>& SharedLinks::crossings(const OpFlows::Kind& kind) const {
  static const std::vector<Crossing> kNone;
  const auto found = crossings_.find(&kind);
  return found == crossings_.end() ? kNone : found->second;
}

}  // namespace portolan
