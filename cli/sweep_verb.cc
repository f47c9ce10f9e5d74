#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "catalog/strategy_text.h"
#include "cli/evaluation.h"
#include "cli/objective.h"
#include "cli/session.h"
#include "cli/sweep_json.h"
#include "cli/training_run_options.h"
#include "cli/verbs.h"
#include "plan/job_cluster.h"
#include "plan/search.h"
#include "report/sweep_report.h"
#include "study/sweep_table.h"

namespace portolan {

namespace {

constexpr std::size_t kLongestLabel = 45;  ///< that a line of 80 has room for beside the bar

struct SweepArguments {
  std::string scenario;
  std::vector<std::string> vary;
  std::optional<std::string> hardware;
  std::string strategy;
  std::optional<std::string> out;
  bool restart = false;
  std::optional<std::string> plot;
  SweepAxes axes;
};

/// A key that something else on the command line fixes would not vary.
Result<void> check_free(const SweepArguments& arguments, const VariedKey& varied,
                        const StrategyConstraints& fixed) {
  const std::string& key = varied.key;
  if (arguments.hardware && key == "hardware") {
    return bad_input("--vary hardware: --hardware fixes it (allowed: one of the two)");
  }
  if (const std::string prefix = "strategy."; key.starts_with(prefix)) {
    const std::string word = key.substr(prefix.size()) + "=";
    const std::string text = write_strategy(fixed);
    if (text.starts_with(word) || text.find("," + word) != std::string::npos) {
      return bad_input(fmt::format("--vary {}: --strategy fixes it (allowed: one of the two)", key));
    }
  }
  return {};
}

Result<SweepQuestion> question_of(const Session& session, const SweepArguments& arguments) {
  SweepQuestion question;
  question.version = PORTOLAN_VERSION;
  PORTOLAN_TRY(question.scenario, session.find_scenario(arguments.scenario));
  PORTOLAN_TRY(question.paths, session.catalog_paths());
  if (arguments.hardware) {
    PORTOLAN_TRY(question.hardware_file, session.find_hardware(*arguments.hardware));
  }
  PORTOLAN_TRY(question.fixed, parse_strategy(arguments.strategy));
  for (const std::string& text : arguments.vary) {
    PORTOLAN_TRY(VariedKey varied, parse_vary(text));
    PORTOLAN_CHECK_OK(check_free(arguments, varied, question.fixed));
    question.varied.push_back(std::move(varied));
  }
  return question;
}

Result<void> check_outputs(const SweepArguments& arguments) {
  if (arguments.restart && !arguments.out) {
    return bad_input("--restart: without --out (allowed: with it)");
  }
  if ((arguments.axes.x || arguments.axes.y) && !arguments.plot) {
    return bad_input(fmt::format("{}: without --plot (allowed: with it)", arguments.axes.x ? "--x" : "--y"));
  }
  if (arguments.out) {
    PORTOLAN_CHECK_OK(Session::check_out(*arguments.out, arguments.scenario));
  }
  if (arguments.plot) {
    PORTOLAN_CHECK_OK(Session::check_out(*arguments.plot, arguments.scenario, "--plot"));
    if (arguments.plot == arguments.out) {
      return bad_input(fmt::format("--plot: {} is --out's (allowed: another file)", *arguments.plot));
    }
    PORTOLAN_CHECK_OK(check_can_draw());
  }
  return {};
}

/// Plans one point; that nothing fits is an answer too.
Result<SweepAnswer> answer(const SweepPoint& point, const PredictionErrors& errors) {
  SweepAnswer answer{
      .best = {}, .reason = {}, .margins = margins_of(errors, point.scenario), .training_run = {}};
  PORTOLAN_TRY(const Cluster cluster, job_cluster(point.scenario));
  const Result<SearchResult> found =
      search(point.scenario, point.scenario.constraints, make_search_tools(point.scenario, cluster), {});
  if (!found) {
    if (found.error().kind != ErrorKind::kInfeasible) {
      return found.error();
    }
    answer.reason = found.error().message;
    return answer;
  }
  answer.best = found->ranking.front();
  const Result<std::optional<RunForecast>> run =
      forecast_if_asked(point.scenario, *answer.best, answer.margins);
  if (run) {
    answer.training_run = *run;
  } else {
    answer.reason = run.error().message;
  }
  return answer;
}

/// Rows that --out has from an earlier call; none where it is to begin anew.
Result<std::vector<std::vector<std::string>>> finished_rows(const SweepArguments& arguments,
                                                            const SweepTable& table,
                                                            const std::vector<SweepPoint>& points) {
  if (!arguments.out || arguments.restart || !std::filesystem::exists(*arguments.out)) {
    return std::vector<std::vector<std::string>>(points.size());
  }
  PORTOLAN_TRY(const std::string text, read_file(*arguments.out));
  return read_finished_rows(table, points, text, *arguments.out);
}

/// Plans what is not finished and writes the table after each point.
Result<void> fill(const Session& session, const SweepArguments& arguments, const SweepQuestion& question,
                  const std::vector<SweepPoint>& points, const PredictionErrors& errors,
                  std::vector<std::vector<std::string>>& rows, SweepTable& table) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!rows[i].empty()) {
      continue;
    }
    const std::string label =
        fmt::format("{} of {}: {}", i + 1, points.size(), points[i].name(question.varied));
    session.show_progress(label.substr(0, kLongestLabel),
                          static_cast<double>(i) / static_cast<double>(points.size()));
    PORTOLAN_TRY(const SweepAnswer planned, answer(points[i], errors));
    rows[i] = sweep_row(table, points[i], planned);
    if (arguments.out) {
      table.rows.clear();
      std::copy_if(rows.begin(), rows.end(), std::back_inserter(table.rows),
                   [](const auto& row) { return !row.empty(); });
      PORTOLAN_CHECK_OK(write_file_atomically(*arguments.out, write_sweep_table(table)));
    }
  }
  session.end_progress();
  table.rows = rows;
  return {};
}

