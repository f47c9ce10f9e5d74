#include "catalog/document/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, 5> kUnitSuffixes = {"_bytes", "_s", "_bytes_per_s", "_flops_per_s",
                                                           "_w"};

bool matches_with_suffix(std::string_view key, std::string_view plain) {
  if (!key.starts_with(plain)) {
    return false;
  }
  key.remove_prefix(plain.size());
  for (std::string_view suffix : kUnitSuffixes) {
    if (key == suffix) {
      return true;
    }
  }
  return key.empty();
}

/// What a step with a place in it names, "condition[2]"; nullptr where there is no such item.
const DocumentNode* find_item(const DocumentNode& node, std::string_view step) {
  const std::size_t bracket = step.find('[');
  const DocumentEntry* list =
      bracket == std::string_view::npos ? nullptr : find_entry(node, step.substr(0, bracket));
  if (list == nullptr) {
    return nullptr;
  }
  const std::string_view place = step.substr(bracket + 1, step.size() - bracket - 2);
  const Result<std::int64_t> index = parse_integer(place);
  const bool is_there = index && *index >= 0 && *index < std::ssize(list->value.items);
  return is_there ? &list->value.items[static_cast<std::size_t>(*index)] : &list->value;
}

}  // namespace

const DocumentEntry* find_entry(const DocumentNode& node, std::string_view key) {
  for (const DocumentEntry& entry : node.entries) {
    if (entry.key == key) {
      return &entry;
    }
  }
  return nullptr;
}

const DocumentNode& find_nearest(const DocumentNode& root, std::string_view dotted_path) {
  const DocumentNode* node = &root;
  while (!dotted_path.empty()) {
    const std::string_view step = dotted_path.substr(0, dotted_path.find('.'));
    const DocumentNode* next = nullptr;
    for (const DocumentEntry& entry : node->entries) {
      if (matches_with_suffix(entry.key, step)) {
        next = &entry.value;
      }
    }
    if (next == nullptr) {
      next = find_item(*node, step);
    }
    if (next == nullptr) {
      break;
    }
    node = next;
    dotted_path.remove_prefix(std::min(step.size() + 1, dotted_path.size()));
  }
  return *node;
}

void merge_overrides(DocumentNode& base, const DocumentNode& overrides) {
  if (base.kind != DocumentNode::Kind::kMapping || overrides.kind != DocumentNode::Kind::kMapping) {
    base = overrides;
    return;
  }
  for (const DocumentEntry& entry : overrides.entries) {
    auto* existing = const_cast<DocumentEntry*>(find_entry(base, entry.key));
    if (existing == nullptr) {
      base.entries.push_back(entry);
    } else {
      merge_overrides(existing->value, entry.value);
    }
  }
}

void set_origin(DocumentNode& node, const std::shared_ptr<const DocumentOrigin>& origin) {
  node.origin = origin;
  for (DocumentNode& item : node.items) {
    set_origin(item, origin);
  }
  for (DocumentEntry& entry : node.entries) {
    set_origin(entry.value, origin);
  }
}

std::string place_message(const DocumentNode& node, std::string_view path, std::string_view message) {
  std::string text = printable(node.origin->file);
  if (node.line > 0) {
    text += fmt::format(":{}", node.line);
  }
  const std::string& prefix = node.origin->prefix;
  const std::string& mount = node.origin->mount;
  if (!mount.empty() && path.starts_with(mount)) {
    path.remove_prefix(std::min(mount.size() + 1, path.size()));
  }
  if (!prefix.empty() || !path.empty()) {
    text += fmt::format(": {}{}{}", prefix, prefix.empty() || path.empty() ? "" : ".", path);
  }
  return fmt::format("{}: {}", text, message);
}

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 300;
  std::string shown;
  for (char c : text.substr(0, kLongest)) {
    shown.push_back(c >= ' ' && c <= '~' ? c : '?');
  }
  return text.size() > kLongest ? shown + "..." : shown;
}

}  // namespace portolan
