#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/cluster_event.h"

namespace portolan {

// What is wrong with a cluster, in words: in hardware files, and with a time as --event. impairment_text() of
// topology/condition.h is the way back of the first. Errors (kBadInput) are one line without a place; that
// the cluster has the part is looked at by find_problem().

/// "slow-gpu node3.gpu5 0.7", "slow-gpu node3.gpu5 70%", "failed-nic node3.nic2".
Result<Impairment> parse_impairment(std::string_view text);

/// The same, with "at 1.2 s" (else from the start of the step) and "for 0.5 s" (else to the end) behind it.
Result<ClusterEvent> parse_event(std::string_view text);
std::string event_text(const ClusterEvent& event);

}  // namespace portolan
