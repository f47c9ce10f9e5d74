// Published steps of Megatron-LM as launch scripts: what is exported gives back the row's strategy.
#include <cstdlib>

#include "base/file.h"
#include "catalog/launch/framework_export.h"
#include "catalog/launch/megatron_run.h"
#include "sample_rows.h"
#include "study/published_case.h"

namespace portolan {
namespace {

TEST(MegatronTruth, ExportedArgumentsOfKorthikantisRowsGiveTheirStrategiesBack) {
  const char* folder = std::getenv("PORTOLAN_TRUTH");
  if (folder == nullptr || *folder == '\0') {
    GTEST_SKIP() << "PORTOLAN_TRUTH names no folder of published measurements";
  }
  const auto text = read_file(std::string(folder) + "/training.csv");
  ASSERT_TRUE(text) << text.error().message;
  const auto rows = read_training_rows(*text, "training.csv");
  ASSERT_TRUE(rows) << rows.error().message;
  int exported = 0;
  for (const TrainingRow& row : *rows) {
    if (row.prefix != "K22") {
      continue;
    }
    SCOPED_TRACE(row.id);
    const auto made = published_case(row, shipped_catalog());
    ASSERT_TRUE(made) << made.error().message;
    const auto* published = std::get_if<PublishedCase>(&*made);
    ASSERT_NE(published, nullptr);
    for (const Strategy& strategy : published->strategies) {
      const LaunchExport launch = megatron_export(
          {.scenario = published->scenario, .strategy = strategy, .program = {}, .hash = "0123456789abcdef"});
      const auto arguments = read_megatron_arguments(launch.files.front().content, "train.sh");
      ASSERT_TRUE(arguments) << arguments.error().message;
      const auto run = megatron_run(*arguments, {.hardware = published->scenario.hardware,
                                                 .software = published->scenario.software,
                                                 .scenario = {}});
      ASSERT_TRUE(run) << run.error().message;
      EXPECT_EQ(run->strategy, strategy) << short_name(run->strategy) << ", not " << short_name(strategy);
      EXPECT_EQ(run->strategy.tensor_parallel, *row.tensor_parallel);
      EXPECT_EQ(run->strategy.pipeline_parallel, *row.pipeline_parallel);
      EXPECT_EQ(run->strategy.data_parallel, *row.data_parallel);
      EXPECT_EQ(run->strategy.microbatch_size, *row.microbatch);
      EXPECT_EQ(run->scenario.num_gpus, *row.num_gpus);
      EXPECT_EQ(run->scenario.global_batch, *row.global_batch);
      TransformerConfig named = run->scenario.model;
      named.name = published->scenario.model.name;
      EXPECT_EQ(named, published->scenario.model);
      ++exported;
    }
  }
  EXPECT_GE(exported, 7);
}

}  // namespace
}  // namespace portolan
