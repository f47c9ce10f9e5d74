#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/document/node.h"
#include "catalog/named_file.h"

namespace portolan {

/// How a scenario finds the files that it names.
struct ScenarioSources {
  CatalogPaths paths;
  std::optional<std::filesystem::path> hardware_file;  ///< instead of the one that the scenario names
  /// Documents like the scenario whose parts are mappings, laid over the parts last, in this order.
  std::vector<DocumentNode> laid_over = {};
};

/// The part's document: from the file that the scenario names, or written out in the scenario, with the
/// scenario's KEY_overrides and what the sources lay over it; of hardware with its device written out. Errors
/// point to the scenario or to the file, whichever is wrong.
Result<DocumentNode> load_part(const DocumentNode& scenario, const NamedPart& part,
                               const ScenarioSources& sources);

}  // namespace portolan
