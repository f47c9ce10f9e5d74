#include "catalog/scenario_files.h"

#include <fmt/format.h>

#include <string>

#include "catalog/document/load.h"
#include "catalog/document/yaml_parser.h"
#include "catalog/hugging_face.h"
#include "catalog/model_yaml.h"

namespace portolan {

namespace fs = std::filesystem;

namespace {

void forget_lines(DocumentNode& node) {
  node.line = 0;
  for (DocumentEntry& entry : node.entries) {
    entry.line = 0;
    forget_lines(entry.value);
  }
}

/// A model in Hugging Face's words as a document in ours: what the scenario overrides has our keys. The
/// lines would not be those of the file.
Result<DocumentNode> load_hugging_face(const fs::path& path) {
  PORTOLAN_TRY(const TransformerConfig config, read_hugging_face_config(path));
  PORTOLAN_TRY(DocumentNode root, parse_yaml(write_model(config), path.string()));
  forget_lines(root);
  return root;
}

Result<DocumentNode> load_file(const fs::path& path, const ScenarioPart& part) {
  if (path.extension() == ".json" && part.key == kModelPart.key) {
    return load_hugging_face(path);
  }
  PORTOLAN_TRY(const std::string text, read_regular_file(path));
  return parse_yaml(text, path.string());
}

Result<fs::path> find_file(const DocumentNode& named, const ScenarioPart& part,
                           const ScenarioSources& sources) {
  if (is_path(named.scalar)) {
    return sources.folder / named.scalar;
  }
  const Result<fs::path> found = find_in_catalog(sources.paths, part.folder, named.scalar);
  if (!found) {
    return bad_input(place_message(named, part.key, found.error().message));
  }
  return found;
}

Result<DocumentNode> load_named(const DocumentNode& scenario, const ScenarioPart& part,
                                const ScenarioSources& sources) {
  if (part.key == kHardwarePart.key && sources.hardware_file) {
    return load_file(*sources.hardware_file, part);
  }
  const DocumentEntry* entry = find_entry(scenario, part.key);
  if (entry == nullptr) {
    return bad_input(place_message(
        scenario, "", fmt::format("key \"{}\" is missing (allowed: a name, a file or a mapping)", part.key)));
  }
  const DocumentNode& named = entry->value;
  if (named.kind == DocumentNode::Kind::kMapping) {
    return rooted_at(named, part.key);
  }
  if (named.origin->notation == Notation::kNumbers) {  // a plan stands alone
    return bad_input(place_message(named, part.key, "is not a mapping"));
  }
  if (named.kind != DocumentNode::Kind::kScalar || named.scalar.empty()) {
    return bad_input(place_message(named, part.key, "is neither a name, nor a file, nor a mapping"));
  }
  PORTOLAN_TRY(const fs::path path, find_file(named, part, sources));
  Result<DocumentNode> root = load_file(path, part);
  if (!root && is_path(named.scalar) && !fs::exists(path)) {
    return bad_input(place_message(named, part.key, root.error().message));
  }
  return root;
}

}  // namespace

Result<DocumentNode> load_part(const DocumentNode& scenario, const ScenarioPart& part,
                               const ScenarioSources& sources) {
  PORTOLAN_TRY(DocumentNode root, load_named(scenario, part, sources));
  const std::string overrides_key = fmt::format("{}_overrides", part.key);
  if (const DocumentEntry* overrides = find_entry(scenario, overrides_key)) {
    if (overrides->value.kind != DocumentNode::Kind::kMapping) {
      return bad_input(place_message(overrides->value, overrides_key,
                                     "is not a mapping (allowed: lines of \"key: value\")"));
    }
    if (root.kind == DocumentNode::Kind::kMapping) {
      merge_overrides(root, rooted_at(overrides->value, overrides_key));
    }
  }
  return root;
}

}  // namespace portolan
