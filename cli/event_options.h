#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/cluster_event.h"
#include "plan/costed_program.h"
#include "topology/cluster.h"

namespace CLI {
class App;
}

namespace portolan {

/// Adds --event, which may be given again, to a verb.
void add_event_option(CLI::App& verb, std::vector<std::string>& into);
/// In the order given. Errors (kBadInput) name the option.
Result<std::vector<ClusterEvent>> parse_events(const std::vector<std::string>& texts);

/// The rung for a step: the one asked for; else folded, or full where replicas differ, because of the
/// cluster's condition, of events, or of how the job's nodes lie. Errors (kBadInput): one asked for that
/// cannot tell these apart.
Result<Fidelity> choose_fidelity(const std::optional<Fidelity>& asked, const Cluster& cluster,
                                 const std::vector<ClusterEvent>& events);

}  // namespace portolan