Result<void> sweep(const Session& session, const SweepArguments& arguments) {
  PORTOLAN_CHECK_OK(check_outputs(arguments));
  PORTOLAN_TRY(const SweepQuestion question, question_of(session, arguments));
  PORTOLAN_TRY(const PredictionErrors errors, session.prediction_errors());
  PORTOLAN_TRY(const std::vector<SweepPoint> points, read_sweep_points(question, errors));
  for (const SweepPoint& point : points) {
    PORTOLAN_CHECK_OK(check_objective(point.scenario));
  }
  SweepTable table = empty_table(question.varied, points);
  PORTOLAN_CHECK_OK(check_axes(table, arguments.axes));
  PORTOLAN_TRY(auto rows, finished_rows(arguments, table, points));
  const auto num_kept = std::count_if(rows.begin(), rows.end(), [](const auto& row) { return !row.empty(); });
  PORTOLAN_CHECK_OK(fill(session, arguments, question, points, errors, rows, table));
  if (arguments.plot) {
    SweepAxes axes = arguments.axes;
    axes.title = std::filesystem::path(arguments.scenario).stem().string();
    PORTOLAN_TRY(const Plot plot, sweep_plot(table, axes));
    PORTOLAN_CHECK_OK(draw_plot(plot, *arguments.plot));
  }
  if (session.json()) {
    session.print_json(sweep_json(table));
    return {};
  }
  session.print(sweep_report(table, session.width()));
  if (num_kept > 0) {
    session.print(fmt::format("{} of {} rows were there already\n", num_kept, points.size()));
  }
  if (arguments.out) {
    session.print(fmt::format("table: {}\n", *arguments.out));
  }
  if (arguments.plot) {
    session.print(fmt::format("plot: {}\n", *arguments.plot));
  }
  return {};
}

}  // namespace

void add_sweep_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<SweepArguments>();
  CLI::App* verb =
      app.add_subcommand("sweep", "Plan a scenario again and again, with other values of its keys");
  verb->footer(
      "Example: portolan sweep gpt3-175b-512xa100 --vary num_gpus=128..512*2 --out gpus.csv\n"
      "Example: portolan sweep gpt3-175b-512xa100 --vary num_gpus=256,512 --vary "
      "'hardware.nic.bandwidth=100 Gbit/s,200 Gbit/s' --out net.csv --plot net.svg");
  verb->add_option("SCENARIO", arguments->scenario, "Scenario file, or the name of a shipped one")
      ->required();
  verb->add_option(
          "--vary", arguments->vary,
          "A key of the scenario and its values: num_gpus=64,128 or num_gpus=64..1024*2 or "
          "strategy.tp=1,8 or hardware=dgx-h100,p4d or 'hardware.device.memory=40 GiB,80 GiB'; given "
          "several times, all combinations")
      ->required()
      ->type_name("KEY=VALUE,...")
      ->allow_extra_args(false);
  verb->add_option("--hardware", arguments->hardware,
                   "Hardware to use instead of the scenario's: a file or a name")
      ->type_name("NAME|FILE");
  verb->add_option("--strategy", arguments->strategy,
                   "Fields to fix at every point, such as tp=8,pp=4; the search chooses the others");
  verb->add_option("--out", arguments->out,
                   "Table to write after each point; called again, the sweep goes on where it stopped")
      ->type_name("CSV");
  verb->add_flag("--restart", arguments->restart, "Begin anew, whatever --out has");
  verb->add_option("--plot", arguments->plot, "Plot to draw with gnuplot")->type_name("SVG");
  verb->add_option("--y", arguments->axes.y,
                   "Column that the plot shows (default: run_days_p50 with tokens to train on, else "
                   "tokens_per_s)")
      ->type_name("COLUMN");
  verb->add_option("--x", arguments->axes.x, "Key along the plot (default: the first of several values)")
      ->type_name("KEY");
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return sweep(session, *arguments); }); });
}

}  // namespace portolan
