#pragma once

#include "catalog/document/section.h"
#include "catalog/json/json_value.h"
#include "plan/strategy.h"

namespace portolan {

/// A strategy under the short words of --strategy, and `overlap`. `layers` is a list, null where the default
/// applies; `axis_order` a list, innermost first; `bucket` bytes; `recompute` a text as --strategy takes it.
JsonValue to_json(const Strategy& strategy);
/// `num_layers`: of the model, which says what "block:3" means where no list of layers does.
void read_strategy(DocumentSection& section, Strategy& strategy, std::int64_t num_layers);

/// What is fixed, under the same words.
JsonValue to_json(const StrategyConstraints& constraints, Notation notation);
/// Values as --strategy takes them; `layers` and `axis_order` may be lists too.
void read_constraints(DocumentSection& section, StrategyConstraints& constraints);

}  // namespace portolan
