#include "study/memory_validation.h"

#include <cmath>

#include "plan/reserved_memory.h"
#include "sample_rows.h"

namespace portolan {
namespace {

std::string run(const std::string& id, const std::string& microbatch) {
  return id + ",T,f,a100-node,megatron-2021,8,8,1024,16,4096,51200,2048,,fp16,8," + microbatch +
         ",8,1,1,1,no,0,full,no,\n";
}

MemoryRow peak(const std::string& id, std::int64_t gib, MemoryCounter counter = MemoryCounter::kDevice) {
  return {.line = 2,
          .id = id,
          .is_measured = true,
          .out_of_memory = false,
          .peak = Bytes(gib * kGibi),
          .counter = counter};
}

MemoryRow no_room(const std::string& id) {
  MemoryRow row = peak(id, 0);
  row.out_of_memory = true;
  return row;
}

/// Of two stages the second holds 20 GiB a sequence of a microbatch, three quarters of them tensors.
std::vector<Result<Estimate>> by_microbatch(std::span<const PredictionTask> tasks) {
  std::vector<Result<Estimate>> results;
  for (const PredictionTask& task : tasks) {
    Estimate estimate;
    estimate.strategy = task.strategy;
    estimate.stage_memory.resize(2);
    estimate.stage_memory[0].reserved = Bytes(10 * kGibi);
    estimate.stage_memory[1].reserved = Bytes(20 * task.strategy.microbatch_size * kGibi);
    estimate.stage_memory[1].allocated = Bytes(15 * task.strategy.microbatch_size * kGibi);
    results.emplace_back(estimate);
  }
  return results;
}

MemoryValidation validated(const std::vector<MemoryRow>& rows, const std::string& runs) {
  auto made = validate_memory(rows, rows_from(runs), shipped_catalog(), by_microbatch);
  EXPECT_TRUE(made) << made.error().message;
  return made.value();
}

TEST(MemoryValidation, IsOfTheFullestStageAsTheSourceCounts) {
  const std::string runs = run("smi", "2") + run("reserved", "2") + run("allocated", "2");
  const MemoryValidation validation =
      validated({peak("smi", 50), peak("reserved", 40, MemoryCounter::kReserved),
                 peak("allocated", 40, MemoryCounter::kAllocated)},
                runs);
  ASSERT_EQ(validation.rows.size(), 3U);
  EXPECT_EQ(validation.rows[0].predicted, Bytes(40 * kGibi));
  EXPECT_NEAR(validation.rows[0].error_pct(), -20, 1e-9);
  // Context and communicators are not in the allocator's blocks.
  EXPECT_LT(validation.rows[1].predicted, Bytes(40 * kGibi));
  EXPECT_GT(validation.rows[1].predicted, Bytes(36 * kGibi));
  EXPECT_EQ(validation.rows[2].predicted, Bytes(30 * kGibi));
}

TEST(MemoryValidation, SkipsWhatWasNotMeasuredOrIsNotDescribed) {
  MemoryRow formula = peak("known", 1);
  formula.is_measured = false;
  const MemoryValidation validation = validated({formula, peak("stranger", 1)}, run("known", "1"));
  EXPECT_TRUE(validation.rows.empty());
  ASSERT_EQ(validation.skipped.size(), 2U);
  EXPECT_EQ(validation.skipped[0].reason, "not measured");
  EXPECT_EQ(validation.skipped[0].prefix, "T");
  EXPECT_EQ(validation.skipped[1].reason, "no row of the table of steps has this id");
}

TEST(MemoryValidation, AnOpenMicrobatchIsARange) {
  const MemoryValidation validation = validated({peak("open", 200)}, run("open", ""));
  const MemoryPrediction& row = validation.rows.at(0);
  EXPECT_TRUE(row.is_range);
  EXPECT_EQ(row.predicted, Bytes(20 * kGibi));
  EXPECT_EQ(row.largest, Bytes(160 * kGibi));
  EXPECT_NEAR(row.error_pct(), -20, 1e-9);
}

// 40 GiB of 80 fit by themselves; their upper end, 2.5 times as much, does not.
TEST(MemoryValidation, CallsFeasibleWhoseUpperEndFits) {
  MemoryValidation validation = validated({peak("fits", 60), no_room("fails"), no_room("far off")},
                                          run("fits", "2") + run("fails", "8") + run("far off", "2"));
  add_intervals(validation, {});
  ASSERT_EQ(validation.groups.size(), 1U);
  EXPECT_EQ(validation.groups[0].did_not_fit, 2);
  EXPECT_EQ(validation.groups[0].did_not_fit_but_called_feasible, 1);
  EXPECT_EQ(validation.groups[0].coverage.covered_pct, std::nullopt);

  const ErrorClass of = validation.rows[0].error_class;
  const std::vector<double> errors(10, std::log(2.5));
  add_intervals(validation, {.step_time = {},
                             .memory = {{.source_family = "f", .of = of, .rows = 10, .errors = errors}}});
  EXPECT_EQ(validation.groups[0].did_not_fit_but_called_feasible, 0);
  EXPECT_FALSE(validation.rows[0].fits(validation.rows[0].margin));
  EXPECT_NEAR(*validation.groups[0].coverage.half_width_pct, 150, 1e-6);
  EXPECT_NEAR(*validation.groups[0].coverage.covered_pct, 100, 1e-12);
  EXPECT_EQ(validation.rows[0].new_source_margin, std::nullopt);  // nobody else measured
}

TEST(MemoryValidation, ErrorsAreOfWhatWasMeasured) {
  const MemoryValidation validation = validated({peak("a", 50), no_room("b"), peak("open", 30)},
                                                run("a", "2") + run("b", "2") + run("open", ""));
  const std::vector<SourceErrors> errors = memory_errors_of(validation);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].rows, 1);
  EXPECT_NEAR(errors[0].errors.at(0), std::log(50.0 / 40), 1e-4);
}

}  // namespace
}  // namespace portolan
