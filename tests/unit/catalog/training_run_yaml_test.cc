#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "catalog/scenario_yaml.h"

namespace portolan {
namespace {

Result<Scenario> read_run(const std::string& run) {
  const CatalogPaths paths{{PORTOLAN_SOURCE_DIR "/scenarios"}};
  return read_scenario_text(
      "model: llama2-7b\nhardware: dgx-a100-80g-hdr\nsoftware: generic\nsequence_length: 4096\n"
      "global_batch: 256\ntraining_run: " +
          run,
      "what.yaml", paths);
}

TEST(TrainingRunYaml, ReadsEveryKey) {
  const Result<Scenario> scenario = read_run(
      "{tokens: 300e9, start: 2027-01-01, deadline: 2027-03-01, gpu_mtbf: {value: 50000 h, source: told}, "
      "restart_time: 15 min, checkpoint_bandwidth: 100 GB/s, checkpoint_interval: 2 h, "
      "power_usage_effectiveness: 1.2, budget: 1e6}");
  ASSERT_TRUE(scenario) << scenario.error().message;
  const TrainingRun& run = *scenario->training_run;
  EXPECT_EQ(run.tokens, 300'000'000'000);
  EXPECT_EQ(write_date(*run.start), "2027-01-01");
  EXPECT_EQ(run.deadline, Seconds((31 + 28) * 86400.0));
  EXPECT_EQ(run.gpu_mtbf, (Sourced<Seconds>{Seconds(50000 * 3600.0), "told"}));
  EXPECT_EQ(run.restart_time, Seconds(900));
  EXPECT_EQ(run.checkpoint_bandwidth, BytesPerSecond(100e9));
  EXPECT_EQ(run.checkpoint_interval, Seconds(7200));
  EXPECT_EQ(run.power_usage_effectiveness, 1.2);
  EXPECT_EQ(run.budget, 1e6);
}

TEST(TrainingRunYaml, NothingIsAssumed) {
  const Result<Scenario> scenario = read_run("{tokens: 1000000}");
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_EQ(*scenario->training_run, TrainingRun{.tokens = 1'000'000});
}

struct BadRun {
  std::string run;
  std::string message;
};

TEST(TrainingRunYaml, SaysWhatIsWrong) {
  const std::vector<BadRun> table = {
      {"{deadline: 3 d}", "what.yaml:6: training_run: key \"tokens\" is missing (allowed: a value)"},
      {"{tokens: 1.5}", "what.yaml:6: training_run.tokens: \"1.5\" is not a whole number"},
      {"{tokens: 0}", "what.yaml:6: training_run.tokens: \"0\" is out of range (allowed: 1 to 1e+18)"},
      {"{tokens: 1, start: 2027-2-1}",
       "what.yaml:6: training_run.start: \"2027-2-1\" is not a date (allowed: YEAR-MONTH-DAY, such as "
       "2027-03-01)"},
      {"{tokens: 1, deadline: 2027-02-01}",
       "what.yaml:6: training_run.deadline: \"2027-02-01\" is a date, but training_run.start is not given "
       "(allowed without it: a time, such as 90 d)"},
      {"{tokens: 1, start: 2027-02-01, deadline: 2027-02-01}",
       "what.yaml:6: training_run.deadline: \"2027-02-01\" is not after training_run.start, 2027-02-01"},
      {"{tokens: 1, deadline: soon}",
       "what.yaml:6: training_run.deadline: \"soon\" is neither a time nor a date (allowed: such as 90 d or "
       "2027-03-01)"},
      {"{tokens: 1, gpu_mtbf: 5 h}",
       "what.yaml:6: training_run.gpu_mtbf: says nothing of what a failure costs (needed beside it: "
       "restart_time)"},
      {"{tokens: 1, node_mtbf: 5 h, restart_time: 1 min}",
       "what.yaml:6: training_run.node_mtbf: says nothing of what a failure undoes (needed beside it: "
       "checkpoint_time or checkpoint_bandwidth)"},
      {"{tokens: 1, gpu_mtbf: 5 h, node_mtbf: 5 h}",
       "what.yaml:6: training_run.node_mtbf: is there beside gpu_mtbf (allowed: one of the two)"},
      {"{tokens: 1, gpu_mtbf: 0 h}", "what.yaml:6: training_run.gpu_mtbf: is not above 0"},
      {"{tokens: 1, checkpoint_interval: 1 h}",
       "what.yaml:6: training_run.checkpoint_interval: says nothing of what a checkpoint costs (needed "
       "beside it: checkpoint_time or checkpoint_bandwidth)"},
      {"{tokens: 1, checkpoint_time: 1 s, checkpoint_bandwidth: 1 GB/s}",
       "what.yaml:6: training_run.checkpoint_bandwidth: is there beside checkpoint_time (allowed: one of the "
       "two)"},
      {"{tokens: 1, power_usage_effectiveness: 0.9}",
       "what.yaml:6: training_run.power_usage_effectiveness: \"0.9\" is out of range (allowed: 1 to 10)"},
  };
  for (const BadRun& bad : table) {
    const Result<Scenario> scenario = read_run(bad.run + "\n");
    ASSERT_FALSE(scenario) << bad.run;
    EXPECT_EQ(scenario.error().message, bad.message);
  }
}

}  // namespace
}  // namespace portolan
