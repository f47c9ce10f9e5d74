#include "catalog/named_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "catalog/document/load.h"

namespace portolan {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kNoMapping = "is not a mapping (allowed: lines of \"key: value\")";

Result<fs::path> find_file(const DocumentNode& named, const NamedPart& part, const CatalogPaths& paths) {
  if (is_path(named.scalar)) {
    return fs::path(named.origin->file).parent_path() / named.scalar;
  }
  const Result<fs::path> found = find_in_catalog(paths, part.folder, named.scalar);
  if (!found) {
    return bad_input(place_message(named, part.key, found.error().message));
  }
  return found;
}

}  // namespace

Result<DocumentNode> load_named(const DocumentNode& named, const NamedPart& part, const CatalogPaths& paths,
                                Result<DocumentNode> (*load)(const fs::path&)) {
  if (named.kind != DocumentNode::Kind::kScalar || named.scalar.empty()) {
    return bad_input(place_message(named, part.key, "is neither a name, nor a file, nor a mapping"));
  }
  PORTOLAN_TRY(const fs::path path, find_file(named, part, paths));
  Result<DocumentNode> root = load(path);
  if (!root && is_path(named.scalar) && !fs::exists(path)) {
    return bad_input(place_message(named, part.key, root.error().message));
  }
  return root;
}

Result<const DocumentNode*> find_overrides(const DocumentNode& document, const NamedPart& part) {
  const std::string key = fmt::format("{}_overrides", part.key);
  const DocumentEntry* entry = find_entry(document, key);
  if (entry == nullptr) {
    return nullptr;
  }
  if (entry->value.kind != DocumentNode::Kind::kMapping) {
    return bad_input(place_message(entry->value, key, kNoMapping));
  }
  return &entry->value;
}

Result<void> write_out_device(DocumentNode& hardware, const CatalogPaths& paths) {
  auto* device = const_cast<DocumentEntry*>(find_entry(hardware, kDevicePart.key));
  if (device == nullptr || hardware.origin->notation == Notation::kNumbers) {
    return {};
  }
  DocumentNode& value = device->value;
  if (value.kind != DocumentNode::Kind::kMapping) {
    PORTOLAN_TRY(const DocumentNode file, load_named(value, kDevicePart, paths, &load_yaml));
    if (file.kind != DocumentNode::Kind::kMapping) {
      return bad_input(place_message(file, "", kNoMapping));
    }
    value = rooted_at(file, "", kDevicePart.key);
  }
  PORTOLAN_TRY(const DocumentNode* overrides, find_overrides(hardware, kDevicePart));
  if (overrides != nullptr) {
    merge_overrides(value, rooted_at(*overrides, "device_overrides", kDevicePart.key));
    std::erase_if(hardware.entries, [](const DocumentEntry& e) { return e.key == "device_overrides"; });
  }
  return {};
}

}  // namespace portolan
