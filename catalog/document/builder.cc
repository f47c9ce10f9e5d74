#include "catalog/document/builder.h"

#include <fmt/format.h>

#include <utility>

namespace portolan {

namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 4'000'000;

}  // namespace

DocumentBuilder::DocumentBuilder(std::shared_ptr<const DocumentOrigin> origin) : origin_(std::move(origin)) {}

void DocumentBuilder::refuse(int line, std::string_view message) {
  if (!problem_) {
    problem_ = bad_input(fmt::format("{}:{}: {}", printable(origin_->file), line, message));
  }
}

DocumentNode DocumentBuilder::new_node(DocumentNode::Kind kind, int line) {
  if (++num_nodes_ > kMaxNodes) {
    refuse(line, fmt::format("more than {} values", kMaxNodes));
  }
  DocumentNode node;
  node.kind = kind;
  node.line = line;
  node.origin = origin_;
  return node;
}

void DocumentBuilder::start(DocumentNode::Kind kind, int line) {
  if (frames_.size() >= kMaxDepth) {
    refuse(line, fmt::format("nested more than {} levels deep", kMaxDepth));
  }
  if (!has_problem()) {
    frames_.push_back({new_node(kind, line), {}, {}});
  }
}

void DocumentBuilder::start_mapping(int line) { start(DocumentNode::Kind::kMapping, line); }
void DocumentBuilder::start_sequence(int line) { start(DocumentNode::Kind::kSequence, line); }

void DocumentBuilder::place(DocumentNode node) {
  if (has_problem()) {
    return;
  }
  if (frames_.empty()) {
    root_ = std::move(node);
    return;
  }
  Frame& frame = frames_.back();
  if (frame.node.kind == DocumentNode::Kind::kSequence) {
    frame.node.items.push_back(std::move(node));
    return;
  }
  frame.pending->value = std::move(node);
  frame.node.entries.push_back(std::move(*frame.pending));
  frame.pending.reset();
}

void DocumentBuilder::end() {
  if (has_problem()) {
    return;
  }
  DocumentNode node = std::move(frames_.back().node);
  frames_.pop_back();
  place(std::move(node));
}

void DocumentBuilder::key(std::string_view text, int line) {
  if (has_problem()) {
    return;
  }
  Frame& frame = frames_.back();
  if (!frame.keys.emplace(text).second) {
    refuse(line, fmt::format("{}: is there twice", printable(text)));
    return;
  }
  frame.pending = DocumentEntry{std::string(text), line, {}};
}

void DocumentBuilder::scalar(std::string_view text, bool quoted, int line) {
  DocumentNode node = new_node(DocumentNode::Kind::kScalar, line);
  node.scalar = text;
  node.quoted = quoted;
  place(std::move(node));
}

void DocumentBuilder::null(int line) {
  // A parser notices that a value is missing when it comes to what follows, maybe lines later.
  const bool follows_key = !has_problem() && !frames_.empty() && frames_.back().pending;
  place(new_node(DocumentNode::Kind::kNull, follows_key ? frames_.back().pending->line : line));
}

bool DocumentBuilder::expects_key() const {
  return !has_problem() && !frames_.empty() && frames_.back().node.kind == DocumentNode::Kind::kMapping &&
         !frames_.back().pending;
}

Result<DocumentNode> DocumentBuilder::finish() {
  if (problem_) {
    return *problem_;
  }
  if (!root_) {
    return bad_input(fmt::format("{}: is empty", printable(origin_->file)));
  }
  return std::move(*root_);
}

}  // namespace portolan
