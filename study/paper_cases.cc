#include "study/paper_cases.h"

#include <fmt/format.h>

#include <array>

namespace portolan {

namespace {

constexpr std::array<std::string_view, 8> kFrameworks = {
    "megatron-2021",   "megatron-2022", "deepspeed-zero1", "deepspeed-zero2",
    "deepspeed-zero3", "deepspeed-3d",  "fairscale-sddp",  "fairscale-fsdp"};
/// Those that the sensitivity to the fabric shows: one of each kind of parallelism.
constexpr std::array<std::string_view, 3> kFabricFrameworks = {"megatron-2022", "deepspeed-zero3",
                                                               "fairscale-fsdp"};
constexpr std::array<std::string_view, 4> kFabrics = {"50 Gbit/s", "100 Gbit/s", "200 Gbit/s", "400 Gbit/s"};
constexpr std::string_view kShippedFabric = "200 Gbit/s";  ///< of dgx-a100-80g-hdr: as it is
/// Of a device of 80 GiB; the second of them is the paper's, 42 % less.
constexpr std::array<std::string_view, 4> kBudgets = {"60 GiB", "46 GiB", "32 GiB", "20 GiB"};

/// Narayanan et al. 2021, arXiv 2104.04473, takeaway 2, stages; Rajbhandari et al. 2020, arXiv 1910.02054,
/// section 10, model parallelism within a node.
SmallestDegree smallest_degree(std::string_view framework, PaperSettings settings) {
  if (settings != PaperSettings::kDefaults) {
    return {};
  }
  if (framework.starts_with("megatron")) {
    return {.key = "strategy.pp", .values = {1, 2, 4, 8, 16, 32, 64}};
  }
  if (framework == "deepspeed-zero1" || framework == "deepspeed-zero2") {
    return {.key = "strategy.tp", .values = {1, 2, 4, 8}};
  }
  return {};
}

class Cases {
 public:
  PaperCase& add(PaperPart part, const std::string& model, std::string_view planner, PaperSettings settings) {
    PaperCase row{.part = part,
                  .model = model,
                  .device = "80 GB",
                  .variant = "",
                  .planner = std::string(planner),
                  .settings = settings,
                  .overrides = {},
                  .smallest = smallest_degree(planner, settings)};
    lay(row, "model", model);
    return list_.emplace_back(std::move(row));
  }
  static void lay(PaperCase& row, const std::string& key, std::string_view value) {
    row.overrides.push_back({.option = "reproduce paper", .key = key, .value = std::string(value)});
  }
  std::vector<PaperCase> take() { return std::move(list_); }

 private:
  std::vector<PaperCase> list_;
};

void add_baselines(Cases& cases, const std::string& model) {
  for (const PaperSettings settings : {PaperSettings::kDefaults, PaperSettings::kBest}) {
    for (const std::string_view framework : kFrameworks) {
      cases.add(PaperPart::kBaselines, model, framework, settings);
    }
  }
  cases.add(PaperPart::kBaselines, model, "portolan", PaperSettings::kPortolan);
}

/// On the device of half the memory: documented defaults, and the framework that has most to choose from.
void add_small_device(Cases& cases, const std::string& model) {
  const auto add = [&](std::string_view planner, PaperSettings settings) {
    PaperCase& row = cases.add(PaperPart::kBaselines, model, planner, settings);
    row.device = "40 GB";
    Cases::lay(row, "hardware", "dgx-a100-40g");
  };
  for (const std::string_view framework : kFrameworks) {
    add(framework, PaperSettings::kDefaults);
  }
  add("megatron-2022", PaperSettings::kBest);
  add("portolan", PaperSettings::kPortolan);
}

void add_budgets(Cases& cases, const std::string& model) {
  for (const std::string_view budget : kBudgets) {
    PaperCase& row = cases.add(PaperPart::kBudgets, model, "portolan", PaperSettings::kPortolan);
    row.variant = budget;
    Cases::lay(row, "hardware.device.memory", budget);
  }
}

void add_tiers(Cases& cases, const std::string& model) {
  for (const std::uint32_t tiers : {0U, 1U, 2U, 4U, 3U, 5U, 6U, 7U}) {
    PaperCase& row = cases.add(PaperPart::kTiers, model, "portolan", PaperSettings::kPortolan);
    row.tiers = tiers;
    for (std::uint32_t tier = 0; tier < 3; ++tier) {
      if ((tiers & (1U << tier)) != 0) {
        row.variant += fmt::format("{}{}", row.variant.empty() ? "" : "+", tier + 1);
      }
    }
    row.variant = tiers == 0 ? "none" : row.variant;
  }
}

void add_fabrics(Cases& cases, const std::string& model) {
  for (const std::string_view fabric : kFabrics) {
    const auto add = [&](std::string_view planner, PaperSettings settings) {
      PaperCase& row = cases.add(PaperPart::kFabrics, model, planner, settings);
      row.variant = fabric;
      for (const char* link : {"nic", "trunk", "core_trunk"}) {
        if (fabric != kShippedFabric) {
          Cases::lay(row, fmt::format("hardware.{}.bandwidth", link), fabric);
        }
      }
    };
    for (const std::string_view framework : kFabricFrameworks) {
      add(framework, PaperSettings::kDefaults);
    }
    add("megatron-2022", PaperSettings::kBest);
    add("portolan", PaperSettings::kPortolan);
  }
}

}  // namespace

std::string_view paper_part_name(PaperPart part) {
  constexpr std::array<std::string_view, 4> kNames = {"baselines", "budgets", "tiers", "fabrics"};
  return kNames[static_cast<std::size_t>(part)];
}

std::string_view paper_settings_name(PaperSettings settings) {
  constexpr std::array<std::string_view, 3> kNames = {"defaults", "best", "portolan"};
  return kNames[static_cast<std::size_t>(settings)];
}

std::string PaperCase::scenario_name() const {
  return is_portolan() ? planner : fmt::format("{}-{}", planner, paper_settings_name(settings));
}

std::vector<std::string> paper_models() {
  return {"megatron-18.4b", "megatron-39.1b", "gpt3-175b", "megatron-530b", "megatron-1t"};
}

std::vector<PaperCase> paper_cases(const PaperQuestion& question) {
  Cases cases;
  for (const std::string& model : question.models) {
    add_baselines(cases, model);
    if (model == question.central) {
      cases.add(PaperPart::kBaselines, model, "portolan-lossy", PaperSettings::kPortolan);
    }
  }
  if (question.all_parts) {
    for (const std::string& model : question.models) {
      add_small_device(cases, model);
    }
    add_budgets(cases, question.central);
    add_tiers(cases, question.central);
    add_fabrics(cases, question.central);
  }
  return cases.take();
}

Result<Scenario> paper_scenario(const PaperCase& row, const CatalogPaths& paths,
                                const std::optional<std::int32_t>& smallest) {
  const auto file = find_in_catalog(paths, "baselines", row.scenario_name());
  if (!file) {
    return bad_input(fmt::format("reproduce paper: {}", file.error().message));
  }
  std::vector<ScenarioOverride> overrides = row.overrides;
  if (smallest) {
    overrides.push_back(
        {.option = "reproduce paper", .key = row.smallest.key, .value = std::to_string(*smallest)});
  }
  return read_scenario(*file, paths, std::nullopt, overrides);
}

}  // namespace portolan
