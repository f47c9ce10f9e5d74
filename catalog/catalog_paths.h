#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// Where named files are looked for: `hardware/`, `devices/`, `models/`, `software/`, `baselines/` and
/// `errors/` beneath each folder, the first folder first. Those of --catalog come before the shipped
/// `scenarios/`.
struct CatalogPaths {
  std::vector<std::filesystem::path> folders;
};

/// Whether a scenario means a file ("../a.yaml", "config.json") rather than a name ("gpt3-175b").
bool is_path(std::string_view name);

/// FOLDER/`kind`/`name`.yaml in the first folder that has it; `kind` is "hardware", "devices", "models",
/// "software", "baselines" or "errors". The error has no place: it lists the names that exist.
Result<std::filesystem::path> find_in_catalog(const CatalogPaths& paths, std::string_view kind,
                                              std::string_view name);

}  // namespace portolan
