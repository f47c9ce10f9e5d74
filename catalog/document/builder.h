#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/document/node.h"

namespace portolan {

/// Makes a DocumentNode from a parser's events and keeps what hostile input may not exceed: 64 levels,
/// 4 million nodes, unique keys. After the first problem all further events are ignored.
class DocumentBuilder {
 public:
  explicit DocumentBuilder(std::shared_ptr<const DocumentOrigin> origin);

  void start_mapping(int line);
  void start_sequence(int line);
  void end();
  /// In a mapping, before each value.
  void key(std::string_view text, int line);
  void scalar(std::string_view text, bool quoted, int line);
  void null(int line);
  /// Whether the next event in a mapping has to be a key.
  bool expects_key() const;
  void refuse(int line, std::string_view message);

  bool has_problem() const { return problem_.has_value(); }
  /// The root, or the first problem. Precondition: as many end() as start_...().
  Result<DocumentNode> finish();

 private:
  struct Frame {
    DocumentNode node;
    std::set<std::string, std::less<>> keys;
    std::optional<DocumentEntry> pending;
  };
  DocumentNode new_node(DocumentNode::Kind kind, int line);
  void start(DocumentNode::Kind kind, int line);
  void place(DocumentNode node);

  std::shared_ptr<const DocumentOrigin> origin_;
  std::vector<Frame> frames_;
  std::optional<DocumentNode> root_;
  std::optional<Error> problem_;
  std::size_t num_nodes_ = 0;
};

}  // namespace portolan
