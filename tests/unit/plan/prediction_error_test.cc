#include "plan/prediction_error.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sample_scenarios.h"

namespace portolan {
namespace {

SourceErrors source(const std::string& family, const std::string& hardware, const std::string& software,
                    std::vector<double> errors) {
  const auto rows = static_cast<std::int64_t>(errors.size());
  return {.source_family = family,
          .of = {.hardware = hardware, .software = software + "-2022", .software_family = software},
          .rows = rows,
          .errors = std::move(errors)};
}

ErrorClass on(const std::string& hardware, const std::string& software) {
  return {.hardware = hardware, .software = software + "-2022", .software_family = software};
}

const std::vector<SourceErrors> kErrors = {
    source("a", "one", "megatron", {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10}),
    source("b", "two", "megatron", {0.01}), source("c", "three", "megatron", {0.02}),
    source("d", "four", "fsdp", {0.5})};

TEST(PredictionError, TheSameMachineWithEnoughRowsComesFirst) {
  const auto margin = error_margin(kErrors, on("one", "megatron"));
  ASSERT_TRUE(margin);
  EXPECT_EQ(margin->basis, IntervalBasis::kSameMachine);
  EXPECT_EQ(margin->half_width, 0.09);  // nine of ten
}

// Three sources of a third each: 0.9 of the weight is two sources and 0.7 of the third's ten rows.
TEST(PredictionError, SourcesWeighAlikeHoweverManyRowsTheyHave) {
  const auto margin = error_margin(kErrors, on("two", "megatron"));
  ASSERT_TRUE(margin);
  EXPECT_EQ(margin->basis, IntervalBasis::kSameSoftware);
  EXPECT_EQ(margin->half_width, 0.07);
}

// Software that three sources ran, on a machine that none did.
TEST(PredictionError, AMachineThatNobodyMeasuredIsANewSource) {
  const auto margin = error_margin(kErrors, on("mine", "megatron"));
  ASSERT_TRUE(margin);
  EXPECT_EQ(margin->basis, IntervalBasis::kNewSource);
  EXPECT_GT(margin->half_width, error_margin(kErrors, on("two", "megatron"))->half_width);
}

TEST(PredictionError, UnknownSoftwareAndUnmeasuredDevicesAreNewSources) {
  for (const auto& [hardware, software, measured] :
       {std::tuple("one", "deepspeed", true), {"five", "megatron", false}, {"four", "fsdp", true}}) {
    ErrorClass of = on(hardware, software);
    of.measured_device = measured;
    const auto margin = error_margin(kErrors, of);
    ASSERT_TRUE(margin);
    EXPECT_EQ(margin->basis, IntervalBasis::kNewSource) << hardware;
    // Of four sources, the last tenth is the fourth's.
    EXPECT_DOUBLE_EQ(margin->half_width, 0.5 * widening_for_one_more(4)) << hardware;
  }
}

TEST(PredictionError, ASourceThatIsLeftOutTellsNothing) {
  const auto margin = error_margin(kErrors, on("one", "megatron"), "a");
  ASSERT_TRUE(margin);
  EXPECT_EQ(margin->basis, IntervalBasis::kNewSource);
  EXPECT_DOUBLE_EQ(margin->half_width, 0.5 * widening_for_one_more(3));
  EXPECT_EQ(error_margin({kErrors[0]}, on("one", "megatron"), "a"), std::nullopt);
  EXPECT_EQ(error_margin({}, on("one", "megatron")), std::nullopt);
}

// t of 2, 10 and 99 degrees of freedom at 0.95: 2.920, 1.812, 1.660; of the normal distribution 1.645.
TEST(PredictionError, AFurtherSourceIsLessKnownTheFewerThereAre) {
  EXPECT_EQ(widening_for_one_more(2), 1);
  EXPECT_NEAR(widening_for_one_more(3), 2.920 / 1.645 * std::sqrt(4.0 / 3), 1e-3);
  EXPECT_NEAR(widening_for_one_more(11), 1.812 / 1.645 * std::sqrt(12.0 / 11), 1e-3);
  EXPECT_NEAR(widening_for_one_more(100), 1.660 / 1.645 * std::sqrt(1.01), 1e-3);
}

// Less known is never narrower.
TEST(PredictionError, ANewSourceIsNoNarrowerThanWhatIsKnownOfItsMachineOrSoftware) {
  std::vector<SourceErrors> errors;
  for (const char* family : {"p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"}) {
    errors.push_back(source(family, family, "exact", {0.001}));
  }
  errors.push_back(source("d", "four", "fsdp", {0.5}));
  EXPECT_DOUBLE_EQ(error_margin(errors, on("five", "deepspeed"))->half_width,
                   0.001 * widening_for_one_more(12));
  EXPECT_EQ(error_margin(errors, on("five", "fsdp"))->half_width, 0.5);
}

TEST(PredictionError, IntervalsGoTheSameFactorUpAndDown) {
  const ValueInterval interval = ErrorMargin{.half_width = std::log(1.25), .basis = {}}.around(10);
  EXPECT_NEAR(interval.high, 12.5, 1e-12);
  EXPECT_NEAR(interval.low, 8, 1e-12);
  Scenario scenario = gpt3_scenario();
  scenario.hardware.name = "one";
  scenario.software.name = "megatron-2022";
  const PredictionMargins margins = margins_of({.step_time = kErrors, .memory = {kErrors[3]}}, scenario);
  EXPECT_EQ(margins.step_time->half_width, 0.09);
  EXPECT_EQ(margins.memory->half_width, 0.5);
  EXPECT_EQ(margins_of({}, scenario).step_time, std::nullopt);
}

}  // namespace
}  // namespace portolan
