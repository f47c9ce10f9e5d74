#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/quantity.h"
#include "base/result.h"
#include "catalog/document/node.h"
#include "catalog/words.h"
#include "topology/hardware.h"

namespace portolan {

/// What a reader of a document found wrong: the first mistake of each class. A key that is missing is often
/// one that is misspelt, so that an unknown key is reported before a missing one, and a wrong value first.
struct Findings {
  std::optional<Error> wrong_value;
  std::optional<Error> unknown_key;
  std::optional<Error> missing_key;
  /// What to do about a figure that says "unknown"; empty: the word means nothing special.
  std::string unknown_hint;

  std::optional<Error> first() const {
    return wrong_value ? wrong_value : unknown_key ? unknown_key : missing_key;
  }
};

/// Bounds of a whole number, both allowed.
struct WholeRange {
  std::int64_t least = 0;
  std::int64_t most = std::int64_t{1} << 53;
};

/// Bounds of a number, both allowed.
struct NumberRange {
  double least = 0;
  double most = std::numeric_limits<double>::max();
};

/// A node together with the way to it. Lives on the stack of the reader while its parent does.
class DocumentValue {
 public:
  DocumentValue(const DocumentNode& root, Findings& findings) : node_(&root), findings_(&findings) {}
  DocumentValue(const DocumentValue& parent, const DocumentNode& node, std::string_view key)
      : node_(&node), findings_(parent.findings_), parent_(&parent), key_(key) {}
  DocumentValue(const DocumentValue& parent, const DocumentNode& node, std::size_t index)
      : node_(&node), findings_(parent.findings_), parent_(&parent), index_(index) {}

  const DocumentNode& node() const { return *node_; }
  Findings& findings() const { return *findings_; }
  /// "device.gemm_points[3].rate", from the document's root.
  std::string path() const;
  /// Records `message` as wrong with this value, unless an earlier value was wrong. Returns false.
  bool refuse(std::string_view message) const;
  /// The same with the kind of `error`.
  bool refuse(const Error& error) const;
  /// The same with the value in front: "\"abc\" message".
  bool refuse_value(std::string_view message) const;

  /// Each of these returns whether it changed its argument; a mistake is recorded.
  bool read(std::string& text) const;
  bool read(bool& flag) const;
  bool read(std::int64_t& number, WholeRange range = {}) const;
  bool read(std::int32_t& number, WholeRange range = {0, std::numeric_limits<std::int32_t>::max()}) const;
  bool read(std::uint64_t& number) const;
  bool read(double& number, NumberRange range = {}) const;
  bool read(Bytes& size) const;
  bool read(Seconds& time) const;
  bool read(BytesPerSecond& rate) const;
  bool read(Flops& work) const;
  bool read(FlopsPerSecond& rate) const;
  bool read(Watts& power) const;
  template <typename Enum>
  requires std::is_enum_v<Enum>
  bool read(Enum& value) const;
  /// `{value: 80 GiB, source: "datasheet"}`, with `unvalidated: true` where no measurement supports it; or
  /// the value alone, whose source is then the file's name.
  template <typename T, typename... Rules>
  bool read(Sourced<T>& sourced, const Rules&... rules) const;

 private:
  /// The scalar, or nothing after recording that `expected` was wanted.
  const std::string* scalar(std::string_view expected) const;
  /// The same for a number or boolean, which quotes make a string.
  const std::string* unquoted(std::string_view expected) const;
  template <typename Q>
  bool read_quantity(Q& quantity, Result<Q> (*parse)(std::string_view)) const;
  const DocumentNode* sourced_value() const;
  std::string source_of() const;
  bool is_unvalidated() const;

  const DocumentNode* node_;
  Findings* findings_;
  const DocumentValue* parent_ = nullptr;
  std::string_view key_;
  std::optional<std::size_t> index_;
};

template <typename Enum>
requires std::is_enum_v<Enum>
bool DocumentValue::read(Enum& value) const {
  const std::string* text = scalar("a word");
  if (text == nullptr) {
    return false;
  }
  const std::optional<Enum> found = find_word<Enum>(*text);
  if (!found) {
    return refuse_value("is not known (allowed: " + list_words(words<Enum>()) + ")");
  }
  value = *found;
  return true;
}

template <typename T, typename... Rules>
bool DocumentValue::read(Sourced<T>& sourced, const Rules&... rules) const {
  if (node_->kind != DocumentNode::Kind::kMapping) {
    sourced.source = source_of();
    sourced.unvalidated = false;
    return read(sourced.value, rules...);
  }
  const DocumentNode* value = sourced_value();
  sourced.source = source_of();
  sourced.unvalidated = is_unvalidated();
  return value != nullptr && DocumentValue(*this, *value, "value").read(sourced.value, rules...);
}

}  // namespace portolan
