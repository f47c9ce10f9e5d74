#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "plan/costed_program.h"
#include "topology/cluster.h"

namespace CLI {
class App;
}

namespace portolan {

/// Adds --fidelity, which sets `into`, to a verb.
void add_fidelity_option(CLI::App& verb, std::string& into);
void add_fidelity_option(CLI::App& verb, std::optional<std::string>& into);
/// The rung that was asked for, or what is allowed.
Result<Fidelity> parse_fidelity(const std::string& text);

/// The rung for a step on `cluster`: the one asked for; else folded, or full where the cluster is irregular,
/// as replicas then differ. Errors (kBadInput): a rung is asked for that takes these to be alike.
Result<Fidelity> choose_fidelity(const std::optional<std::string>& asked, const Cluster& cluster);

}  // namespace portolan
