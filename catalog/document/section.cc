#include "catalog/document/section.h"

#include <fmt/format.h>

namespace portolan {

DocumentSection::DocumentSection(const DocumentValue& value)
    : value_(value),
      is_mapping_(value.node().kind == DocumentNode::Kind::kMapping),
      used_(value.node().entries.size(), false) {
  if (!is_mapping_) {
    if (value.node().kind == DocumentNode::Kind::kScalar) {
      value.refuse_value("is not a mapping (allowed: lines of \"key: value\")");
    } else {
      value.refuse("is not a mapping (allowed: lines of \"key: value\")");
    }
  }
}

std::optional<DocumentValue> DocumentSection::find(Need need, std::string_view key, std::string_view suffix) {
  const bool numbers = notation() == Notation::kNumbers;
  known_.push_back(std::string(key) + std::string(numbers ? suffix : ""));
  for (std::size_t i = 0; i < entries().size(); ++i) {
    const DocumentEntry& entry = entries()[i];
    if (entry.key == known_.back()) {
      used_[i] = true;
      if (numbers && need == Need::kOptional && entry.value.kind == DocumentNode::Kind::kNull) {
        return std::nullopt;
      }
      return DocumentValue(value_, entry.value, entry.key);
    }
  }
  return std::nullopt;
}

void DocumentSection::note_missing(std::string_view expected) {
  if (is_mapping_ && !value_.findings().missing_key) {
    value_.findings().missing_key =
        bad_input(place_message(value_.node(), value_.path(),
                                fmt::format("key \"{}\" is missing (allowed: {})", known_.back(), expected)));
  }
}

void DocumentSection::finish() {
  for (std::size_t i = 0; i < entries().size(); ++i) {
    if (used_[i] || value_.findings().unknown_key) {
      continue;
    }
    const DocumentEntry& entry = entries()[i];
    const std::vector<std::string_view> known(known_.begin(), known_.end());
    const std::string_view nearest = nearest_word(known, entry.key);
    const std::string hint = nearest.empty() ? fmt::format("allowed: {}", list_words(known))
                                             : fmt::format("did you mean \"{}\"?", nearest);
    DocumentNode key_place = {};
    key_place.line = entry.line;
    key_place.origin = entry.value.origin;
    value_.findings().unknown_key =
        bad_input(place_message(key_place, DocumentValue(value_, entry.value, entry.key).path(),
                                fmt::format("unknown key ({})", hint)));
  }
}

}  // namespace portolan
