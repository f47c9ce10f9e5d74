#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// Nodes of a cluster in the order of a job's ranks: node i of the job is node [i] of the cluster. Empty: all
/// of the cluster, as it numbers them.
using NodeList = std::vector<std::int32_t>;

/// "0-5,17,40-63", as Slurm writes lists of numbers; an order other than ascending is kept. Spaces beside
/// commas are allowed. Errors (kBadInput): what is no number or range, a range that falls, a node named
/// twice, more than a million nodes.
Result<NodeList> parse_node_list(std::string_view text);
/// The same text, runs of ascending neighbours as ranges.
std::string format_node_list(const NodeList& nodes);

/// Whether these are nodes 0, 1, ..., as a cluster numbers them itself.
bool are_first_nodes(const NodeList& nodes);

/// Why these are not nodes of a cluster of `num_nodes`, each once; empty: they are.
std::string find_node_problem(const NodeList& nodes, std::int64_t num_nodes);

}  // namespace portolan
