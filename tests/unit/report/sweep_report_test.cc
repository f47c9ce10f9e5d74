#include "report/sweep_report.h"

#include <gtest/gtest.h>

#include <string>

namespace portolan {
namespace {

/// Two keys, the columns that a plot or a table looks at.
SweepTable table_of(std::vector<std::vector<std::string>> rows) {
  return {
      .columns = {"num_gpus", "hardware.device.memory", "feasible", "reason", "strategy_name", "step_time_s",
                  "step_time_low_s", "step_time_high_s", "tokens_per_s", "mfu_pct", "peak_memory_bytes"},
      .rows = std::move(rows),
      .num_keys = 2};
}

SweepTable four_rows() {
  return table_of({{"8", "40 GiB", "true", "", "tp1", "4", "3.5", "4.5", "1000", "40", "1073741824"},
                   {"8", "80 GiB", "true", "", "tp2", "3.5", "3", "4", "1100", "45", "2147483648"},
                   {"64", "40 GiB", "false", "too large", "", "", "", "", "", "", ""},
                   {"64", "80 GiB", "true", "", "tp4", "1", "0.9", "1.1", "8000", "39", "2147483648"}});
}

TEST(SweepReport, OneRowAPoint) {
  EXPECT_EQ(sweep_report(four_rows(), 80),
            "num_gpus  memory     step  tokens/s    MFU   memory  strategy\n"
            "--------  ------  -------  --------  -----  -------  ---------\n"
            "       8  40 GiB  4.000 s      1000  40.0%  1.0 GiB  tp1\n"
            "       8  80 GiB  3.500 s      1100  45.0%  2.0 GiB  tp2\n"
            "      64  40 GiB        -         -      -        -  too large\n"
            "      64  80 GiB  1.000 s      8000  39.0%  2.0 GiB  tp4\n");
}

TEST(SweepPlot, ALineForEachOtherKey) {
  const Plot plot = sweep_plot(four_rows(), {.title = "t", .x = {}, .y = "step_time_s"}).value();
  EXPECT_EQ(plot.kind, PlotKind::kLines);
  EXPECT_EQ(plot.x_label, "num_gpus");
  EXPECT_TRUE(plot.log_x) << "8 to 64";
  EXPECT_FALSE(plot.log_y);
  ASSERT_EQ(plot.series.size(), 2);
  EXPECT_EQ(plot.series[0].title, "hardware.device.memory=40 GiB");
  ASSERT_EQ(plot.series[0].points.size(), 1) << "what does not fit is no point";
  EXPECT_EQ(plot.series[0].points[0].interval, (std::pair{3.5, 4.5}));
  ASSERT_EQ(plot.series[1].points.size(), 2);
  EXPECT_EQ(plot.series[1].points[1].x, 64);
}

TEST(SweepPlot, QuantitiesOfOneUnitAreNumbers) {
  const Plot plot =
      sweep_plot(four_rows(), {.title = "t", .x = "hardware.device.memory", .y = "peak_memory_bytes"})
          .value();
  EXPECT_EQ(plot.x_label, "hardware.device.memory, GiB");
  EXPECT_EQ(plot.series[0].points[1].x, 80);
  EXPECT_EQ(plot.series[0].points[1].y, 2) << "GiB";
}

TEST(SweepPlot, WordsAreBars) {
  SweepTable table = four_rows();
  table.rows[0][1] = table.rows[2][1] = "bf16";
  table.rows[1][1] = table.rows[3][1] = "fp8";
  const Plot plot =
      sweep_plot(table, {.title = "t", .x = "hardware.device.memory", .y = "tokens_per_s"}).value();
  EXPECT_EQ(plot.kind, PlotKind::kBars);
  EXPECT_EQ(plot.categories, (std::vector<std::string>{"bf16", "fp8"}));
  EXPECT_EQ(plot.series[1].points[0].x, 1);
}

TEST(SweepPlot, SaysWhatCannotBeDrawn) {
  EXPECT_EQ(sweep_plot(four_rows(), {.title = "t", .x = "precision", .y = {}}).error().message,
            "--x: \"precision\" is not varied (allowed: num_gpus, hardware.device.memory)");
  EXPECT_EQ(sweep_plot(four_rows(), {.title = "t", .x = {}, .y = "nothing"}).error().message,
            "--y: \"nothing\" is no column of this sweep (allowed: feasible, reason, strategy_name, "
            "step_time_s, step_time_low_s, step_time_high_s, tokens_per_s, mfu_pct, peak_memory_bytes)");
  EXPECT_EQ(sweep_plot(four_rows(), {.title = "t", .x = {}, .y = "reason"}).error().message,
            "--y: \"reason\" has no numbers to draw (allowed: another column of the table)");
  EXPECT_TRUE(check_axes(table_of({}), {.title = "t", .x = "num_gpus", .y = "mfu_pct"}));
  EXPECT_FALSE(check_axes(table_of({}), {.title = "t", .x = "mfu_pct", .y = {}}));
}

}  // namespace
}  // namespace portolan
