#include "catalog/scenario_files.h"

#include <fmt/format.h>

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

/// A model's file. One in Hugging Face's words becomes a document in ours: what the scenario overrides has
/// our keys. The lines would not be those of the file.
Result<DocumentNode> load_model(const fs::path& path) {
  if (path.extension() != ".json") {
    return load_yaml(path);
  }
  PORTOLAN_TRY(const TransformerConfig config, read_hugging_face_config(path));
  PORTOLAN_TRY(DocumentNode root, parse_yaml(write_model(config), path.string()));
  forget_lines(root);
  return root;
}

Result<DocumentNode> load_base(const DocumentNode& scenario, const NamedPart& part,
                               const ScenarioSources& sources) {
  if (part.key == kHardwarePart.key && sources.hardware_file) {
    return load_yaml(*sources.hardware_file);
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
  return load_named(named, part, sources.paths, part.key == kModelPart.key ? &load_model : &load_yaml);
}

}  // namespace

Result<DocumentNode> load_part(const DocumentNode& scenario, const NamedPart& part,
                               const ScenarioSources& sources) {
  const bool has_device = part.key == kHardwarePart.key;
  PORTOLAN_TRY(DocumentNode root, load_base(scenario, part, sources));
  if (has_device) {
    PORTOLAN_CHECK_OK(write_out_device(root, sources.paths));
  }
  PORTOLAN_TRY(const DocumentNode* overrides, find_overrides(scenario, part));
  if (overrides != nullptr && root.kind == DocumentNode::Kind::kMapping) {
    merge_overrides(root, rooted_at(*overrides, fmt::format("{}_overrides", part.key)));
  }
  for (const DocumentNode& document : sources.laid_over) {
    const DocumentEntry* entry = find_entry(document, part.key);
    if (entry != nullptr && root.kind == DocumentNode::Kind::kMapping) {
      if (has_device) {
        PORTOLAN_CHECK_OK(write_out_device(root, sources.paths));
      }
      merge_overrides(root, rooted_at(entry->value, part.key));
    }
  }
  if (has_device) {  // the overrides may name another
    PORTOLAN_CHECK_OK(write_out_device(root, sources.paths));
  }
  return root;
}

}  // namespace portolan
