#include "catalog/document/value.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

using Kind = DocumentNode::Kind;

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return "a value";
    case Kind::kSequence:
      return "a list";
    case Kind::kMapping:
      return "a mapping";
  }
  return "";
}

}  // namespace

std::string DocumentValue::path() const {
  if (parent_ == nullptr) {
    return "";
  }
  std::string path = parent_->path();
  if (index_) {
    return path + fmt::format("[{}]", *index_);
  }
  return path + (path.empty() ? "" : ".") + printable(key_);
}

bool DocumentValue::refuse(std::string_view message) const { return refuse(bad_input(std::string(message))); }

bool DocumentValue::refuse(const Error& error) const {
  if (!findings_->wrong_value) {
    findings_->wrong_value = Error{error.kind, place_message(*node_, path(), error.message)};
  }
  return false;
}

bool DocumentValue::refuse_value(std::string_view message) const {
  return refuse(fmt::format("\"{}\" {}", printable(node_->scalar), message));
}

const std::string* DocumentValue::scalar(std::string_view expected) const {
  if (node_->kind != Kind::kScalar) {
    refuse(fmt::format("{} where {} is expected", kind_name(node_->kind), expected));
    return nullptr;
  }
  if (node_->scalar == "unknown" && !findings_->unknown_hint.empty()) {
    refuse(fmt::format("unknown: {}", findings_->unknown_hint));
    return nullptr;
  }
  return &node_->scalar;
}

const std::string* DocumentValue::unquoted(std::string_view expected) const {
  const std::string* text = scalar(expected);
  if (text != nullptr && node_->quoted) {
    refuse_value(fmt::format("is a text, not {} (leave the quotes out)", expected));
    return nullptr;
  }
  return text;
}

bool DocumentValue::read(std::string& text) const {
  if (node_->kind != Kind::kScalar) {
    return refuse(fmt::format("{} where a text is expected", kind_name(node_->kind)));
  }
  if (node_->origin->notation == Notation::kNumbers && !node_->quoted) {
    return refuse_value("is not a text (put it in quotes)");
  }
  text = node_->scalar;
  return true;
}

bool DocumentValue::read(bool& flag) const {
  const std::string* text = unquoted("true or false");
  if (text == nullptr) {
    return false;
  }
  if (*text != "true" && *text != "false") {
    return refuse_value("is not known (allowed: true, false)");
  }
  flag = *text == "true";
  return true;
}

bool DocumentValue::read(std::int64_t& number, WholeRange range) const {
  const std::string* text = unquoted("a whole number");
  if (text == nullptr) {
    return false;
  }
  const Result<std::int64_t> parsed = parse_integer(*text);
  if (!parsed) {
    return refuse_value(fmt::format("is not a whole number (allowed: {} to {})", range.least, range.most));
  }
  if (*parsed < range.least || *parsed > range.most) {
    return refuse_value(fmt::format("is out of range (allowed: {} to {})", range.least, range.most));
  }
  number = *parsed;
  return true;
}

bool DocumentValue::read(std::int32_t& number, WholeRange range) const {
  std::int64_t wide = 0;
  if (!read(wide, range)) {
    return false;
  }
  number = static_cast<std::int32_t>(wide);
  return true;
}

bool DocumentValue::read(std::uint64_t& number) const {
  const std::string* text = unquoted("a whole number");
  if (text == nullptr) {
    return false;
  }
  std::uint64_t parsed = 0;
  const auto [rest, code] = std::from_chars(text->data(), text->data() + text->size(), parsed);
  if (code != std::errc() || rest != text->data() + text->size()) {
    return refuse_value(
        fmt::format("is not a whole number (allowed: 0 to {})", std::numeric_limits<std::uint64_t>::max()));
  }
  number = parsed;
  return true;
}

bool DocumentValue::read(double& number, NumberRange range) const {
  const std::string* text = unquoted("a number");
  if (text == nullptr) {
    return false;
  }
  const Result<double> parsed = parse_number(*text);
  if (!parsed) {
    return refuse(parsed.error().message);
  }
  if (*parsed < range.least || *parsed > range.most) {
    const bool bounded = range.most < std::numeric_limits<double>::max();
    return refuse_value(bounded ? fmt::format("is out of range (allowed: {} to {})", range.least, range.most)
                                : fmt::format("is out of range (allowed: at least {})", range.least));
  }
  number = *parsed;
  return true;
}

template <typename Q>
bool DocumentValue::read_quantity(Q& quantity, Result<Q> (*parse)(std::string_view)) const {
  if (node_->origin->notation == Notation::kNumbers) {
    return read(quantity.value);
  }
  const std::string* text = scalar("a quantity with a unit");
  if (text == nullptr) {
    return false;
  }
  const Result<Q> parsed = parse(*text);
  if (!parsed) {
    return refuse(parsed.error().message);
  }
  if (parsed->value < 0) {
    return refuse_value("is negative (allowed: 0 and above)");
  }
  quantity = *parsed;
  return true;
}

bool DocumentValue::read(Bytes& size) const { return read_quantity(size, &parse_bytes); }
bool DocumentValue::read(Seconds& time) const { return read_quantity(time, &parse_seconds); }
bool DocumentValue::read(BytesPerSecond& rate) const { return read_quantity(rate, &parse_bytes_per_second); }
bool DocumentValue::read(FlopsPerSecond& rate) const { return read_quantity(rate, &parse_flops_per_second); }
bool DocumentValue::read(Watts& power) const { return read_quantity(power, &parse_watts); }
bool DocumentValue::read(Flops& work) const { return read(work.value); }

const DocumentNode* DocumentValue::sourced_value() const {
  const DocumentNode* value = nullptr;
  for (const DocumentEntry& entry : node_->entries) {
    if (entry.key == "value") {
      value = &entry.value;
    } else if (entry.key != "source" && entry.key != "unvalidated") {
      DocumentValue(*this, entry.value, entry.key)
          .refuse("is not a key of a figure (allowed: value, source, unvalidated)");
    }
  }
  if (value == nullptr) {
    refuse("has no value (allowed: {value: ..., source: \"...\"})");
  }
  return value;
}

std::string DocumentValue::source_of() const {
  std::string source;
  if (const DocumentEntry* entry = find_entry(*node_, "source")) {
    DocumentValue(*this, entry->value, "source").read(source);
  } else {
    source = std::filesystem::path(node_->origin->file).filename().string();
  }
  return source;
}

bool DocumentValue::is_unvalidated() const {
  bool unvalidated = false;
  if (const DocumentEntry* entry = find_entry(*node_, "unvalidated")) {
    DocumentValue(*this, entry->value, "unvalidated").read(unvalidated);
  }
  return unvalidated;
}

}  // namespace portolan
