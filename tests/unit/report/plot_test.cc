#include "report/plot.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/file.h"

namespace portolan {
namespace {

Plot lines() {
  return {.title = "it's $x `id` \\n @y",
          .x_label = "num_gpus",
          .y_label = "days",
          .log_x = true,
          .series = {{.title = "a", .points = {{.x = 8, .y = 4, .interval = {{3, 5}}}, {.x = 16, .y = 2}}},
                     {.title = "b", .points = {{.x = 8, .y = 1.5}}}}};
}

TEST(Plot, LinesWithErrorBarsAsCommands) {
  const std::string script = gnuplot_script(lines());
  for (const char* part :
       {"set title 'it''s $x `id` \\n @y'\n", "set logscale x 2\n", "set yrange [0:*]\n",
        "set xtics (8, 16)\n", "$s0 << EOD\n8 4 3 5\n16 2 2 2\nEOD\n", "$s1 << EOD\n8 1.5 1.5 1.5\nEOD\n",
        "$s0 using 1:2 with linespoints lt 1", "$s0 using 1:3:(0):($4-$3) with vectors heads", "title 'b'"}) {
    EXPECT_NE(script.find(part), std::string::npos) << part << "\n" << script;
  }
  EXPECT_EQ(script.find("$s1 using 1:3"), std::string::npos) << "no bounds, no bars";
}

// Two bars of 0.4 around each category.
TEST(Plot, BarsStandSideBySide) {
  const Plot plot{.title = "t",
                  .x_label = "precision",
                  .y_label = "MFU",
                  .kind = PlotKind::kBars,
                  .categories = {"bf16", "fp8"},
                  .series = {{.title = "a", .points = {{.x = 0, .y = 40}, {.x = 1, .y = 30}}},
                             {.title = "b", .points = {{.x = 0, .y = 41}, {.x = 1, .y = 31}}}}};
  const std::string script = gnuplot_script(plot);
  for (const char* part :
       {"set xtics ('bf16' 0, 'fp8' 1)\n", "set xrange [-0.5:1.5]\n", "set boxwidth 0.4\n",
        "-0.2 40 40 40\n0.8 30 30 30\n", "0.2 41 41 41\n1.2 31 31 31\n", "with boxes lt 2"}) {
    EXPECT_NE(script.find(part), std::string::npos) << part << "\n" << script;
  }
}

TEST(Plot, GnuplotShowsTextsAsTheyAre) {
  if (!check_can_draw()) {
    GTEST_SKIP() << "gnuplot is not installed";
  }
  const std::filesystem::path file = std::filesystem::temp_directory_path() / "portolan-plot-test.svg";
  Plot plot = lines();
  plot.title = "a `touch /tmp/portolan-plot-test-ran` b_c^d {x}";
  const Result<void> drawn = draw_plot(plot, file);
  ASSERT_TRUE(drawn) << drawn.error().message;
  const std::string svg = read_file(file).value();
  EXPECT_NE(svg.find("a `touch /tmp/portolan-plot-test-ran` b_c^d {x}"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists("/tmp/portolan-plot-test-ran"));
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace portolan
