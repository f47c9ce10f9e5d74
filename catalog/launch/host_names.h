#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/launch/launch_files.h"

namespace portolan {

/// Names of a cluster's nodes, one a line, in the order in which its hardware file counts them; empty lines
/// and those that begin with # are none. Errors (kBadInput), "FILE:LINE: ...": a name that is none (letters,
/// digits, dots, dashes and underscores are allowed, 253 of them), or is there twice; another number of names
/// than `num_nodes`.
Result<std::vector<std::string>> read_host_names(std::string_view text, std::string_view file,
                                                 std::int64_t num_nodes);

/// Puts the names into the files that list nodes. Precondition: a name for each node of the hardware.
void name_hosts(LaunchExport& launch, const Plan& plan, const std::vector<std::string>& names);

}  // namespace portolan
