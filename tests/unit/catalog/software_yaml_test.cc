#include "catalog/software_yaml.h"

#include <gtest/gtest.h>

#include "sample_scenario.h"

namespace portolan {
namespace {

TEST(SoftwareYaml, WritesWhatItReads) {
  const std::string text = write_software(sample_software());
  const Result<SoftwareProfile> again = read_software_text(text, "again.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, sample_software());
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
