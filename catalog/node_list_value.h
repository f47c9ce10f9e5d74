#pragma once

#include "catalog/document/value.h"
#include "topology/node_list.h"

namespace portolan {

/// Reads nodes: "0-5,17,40-63", or a list of such numbers and ranges. Returns whether it changed `nodes`; a
/// mistake is recorded.
bool read_node_list(const DocumentValue& value, NodeList& nodes);

}  // namespace portolan
