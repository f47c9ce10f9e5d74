#include "catalog/software_yaml.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "sample_scenario.h"

namespace portolan {
namespace {

TEST(SoftwareYaml, WritesWhatItReads) {
  const std::string text = write_software(sample_software());
  const Result<SoftwareProfile> again = read_software_text(text, "again.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, sample_software());
}

/// Keys of a table in docs/scenario-files.md: what stands in quotes in the first column.
std::set<std::string> documented_keys(const std::string& heading) {
  std::ifstream file(PORTOLAN_SOURCE_DIR "/docs/scenario-files.md");
  std::set<std::string> keys;
  bool within = false;
  for (std::string line; std::getline(file, line);) {
    within = line.starts_with("#") ? line == heading : within;
    if (within && line.starts_with("| `")) {
      keys.insert(line.substr(3, line.find('`', 3) - 3));
    }
  }
  return keys;
}

TEST(SoftwareYaml, EveryKeyIsDocumented) {
  std::set<std::string> keys;
  const JsonValue written = to_json(sample_software(), Notation::kUnits);
  for (const auto& [key, value] : *written.as_object()) {
    if (key != "usual") {
      keys.insert(key);
      continue;
    }
    for (const auto& [inner, figure] : *value.as_object()) {
      keys.insert("usual." + inner);
    }
  }
  EXPECT_GT(keys.size(), 40U);
  EXPECT_EQ(documented_keys("## Software"), keys);
}

TEST(SoftwareYaml, RefusesWidthsThatNoNumberHas) {
  EXPECT_EQ(read_software_text("name: a\ngradient_bytes: 3\n", "s.yaml").error().message,
            "s.yaml:2: gradient_bytes: \"3\" is not a width (allowed: 0, 2, 4)");
  EXPECT_EQ(read_software_text("name: a\n\noptimizer_bytes_per_parameter: {value: 9, source: x}\n", "s.yaml")
                .error()
                .message,
            "s.yaml:3: optimizer_bytes_per_parameter: \"9\" is not a number of fp32 values (allowed: 0 to 64 "
            "in steps of 4)");
}

}  // namespace
}  // namespace portolan
