#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/document/node.h"
#include "catalog/json/json_value.h"
#include "plan/scenario.h"

namespace portolan {

/// A value laid over a scenario file after its own overrides.
struct ScenarioOverride {
  std::string option;  ///< what gives it, the place in messages: "--vary"
  /// Path below the scenario, with dots: "num_gpus", "strategy.tp", "hardware" (a name or a file, from the
  /// current folder), "hardware.device.memory" (within the part, wherever it is written).
  std::string key;
  std::string value;  ///< as the file would have it: "40 GiB"

  bool operator==(const ScenarioOverride&) const = default;
};

/// A scenario file with everything it names resolved (docs/scenario-files.md lists its keys). `hardware_file`
/// is used instead of the hardware that the scenario names; its hardware_overrides still apply, and then
/// `overrides`.
/// Errors (kBadInput), one line with file, line and key: those of the files named; a name that no catalog
/// folder has; figures that contradict each other. Of an override: its option and key.
Result<Scenario> read_scenario(const std::filesystem::path& path, const CatalogPaths& paths,
                               const std::optional<std::filesystem::path>& hardware_file = std::nullopt,
                               const std::vector<ScenarioOverride>& overrides = {});
/// The same from text; `file` is the name in messages, and relative paths start from its folder.
Result<Scenario> read_scenario_text(std::string_view text, const std::filesystem::path& file,
                                    const CatalogPaths& paths,
                                    const std::optional<std::filesystem::path>& hardware_file = std::nullopt,
                                    const std::vector<ScenarioOverride>& overrides = {});
/// YAML with the model, the hardware and the software written out, which reads back to an equal value.
std::string write_scenario(const Scenario& scenario);

/// A scenario that is all there, such as a plan file's.
Result<Scenario> scenario_from(const DocumentNode& root);
JsonValue to_json(const Scenario& scenario, Notation notation = Notation::kNumbers);

}  // namespace portolan
