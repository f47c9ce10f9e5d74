#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "base/file.h"
#include "catalog/plan_json.h"
#include "catalog/strategy_text.h"
#include "cli/deadline_sizes.h"
#include "cli/evaluation.h"
#include "cli/json_output.h"
#include "cli/objective.h"
#include "cli/session.h"
#include "cli/training_run_options.h"
#include "cli/verbs.h"
#include "plan/job_cluster.h"
#include "plan/placed_finalists.h"
#include "plan/search.h"
#include "report/degraded_report.h"
#include "report/placement_report.h"
#include "report/plan_report.h"
#include "report/run_forecast_report.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostRows = 1'000'000;
/// Orders of nodes are looked for and simulated for so many.
constexpr std::size_t kFinalistsPlaced = 4;

struct PlanArguments {
  std::string scenario;
  std::optional<std::string> hardware;
  std::string strategy;
  std::optional<std::string> objective;
  std::int64_t top = 5;
  std::optional<std::string> out;
  bool space = false;
  TrainingRunOptions training_run;
  bool gpus_for_deadline = false;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What the search runs over.
Result<void> print_space(const Session& session, const Scenario& scenario, const StrategyConstraints& fixed) {
  const SearchSpace space(scenario, fixed, SpaceBreadth::kWhole);
  if (session.json()) {
    session.print_json(space_json(space));
  } else {
    session.print(space_table(space, session.width()));
  }
  return {};
}

Result<void> plan(const Session& session, const PlanArguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  PORTOLAN_TRY(Scenario scenario, session.load_scenario(arguments.scenario, arguments.hardware));
  PORTOLAN_TRY(const StrategyConstraints fixed, parse_strategy(arguments.strategy));
  if (arguments.objective) {
    PORTOLAN_TRY(scenario.objective, parse_objective(*arguments.objective));
  }
  PORTOLAN_CHECK_OK(set_training_run(scenario, arguments.training_run));
  PORTOLAN_CHECK_OK(check_objective(scenario));
  if (arguments.gpus_for_deadline) {
    PORTOLAN_CHECK_OK(check_has_deadline(scenario));
  }
  if (arguments.top < 1 || arguments.top > kMostRows) {
    return bad_input(fmt::format("--top: {} (allowed: 1 to {})", arguments.top, kMostRows));
  }
  if (arguments.space) {
    return print_space(session, scenario, merge_constraints(scenario.constraints, fixed));
  }
  if (arguments.out) {
    PORTOLAN_CHECK_OK(Session::check_out(*arguments.out, arguments.scenario));
  }
  PORTOLAN_TRY(const Cluster cluster, job_cluster(scenario));
  const SearchTools tools =
      make_search_tools(scenario, cluster, [&](Fidelity fidelity, std::size_t done, std::size_t total) {
        session.show_progress(fmt::format("simulating {} candidates, {}", total, fidelity_name(fidelity)),
                              static_cast<double>(done) / static_cast<double>(total));
      });
  const StrategyConstraints constraints = merge_constraints(scenario.constraints, fixed);
  PORTOLAN_TRY(SearchResult result, search(scenario, constraints, tools, {}));
  std::optional<PlacedFinalists> placed;
  if (!cluster.is_regular() || !cluster.is_healthy()) {
    PORTOLAN_TRY(placed, place_finalists(scenario, result.ranking, kFinalistsPlaced, tools.evaluator));
    result.ranking = with_placed(std::move(result.ranking), *placed);
  }
  session.end_progress();
  PORTOLAN_TRY(const PredictionErrors errors, session.prediction_errors());
  const PredictionMargins margins = margins_of(errors, scenario);
  PORTOLAN_TRY(const std::optional<RunForecast> forecast,
               forecast_if_asked(scenario, result.ranking.front(), margins));
  const std::vector<FinalistOdds> odds = finalist_odds(scenario, result.ranking, margins);
  Plan best = make_plan(scenario, result.ranking.front().strategy);
  result.ranking.front().program_hash = best.hash;
  const double wall_s = seconds_since(start);
  std::optional<DeadlineSize> size;
  if (arguments.gpus_for_deadline) {
    PORTOLAN_TRY(size, find_deadline_size(session, scenario, constraints, margins));
  }
  if (arguments.out) {
    PORTOLAN_CHECK_OK(write_file_atomically(*arguments.out, write_plan(best)));
  }
  if (session.json()) {
    session.print_json(
        search_json(result, {.top = static_cast<std::size_t>(arguments.top),
                             .wall_s = wall_s,
                             .margins = margins,
                             .odds = odds,
                             .placement = placed ? &*placed : nullptr,
                             .training_run = forecast,
                             .gpus_for_deadline = size ? deadline_size_json(*size, margins) : "null"}));
    return {};
  }
  const Estimate& winner = result.ranking.front();
  session.print(fmt::format("{}: {} on {} GPUs of {}, global batch {} x {} tokens, {}\n", scenario.name,
                            scenario.model.name, scenario.num_gpus, scenario.hardware.name,
                            scenario.global_batch, scenario.sequence_length, scenario.software.name));
  session.print(condition_text(scenario.hardware.condition));
  session.print(search_summary(result) + "\n");
  session.print(ranking_table(result.ranking, static_cast<std::size_t>(arguments.top), session.width()));
  session.print(
      fmt::format("\nthe winner, {} (program {}):\n", short_name(winner.strategy), best.hash.substr(0, 12)));
  session.print(breakdown_table(winner, session.width()));
  session.print(interval_line(winner, margins));
  if (placed) {
    session.print(placement_lines(*placed));
  }
  session.print(odds_line(odds));
  session.print(
      fmt::format("MFU {:.1f}%, HFU {:.1f}% (attention counted whole, not causal); planned in {:.1f} s\n",
                  winner.mfu_pct, winner.hfu_pct, wall_s));
  if (forecast) {
    session.print("\n" + run_forecast_text(*forecast, scenario, session.width()));
  }
  if (size) {
    session.print(deadline_size_text(*size, scenario));
  }
  if (arguments.out) {
    session.print(fmt::format("plan: {}\n", *arguments.out));
  }
  return {};
}

}  // namespace

