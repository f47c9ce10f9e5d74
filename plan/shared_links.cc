#include "plan/shared_links.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "plan/link_use.h"
#include "plan/links_asked.h"

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

}  // namespace

SharedLinks::SharedLinks(const CostedProgram& program, const Cluster& cluster) {
  struct FlowsOfUser {
    const User* user = nullptr;
    double flows = 0;  ///< like the one that stands for them

    auto operator<=>(const FlowsOfUser&) const = default;
  };
  const std::vector<User> users = users_of(program);
  LinksAsked crossed(cluster);
  for (const User& user : users) {
    for (const LinkIndex link : user.kind->route) {
      crossed.add(link);
    }
  }
  std::vector<std::vector<FlowsOfUser>> uses_of(crossed.size());
  for (const User& user : users) {
    crossed.for_each_load(*user.kind, [&](std::size_t place, double bytes) {
      uses_of[place].push_back({&user, bytes / user.kind->slowest.bytes});
    });
  }
  const auto bandwidth = [&](LinkIndex link) {
    return cluster.link_bandwidths()[static_cast<std::size_t>(link)];
  };
  std::map<std::vector<FlowsOfUser>, LinkIndex> slowest_of;
  for (std::size_t place = 0; place < crossed.size(); ++place) {
    const LinkIndex link = crossed.link(place);
    const std::vector<FlowsOfUser>& uses = uses_of[place];
    const auto in_lane_of_first = [first = uses.front().user](const FlowsOfUser& use) {
      return use.user->stage == first->stage && use.user->lane == first->lane;
    };
    if (std::all_of(uses.begin(), uses.end(), in_lane_of_first)) {
      continue;
    }
    const auto [known, is_new] = slowest_of.try_emplace(uses, link);
    if (!is_new && bandwidth(link) < bandwidth(known->second)) {
      known->second = link;
    }
  }
  for (const auto& [uses, link] : slowest_of) {
    const bool whole = std::all_of(uses.begin(), uses.end(), [](const FlowsOfUser& use) {
      return std::abs(use.flows - std::round(use.flows)) <= kRounding;
    });
    const std::int32_t parts = whole ? 1 : kPartsOfAFlow;
    for (const FlowsOfUser& use : uses) {
      // Rounded down: the shared link alone must never be slower than the flows themselves.
      const double flows = use.flows * parts;
      const auto times = static_cast<std::int32_t>(std::floor(flows + kRounding));
      std::vector<Crossing>& crossings = crossings_[use.user->kind];
      const auto is_known = [&, at = link](const Crossing& known) { return known.link == at; };
      if (times > 0 && std::none_of(crossings.begin(), crossings.end(), is_known)) {
        crossings.push_back({.link = link, .parts = parts, .times = times});
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
