#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "catalog/document/describe.h"
#include "catalog/document/value.h"

namespace portolan {

/// The suffix of a quantity's key where values are bare numbers: "memory_bytes", "latency_s".
template <typename T>
struct KeySuffix {
  static constexpr std::string_view value = "";
};
template <typename T>
struct KeySuffix<Sourced<T>> : KeySuffix<T> {};
template <>
struct KeySuffix<Bytes> {
  static constexpr std::string_view value = "_bytes";
};
template <>
struct KeySuffix<Seconds> {
  static constexpr std::string_view value = "_s";
};
template <>
struct KeySuffix<BytesPerSecond> {
  static constexpr std::string_view value = "_bytes_per_s";
};
template <>
struct KeySuffix<FlopsPerSecond> {
  static constexpr std::string_view value = "_flops_per_s";
};
template <>
struct KeySuffix<Watts> {
  static constexpr std::string_view value = "_w";
};

/// Reads a mapping by naming its keys:
///   DocumentSection section(value);
///   section.required("bandwidth", link.bandwidth);
///   section.optional("latency", link.latency);
///   section.finish();
/// Mistakes go to the value's Findings; finish() reports the keys that nobody named.
class DocumentSection {
 public:
  explicit DocumentSection(const DocumentValue& value);

  /// Rules are those of DocumentValue::read, such as WholeRange.
  template <typename T, typename... Rules>
  void required(std::string_view key, T& target, const Rules&... rules) {
    read_key(Need::kRequired, key, target, rules...);
  }
  /// Without the key (in JSON also with null) `target` keeps its value.
  template <typename T, typename... Rules>
  bool optional(std::string_view key, T& target, const Rules&... rules) {
    return read_key(Need::kOptional, key, target, rules...);
  }

  /// Calls `read` with the section below `key`.
  template <typename Function>
  void section(std::string_view key, Function&& read) {
    read_section(find_required(key, "a mapping"), read);
  }
  template <typename Function>
  void optional_section(std::string_view key, Function&& read) {
    read_section(find(Need::kOptional, key), read);
  }
  /// Calls `read` with each item of the list at `key`.
  template <typename Function>
  void list(std::string_view key, Function&& read) {
    read_list(find_required(key, "a list"), read);
  }
  template <typename Function>
  void optional_list(std::string_view key, Function&& read) {
    read_list(find(Need::kOptional, key), read);
  }
  /// Calls `read` with the value of `key`.
  template <typename Function>
  void value(std::string_view key, Function&& read) {
    if (const auto found = find_required(key, "a value")) {
      read(*found);
    }
  }
  template <typename Function>
  void optional_value(std::string_view key, Function&& read) {
    if (const auto found = find(Need::kOptional, key)) {
      read(*found);
    }
  }
  /// Calls `read(key, value)` for every entry, all of which then count as known.
  template <typename Function>
  void each(Function&& read) {
    used_.assign(used_.size(), true);
    for (const DocumentEntry& entry : entries()) {
      read(std::string_view(entry.key), DocumentValue(value_, entry.value, entry.key));
    }
  }

  const DocumentValue& value() const { return value_; }
  const DocumentNode& node() const { return value_.node(); }
  bool has(std::string_view key) const { return find_entry(value_.node(), key) != nullptr; }
  /// Keys that nobody names are no mistake: files of others carry more than we read.
  void allow_other_keys() { used_.assign(used_.size(), true); }
  void finish();

 private:
  enum class Need { kRequired, kOptional };

  Notation notation() const { return value_.node().origin->notation; }
  const std::vector<DocumentEntry>& entries() const { return value_.node().entries; }
  /// The value of `key`, with `suffix` after it in machines' notation.
  std::optional<DocumentValue> find(Need need, std::string_view key, std::string_view suffix = "");
  std::optional<DocumentValue> find_required(std::string_view key, std::string_view expected) {
    auto value = find(Need::kRequired, key);
    if (!value) {
      note_missing(expected);
    }
    return value;
  }
  /// Records that the key last looked for is not there.
  void note_missing(std::string_view expected);

  template <typename T, typename... Rules>
  bool read_key(Need need, std::string_view key, T& target, const Rules&... rules) {
    const auto value = find(need, key, KeySuffix<T>::value);
    if (!value && need == Need::kRequired) {
      note_missing(describe<T>(notation(), rules...));
    }
    return value && value->read(target, rules...);
  }
  template <typename Function>
  void read_section(const std::optional<DocumentValue>& value, Function&& read) {
    if (value) {
      DocumentSection inner(*value);
      if (inner.is_mapping_) {
        read(inner);
        inner.finish();
      }
    }
  }
  template <typename Function>
  void read_list(const std::optional<DocumentValue>& value, Function&& read) {
    if (!value) {
      return;
    }
    if (value->node().kind != DocumentNode::Kind::kSequence) {
      value->refuse("is not a list");
      return;
    }
    for (std::size_t i = 0; i < value->node().items.size(); ++i) {
      read(DocumentValue(*value, value->node().items[i], i));
    }
  }

  DocumentValue value_;
  bool is_mapping_;
  std::vector<bool> used_;          ///< by entry
  std::vector<std::string> known_;  ///< keys asked for, for "did you mean"
};

}  // namespace portolan