void add_plan_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<PlanArguments>();
  CLI::App* verb = app.add_subcommand(
      "plan", "Search strategies for a scenario, rank them, write the best as a plan file");
  verb->footer(
      "Example: portolan plan scenarios/gpt3-175b-512xa100.yaml --top 10 --out plan.json\n"
      "Example: portolan plan gpt3-175b-512xa100 --tokens 300e9 --deadline 45d");
  verb->add_option("SCENARIO", arguments->scenario, "Scenario file, or the name of a shipped one")
      ->required();
  verb->add_option("--hardware", arguments->hardware,
                   "Hardware to use instead of the scenario's: a file or a name")
      ->type_name("NAME|FILE");
  verb->add_option("--strategy", arguments->strategy,
                   "Fields to fix, such as tp=8,pp=4; the search chooses the others");
  verb->add_option("--objective", arguments->objective, "time, memory, energy or cost")->type_name("NAME");
  verb->add_option("--top", arguments->top, "How many candidates to print")->type_name("N");
  verb->add_option("--out", arguments->out, "Plan file to write")->type_name("PLAN");
  verb->add_flag(
      "--space", arguments->space,
      "Print what each field may be in the search, and how many strategies that makes; plan nothing");
  add_training_run_options(*verb, arguments->training_run);
  verb->add_flag(
      "--gpus-for-deadline", arguments->gpus_for_deadline,
      "Also look for the fewest GPUs, in whole nodes, that keep to the deadline in 90% of cases: plans "
      "size after size");
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return plan(session, *arguments); }); });
}

}  // namespace portolan
