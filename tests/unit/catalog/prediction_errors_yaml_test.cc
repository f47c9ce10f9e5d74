#include "catalog/prediction_errors_yaml.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

constexpr const char* kSource =
    "step_time:\n"
    "  - {source_family: a, hardware: one, software: s-1, software_family: s, measured_device: false, rows: "
    "3, "
    "errors: [0.01, 0.02, 0.02]}\n";

TEST(PredictionErrorsYaml, WhatIsWrittenIsReadBack) {
  const auto errors = read_prediction_errors_text(kSource, "e.yaml");
  ASSERT_TRUE(errors) << errors.error().message;
  ASSERT_EQ(errors->step_time.size(), 1U);
  EXPECT_EQ(errors->step_time[0].of.software_family, "s");
  EXPECT_FALSE(errors->step_time[0].of.measured_device);
  EXPECT_EQ(errors->step_time[0].errors, (std::vector<double>{0.01, 0.02, 0.02}));
  EXPECT_EQ(read_prediction_errors_text(write_prediction_errors(*errors), "again.yaml").value(), *errors);
}

TEST(PredictionErrorsYaml, MistakesAreOneLineWithPlaceAndWhatIsAllowed) {
  const auto message = [](std::string text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
    const auto errors = read_prediction_errors_text(text, "e.yaml");
    return errors ? std::string("accepted") : errors.error().message;
  };
  EXPECT_EQ(message(kSource, "0.02, 0.02", "0.02, 0.01"),
            "e.yaml:2: step_time[0].errors[2]: 0.01 is not ascending (allowed: 0.02 or more)");
  EXPECT_NE(message(kSource, "rows: 3", "rows: 0").find("allowed: "), std::string::npos);
  EXPECT_NE(message(kSource, "0.01", "-1").find("allowed: "), std::string::npos);
  EXPECT_NE(message(kSource, "source_family: a, ", "").find("source_family"), std::string::npos);
}

TEST(PredictionErrorsYaml, AFolderWithoutThemHasNone) {
  EXPECT_EQ(find_prediction_errors({{"/nowhere"}}).value(), PredictionErrors{});
  EXPECT_FALSE(find_prediction_errors({{PORTOLAN_SOURCE_DIR "/scenarios"}}).value().step_time.empty());
}

}  // namespace
}  // namespace portolan
