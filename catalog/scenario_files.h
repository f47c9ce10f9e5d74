#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/document/node.h"

namespace portolan {

/// How a scenario finds the three files that it names.
struct ScenarioSources {
  CatalogPaths paths;
  std::filesystem::path folder;  ///< relative paths start here
  std::optional<std::filesystem::path> hardware_file;
};

/// One of the three: the scenario's key ("model") and the catalog folder of its names ("models").
struct ScenarioPart {
  std::string_view key;
  std::string_view folder;
};
inline constexpr ScenarioPart kModelPart{"model", "models"};
inline constexpr ScenarioPart kHardwarePart{"hardware", "hardware"};
inline constexpr ScenarioPart kSoftwarePart{"software", "software"};

/// The part's document: from the file that the scenario names, or written out in the scenario, with the
/// scenario's KEY_overrides laid over it. Errors point to the scenario or to the file, whichever is wrong.
Result<DocumentNode> load_part(const DocumentNode& scenario, const ScenarioPart& part,
                               const ScenarioSources& sources);

}  // namespace portolan
