#include "catalog/node_list_value.h"

namespace portolan {

bool read_node_list(const DocumentValue& value, NodeList& nodes) {
  const DocumentNode& node = value.node();
  std::string text = node.scalar;
  for (const DocumentNode& item : node.items) {
    if (item.kind != DocumentNode::Kind::kScalar) {
      return value.refuse("is no list of nodes (allowed: as in 0-5,17,40-63)");
    }
    text += (text.empty() ? "" : ",") + item.scalar;
  }
  if (node.kind == DocumentNode::Kind::kMapping) {
    return value.refuse("is no list of nodes (allowed: as in 0-5,17,40-63)");
  }
  Result<NodeList> read = parse_node_list(text);
  if (!read) {
    return value.refuse(read.error());
  }
  nodes = *std::move(read);
  return true;
}

}  // namespace portolan
