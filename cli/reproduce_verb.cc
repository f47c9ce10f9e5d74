#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "catalog/json/json_value.h"
#include "cli/evaluation.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "plan/job_cluster.h"
#include "plan/search.h"
#include "report/paper_readme.h"
#include "report/paper_tables.h"

namespace portolan {

namespace {

/// What can be remade.
constexpr const char* kPaper = "paper";

struct ReproduceArguments {
  std::vector<std::string> names;
  std::string out = "results";
  std::vector<std::string> models = paper_models();
  bool baselines_only = false;
};

/// One folder of results.
struct Reproduced {
  std::string name;
  std::filesystem::path folder;
  std::vector<std::string> files;
  double wall_s = 0;
  std::vector<PaperRun> runs;
  std::vector<PaperGain> gains;  ///< of `runs`
  std::string summary;
};

/// As many as are simulated at once: rows are compared by what `folded` says of their winners.
Result<Estimate> plan_paper_scenario(const Scenario& scenario) {
  PORTOLAN_TRY(const Cluster cluster, job_cluster(scenario));
  PORTOLAN_TRY(const SearchResult found,
               search(scenario, scenario.constraints, make_search_tools(scenario, cluster),
                      {.shortlist = {.fewest = 16, .most = 16, .tolerance = 0}, .num_full = 0}));
  return found.ranking.front();
}

/// Before the work: names that exist, a folder that can be written, gnuplot.
Result<PaperQuestion> check_question(const Session& session, const ReproduceArguments& arguments) {
  for (const std::string& name : arguments.names) {
    if (name != kPaper) {
      return bad_input(fmt::format("reproduce: \"{}\" is no result (allowed: {})", name, kPaper));
    }
  }
  PORTOLAN_TRY(const CatalogPaths paths, session.catalog_paths());
  PaperQuestion question{.models = {}, .central = "", .all_parts = !arguments.baselines_only};
  for (const std::string& model : arguments.models) {
    if (const auto found = find_in_catalog(paths, "models", model); !found) {
      return bad_input(fmt::format("--models: {}", found.error().message));
    }
    if (std::find(question.models.begin(), question.models.end(), model) == question.models.end()) {
      question.models.push_back(model);
    }
  }
  const auto usual = std::find(question.models.begin(), question.models.end(), "gpt3-175b");
  question.central = usual == question.models.end() ? question.models.back() : *usual;
  PORTOLAN_CHECK_OK(check_can_draw());
  return question;
}

Result<std::filesystem::path> make_folder(const std::string& out, const std::string& name) {
  const std::filesystem::path folder = std::filesystem::path(out) / name;
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code) {
    return bad_input(fmt::format("--out: {}: {}", folder.string(), code.message()));
  }
  PORTOLAN_CHECK_OK(Session::check_out((folder / "README.md").string()));
  return folder;
}

Result<void> write_files(const PaperQuestion& question, Reproduced& made) {
  const std::vector<PaperFigure> figures = paper_figures(question, made.runs, made.gains);
  const std::vector<PaperGain> leaner = leaner_gains(made.runs, question.central);
  const auto write = [&](const std::string& file, const std::string& text) -> Result<void> {
    made.files.push_back(file);
    return write_file_atomically(made.folder / file, text);
  };
  PORTOLAN_CHECK_OK(write("runs.csv", write_csv(paper_runs_table(made.runs))));
  std::vector<PaperGain> all = made.gains;
  all.insert(all.end(), leaner.begin(), leaner.end());
  PORTOLAN_CHECK_OK(write("gains.csv", write_csv(paper_gains_table(all))));
  for (const PaperFigure& figure : figures) {
    made.files.push_back(figure.file);
    PORTOLAN_CHECK_OK(draw_plot(figure.plot, made.folder / figure.file));
  }
  return write("README.md", paper_readme(question, made.runs, made.gains, leaner, figures));
}

Result<Reproduced> reproduce_paper(const Session& session, const ReproduceArguments& arguments) {
  PORTOLAN_TRY(const PaperQuestion question, check_question(session, arguments));
  PORTOLAN_TRY(const CatalogPaths paths, session.catalog_paths());
  PORTOLAN_TRY(const PredictionErrors errors, session.prediction_errors());
  Reproduced made{
      .name = kPaper, .folder = {}, .files = {}, .wall_s = 0, .runs = {}, .gains = {}, .summary = ""};
  PORTOLAN_TRY(made.folder, make_folder(arguments.out, kPaper));
  const auto start = std::chrono::steady_clock::now();
  PORTOLAN_TRY(
      made.runs,
      run_paper(question, paths, errors, plan_paper_scenario, [&](const PaperCase& row, double share) {
        session.show_progress(fmt::format("{} {}", row.model, row.scenario_name()), share);
      }));
  session.end_progress();
  made.gains = paper_gains(made.runs);
  made.summary = paper_summary(made.gains);
  PORTOLAN_CHECK_OK(write_files(question, made));
  made.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return made;
}

JsonValue reduction_json(const Reduction& reduction) {
  JsonValue value = JsonValue::object().set("pct", reduction.pct);
  value.set("interval_pct", reduction.interval
                                ? json_list(std::vector{reduction.interval->low, reduction.interval->high})
                                : JsonValue());
  return value.set("tie", reduction.is_tie());
}

JsonValue gains_json(const std::vector<PaperGain>& gains) {
  JsonValue list = JsonValue::array();
  for (const PaperGain& gain : gains) {
    const PaperCase& row = gain.theirs->row;
    list.append(JsonValue::object()
                    .set("model", row.model)
                    .set("device", row.device)
                    .set("baseline", row.scenario_name())
                    .set("time_reduction", reduction_json(gain.time))
                    .set("memory_reduction", reduction_json(gain.memory))
                    .set("reaches_time", gain.reaches_time())
                    .set("reaches_memory", gain.reaches_memory()));
  }
  return list;
}

std::string reproduced_json(const Reproduced& made) {
  JsonValue result = JsonValue::object()
                         .set("name", made.name)
                         .set("folder", made.folder.string())
                         .set("files", json_list(made.files))
                         .set("wall_s", made.wall_s)
                         .set("rows", std::ssize(made.runs))
                         .set("gains", gains_json(made.gains));
  std::string text =
      write_json(JsonValue::object().set("results", JsonValue::array().append(std::move(result))));
  text.pop_back();  // the newline
  return text;
}

Result<void> reproduce(const Session& session, const ReproduceArguments& arguments) {
  PORTOLAN_TRY(const Reproduced made, reproduce_paper(session, arguments));
  if (session.json()) {
    session.print_json(reproduced_json(made));
    return {};
  }
  session.print(made.summary);
  session.print(fmt::format("\n{} rows planned in {:.0f} s: {}\n", made.runs.size(), made.wall_s,
                            (made.folder / "README.md").string()));
  return {};
}

}  // namespace

void add_reproduce_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<ReproduceArguments>();
  CLI::App* verb = app.add_subcommand("reproduce", "Remake published results: tables, figures, a page");
  verb->footer(
      "paper: baselines of Megatron-LM, DeepSpeed and FairScale against Portolan's plan on 512 A100s.\n"
      "Example: portolan reproduce paper\n"
      "Example: portolan reproduce paper --models gpt3-175b --baselines-only --out build/results");
  verb->add_option("NAME", arguments->names, "What to remake (default: all, which is paper)")
      ->type_name("paper");
  verb->add_option("--out", arguments->out, "Folder that gets a folder for each name")
      ->type_name("DIR")
      ->capture_default_str();
  verb->add_option("--models", arguments->models, "Models of the catalog, instead of the paper's range")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  verb->add_flag("--baselines-only", arguments->baselines_only,
                 "Without budgets, tiers, fabrics and 40 GB devices");
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return reproduce(session, *arguments); }); });
}

}  // namespace portolan
