#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/parse_quantity.h"
#include "report/paper_readme.h"
#include "report/paper_tables.h"

namespace portolan {
namespace {

PaperRun run_of(const std::string& planner, PaperSettings settings, double step_s, double gib) {
  PaperRun run;
  run.row.model = "m";
  run.row.device = "80 GB";
  run.row.planner = planner;
  run.row.settings = settings;
  run.best.emplace();
  run.best->step_time = Seconds(step_s);
  run.best->peak_memory = Bytes(static_cast<std::int64_t>(gib * static_cast<double>(kGibi)));
  run.margins.step_time = ErrorMargin{.half_width = 0.1, .basis = IntervalBasis::kNewSource};
  return run;
}

class PaperReport : public testing::Test {
 protected:
  PaperReport() {
    runs_ = {run_of("megatron-2021", PaperSettings::kDefaults, 20, 80),
             run_of("fairscale-sddp", PaperSettings::kDefaults, 1, 1),
             run_of("megatron-2022", PaperSettings::kBest, 10.1, 20),
             run_of("portolan", PaperSettings::kPortolan, 10, 40)};
    runs_[1].best.reset();
    runs_[1].reason = "too large, by far";
    gains_ = paper_gains(runs_);
  }
  PaperQuestion question_{.models = {"m"}, .central = "m", .all_parts = false};
  std::vector<PaperRun> runs_;
  std::vector<PaperGain> gains_;
};

TEST_F(PaperReport, SaysWhereTheClaimIsReached) {
  const std::string text = paper_summary(gains_);
  const std::string defaults = text.substr(0, text.find("best legal"));
  EXPECT_NE(defaults.find(
                "38 % less time: 1 of 1 (Megatron-LM 2021 of m); with the whole interval above it: 1 of 1"),
            std::string::npos)
      << text;
  EXPECT_NE(defaults.find("both at once: 1 of 1"), std::string::npos) << text;
  const std::string best = text.substr(text.find("best legal"));
  EXPECT_NE(best.find("38 % less time: 0 of 1;"), std::string::npos) << text;
  EXPECT_NE(best.find("has 0 in it: 1 of 1 (Megatron-LM 2022 of m)"), std::string::npos) << text;
}

TEST_F(PaperReport, TablesOfFiles) {
  const TextTable runs = paper_runs_table(runs_);
  ASSERT_EQ(runs.rows.size(), 4);
  for (const auto& row : runs.rows) {
    EXPECT_EQ(row.size(), runs.columns.size());
  }
  EXPECT_NE(write_csv(runs).find("false,\"too large, by far\",,"), std::string::npos) << write_csv(runs);
  const TextTable gains = paper_gains_table(gains_);
  ASSERT_EQ(gains.rows.size(), 2);
  for (const auto& row : gains.rows) {
    EXPECT_EQ(row.size(), gains.columns.size());
  }
  EXPECT_EQ(gains.rows[0][5], "50");
  EXPECT_EQ(gains.rows[1][8], "true") << "1 % within 14 %";
}

TEST_F(PaperReport, PageHasEveryRow) {
  const auto figures = paper_figures(question_, runs_, gains_);
  ASSERT_EQ(figures.size(), 3) << "no tiers, no fabrics";
  EXPECT_EQ(figures[0].plot.categories,
            (std::vector<std::string>{"Megatron '21", "Megatron '22", "Portolan"}));
  const std::string page = paper_readme(question_, runs_, gains_, {}, figures);
  EXPECT_NE(page.find("| FairScale OSS + SDDP | defaults | does not fit |"), std::string::npos) << page;
  EXPECT_NE(page.find("| Megatron-LM 2021 | defaults | "), std::string::npos);
  EXPECT_NE(page.find("50.0 (42 to 57)"), std::string::npos) << page;
  EXPECT_NE(page.find("1.0 (-14 to 14): tie"), std::string::npos) << page;
  EXPECT_NE(page.find("![fastest.svg](fastest.svg)"), std::string::npos);
}

}  // namespace
}  // namespace portolan
