#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "study/sweep_table.h"

namespace portolan {
namespace {

/// A scenario in a file of its own, removed at the end.
class SweepPoints : public testing::Test {
 protected:
  SweepPoints() {
    std::ofstream(file_) << "model: gpt2-124m\nhardware: p4d\nsoftware: generic\nsequence_length: 1024\n"
                            "global_batch: 64\nnum_gpus: 8\n";
  }
  ~SweepPoints() override { std::filesystem::remove(file_); }

  SweepQuestion question(const std::vector<std::string>& vary) const {
    SweepQuestion asked;
    asked.scenario = file_;
    asked.paths = {{PORTOLAN_SOURCE_DIR "/scenarios"}};
    asked.version = "1";
    for (const std::string& text : vary) {
      asked.varied.push_back(parse_vary(text).value());
    }
    return asked;
  }

  std::filesystem::path file_ =
      std::filesystem::temp_directory_path() / ("portolan-sweep-" + std::to_string(::getpid()) + ".yaml");
};

TEST_F(SweepPoints, AllCombinationsTheLastKeyFastest) {
  const SweepQuestion asked = question({"num_gpus=8,16", "precision=bf16,fp16,fp32"});
  const auto points = read_sweep_points(asked, {}).value();
  ASSERT_EQ(points.size(), 6);
  EXPECT_EQ(points[1].values, (std::vector<std::string>{"8", "fp16"}));
  EXPECT_EQ(points[5].name(asked.varied), "num_gpus=16, precision=fp32");
  EXPECT_EQ(points[5].scenario.num_gpus, 16);
  EXPECT_EQ(points[5].scenario.precision, Precision::kFp32);
}

TEST_F(SweepPoints, HashesTellQuestionsApart) {
  const auto hash_of = [&](const SweepQuestion& asked, const PredictionErrors& errors = {}) {
    return read_sweep_points(asked, errors).value().front().hash;
  };
  std::set<std::string> hashes{hash_of(question({"num_gpus=8"})), hash_of(question({"num_gpus=16"})),
                               hash_of(question({"precision=bf16"}))};
  SweepQuestion newer = question({"num_gpus=8"});
  newer.version = "2";
  hashes.insert(hash_of(newer));
  SweepQuestion fixed = question({"num_gpus=8"});
  fixed.fixed.tensor_parallel = 2;
  hashes.insert(hash_of(fixed));
  PredictionErrors errors;
  errors.step_time.push_back({.source_family = "s", .of = {}, .rows = 1, .errors = {0.1}});
  hashes.insert(hash_of(question({"num_gpus=8"}), errors));
  EXPECT_EQ(hashes.size(), 6);
  EXPECT_EQ(hash_of(question({"num_gpus=8,16"})), hash_of(question({"num_gpus=8"})))
      << "more values leave rows as they are";
}

TEST_F(SweepPoints, KeysTwiceAndTooManyPointsAreRefused) {
  EXPECT_EQ(read_sweep_points(question({"num_gpus=8", "num_gpus=16"}), {}).error().message,
            "--vary num_gpus: is given twice");
  EXPECT_EQ(read_sweep_points(question({"num_gpus=1..1000+1", "global_batch=1..1000+1"}), {}).error().message,
            "--vary: more than 100000 combinations");
}

TEST_F(SweepPoints, RowsAreFoundAgain) {
  const SweepQuestion asked = question({"num_gpus=8,16", "precision=bf16"});
  const auto points = read_sweep_points(asked, {}).value();
  SweepTable table = empty_table(asked.varied, points);
  const auto row = sweep_row(table, points[1],
                             {.best = {}, .reason = "no, \"not\" so", .margins = {}, .training_run = {}});
  table.rows = {row};
  const std::string text = write_sweep_table(table);
  const auto found = read_finished_rows(table, points, text, "t.csv");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE((*found)[0].empty());
  EXPECT_EQ((*found)[1], row);
  EXPECT_EQ(row[0], "16");
  EXPECT_EQ(row[3], "no, \"not\" so");
  const auto others = read_sweep_points(question({"num_gpus=8,24", "precision=bf16"}), {}).value();
  EXPECT_EQ(
      read_finished_rows(table, others, text, "t.csv").error().message,
      "t.csv:2: point_hash: \"" + points[1].hash +
          "\" is of other values, another scenario or another version (allowed: --restart to begin anew, "
          "or another --out)");
  EXPECT_FALSE(read_finished_rows(table, points, "a,b\n", "t.csv"));
  std::string forged = text;
  forged.replace(forged.find("\n16,") + 1, 2, "8");
  EXPECT_FALSE(read_finished_rows(table, points, forged, "t.csv"));
}

}  // namespace
}  // namespace portolan
