#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "catalog/hardware_yaml.h"
#include "catalog/launch/megatron_run.h"
#include "catalog/scenario_yaml.h"
#include "catalog/software_yaml.h"

namespace portolan {

inline CatalogPaths shipped_parts() { return {{PORTOLAN_SOURCE_DIR "/scenarios"}}; }

/// GPT-3 175B on 512 A100s, with another software where it is named.
inline Scenario gpt3_scenario(const std::string& software = "") {
  auto scenario = read_scenario(PORTOLAN_SOURCE_DIR "/scenarios/gpt3-175b-512xa100.yaml", shipped_parts());
  EXPECT_TRUE(scenario) << scenario.error().message;
  if (!software.empty()) {
    scenario->software = *read_software(PORTOLAN_SOURCE_DIR "/scenarios/software/" + software + ".yaml");
  }
  return *scenario;
}

/// Without a scenario, megatron-2024 on the hardware named.
inline MegatronContext bare_context(const std::string& hardware = "dgx-a100-80g-hdr") {
  const auto read =
      read_hardware(PORTOLAN_SOURCE_DIR "/scenarios/hardware/" + hardware + ".yaml", shipped_parts());
  EXPECT_TRUE(read) << read.error().message;
  return {.hardware = *read,
          .software = *read_software(PORTOLAN_SOURCE_DIR "/scenarios/software/megatron-2024.yaml"),
          .scenario = {}};
}

inline Result<MegatronRun> run_of(const std::string& script, const MegatronContext& context,
                                  const ScriptEnvironment& environment = {}) {
  PORTOLAN_TRY(const MegatronArguments arguments, read_megatron_arguments(script, "s.sh", environment));
  return megatron_run(arguments, context);
}

}  // namespace portolan
