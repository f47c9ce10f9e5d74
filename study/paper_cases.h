#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/scenario_yaml.h"

namespace portolan {

/// The parts of `results/paper`: what is varied, everything else being equal.
enum class PaperPart : std::uint8_t {
  kBaselines,  ///< who plans, for each model
  kBudgets,    ///< memory that Portolan's plan may take
  kTiers,      ///< which tiers of the paper plan, the others as Megatron-LM of 2022 is set up
  kFabrics,    ///< bandwidth of the network
};
std::string_view paper_part_name(PaperPart part);

/// With what a baseline is run.
enum class PaperSettings : std::uint8_t {
  kDefaults,  ///< what its documentation recommends
  kBest,      ///< the fastest of what it can do
  kPortolan,
};
std::string_view paper_settings_name(PaperSettings settings);

/// A degree that a framework's documentation makes as small as the model's memory allows.
struct SmallestDegree {
  std::string key;                   ///< "strategy.pp"; empty: there is none
  std::vector<std::int32_t> values;  ///< ascending
};

/// One row: a baseline, or Portolan, asked for a plan of a model.
struct PaperCase {
  PaperPart part = PaperPart::kBaselines;
  std::string model;
  std::string device;   ///< "80 GB", "40 GB"
  std::string variant;  ///< "60 GiB", "tiers 1+3", "200 Gbit/s"; empty of baselines
  std::string planner;  ///< "megatron-2021"; "portolan", "portolan-lossy"
  PaperSettings settings = PaperSettings::kPortolan;
  std::vector<ScenarioOverride> overrides;  ///< laid over the scenario file
  SmallestDegree smallest;
  std::uint32_t tiers = 0;  ///< of kTiers: bit n, tier n + 1 plans

  bool is_portolan() const { return settings == PaperSettings::kPortolan; }
  /// Of the catalog's `baselines/`: "megatron-2021-best".
  std::string scenario_name() const;
};

struct PaperQuestion {
  std::vector<std::string> models;  ///< names of the catalog
  std::string central;              ///< of them: budgets, tiers and fabrics are of this one
  bool all_parts = true;            ///< else kBaselines alone
};

/// Every row, in the order of the tables.
std::vector<PaperCase> paper_cases(const PaperQuestion& question);

/// The models of the paper's range that the tables show.
std::vector<std::string> paper_models();

/// The scenario of a row, `value` of SmallestDegree::values laid over it where it has one. Errors
/// (kBadInput): no such baseline or model, what read_scenario finds.
Result<Scenario> paper_scenario(const PaperCase& row, const CatalogPaths& paths,
                                const std::optional<std::int32_t>& smallest);

}  // namespace portolan
