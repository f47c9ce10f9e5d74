#include "cli/event_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "catalog/impairment_text.h"
#include "plan/share_changes.h"

namespace portolan {

void add_event_option(CLI::App& verb, std::vector<std::string>& into) {
  verb.add_option(
          "--event", into,
          "What goes wrong within the step, such as \"slow-gpu node3.gpu5 0.7 at 1.2 s\", "
          "\"slow-link node0.nic1->pod0.leaf1 50% at 1 s for 0.5 s\", \"failed-nic node3.nic2 at 2 s\"; "
          "also dead-link, failed-node, congested-spine. May be given again "
          "(docs/degraded-clusters.md)")
      ->type_name("EVENT")
      ->allow_extra_args(false);
}

Result<std::vector<ClusterEvent>> parse_events(const std::vector<std::string>& texts) {
  std::vector<ClusterEvent> events;
  for (const std::string& text : texts) {
    Result<ClusterEvent> event = parse_event(text);
    if (!event) {
      return bad_input("--event: " + event.error().message);
    }
    events.push_back(*std::move(event));
  }
  return events;
}

Result<Fidelity> choose_fidelity(const std::optional<Fidelity>& asked, const Cluster& cluster,
                                 const std::vector<ClusterEvent>& events) {
  if (const auto known = check_events(cluster, events); !known) {
    return bad_input("--event: " + known.error().message);
  }
  const bool differ = !cluster.is_healthy() || !events.empty();
  if (!asked) {
    return differ || !cluster.is_regular() ? Fidelity::kFull : Fidelity::kFolded;
  }
  if (differ && *asked < Fidelity::kFull) {
    return bad_input(
        fmt::format("--fidelity: {} lets one replica or rail stand for others, which differ where "
                    "something is wrong with the cluster (allowed: full, explicit)",
                    fidelity_name(*asked)));
  }
  if (!cluster.is_regular() && *asked < Fidelity::kReplicas) {
    return bad_input(
        fmt::format("--fidelity: {} takes replicas to be alike, which on these nodes they are not (allowed: "
                    "replicas, full, "
                    "explicit)",
                    fidelity_name(*asked)));
  }
  return *asked;
}

}  // namespace portolan
