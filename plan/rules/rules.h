#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plan/legality.h"

namespace portolan {

// Each rule finds what is wrong with one side of a strategy, and expects nothing wrong with those before it:
// find_rejection has their order.
using Found = std::optional<Rejection>;
using Rule = Found (*)(const Scenario&, const Strategy&);

Rejection reject(RejectReason reason, std::string message);
/// "WHAT is not available yet (allowed: ALLOWED)".
Rejection not_available(std::string_view what, std::string_view allowed);

Found find_attention_problem(const Scenario& scenario, const Strategy& s);
Found find_split_backward_problem(const Scenario& scenario, const Strategy& s);
Found find_aggregation_problem(const Scenario& scenario, const Strategy& s);
Found find_compression_problem(const Scenario& scenario, const Strategy& s);
Found find_offload_problem(const Scenario& scenario, const Strategy& s);
Found find_degree_problem(const Scenario& scenario, const Strategy& s);
Found find_placement_problem(const Scenario& scenario, const Strategy& s);
Found find_sharing_problem(const Scenario& scenario, const Strategy& s);
Found find_expert_problem(const Scenario& scenario, const Strategy& s);
Found find_peak_problem(const Scenario& scenario, const Strategy& s);
Found find_width_problem(const Scenario& scenario, const Strategy& s);
Found find_expert_width_problem(const Scenario& scenario, const Strategy& s);
Found find_sequence_problem(const Scenario& scenario, const Strategy& s);
Found find_stage_problem(const Scenario& scenario, const Strategy& s);
Found find_recompute_problem(const Scenario& scenario, const Strategy& s);
Found find_batch_problem(const Scenario& scenario, const Strategy& s);
Found find_fp8_problem(const Scenario& scenario, const Strategy& s);

}  // namespace portolan
