#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "catalog/strategy_text.h"
#include "cli/evaluation.h"
#include "cli/json_output.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "plan/job_cluster.h"
#include "plan/search.h"
#include "report/plan_report.h"

namespace portolan {

namespace {

struct WhyArguments {
  std::string scenario;
  std::optional<std::string> hardware;
  std::string strategy;
};

/// The candidate that `fixed` names: its own best completion where it leaves fields open, legal ones before
/// others.
Verdict best_verdict(const Scenario& scenario, const StrategyConstraints& fixed, const Evaluator& evaluator,
                     Strategy& chosen) {
  Verdict best;
  bool found = false;
  double best_value = 0;
  for (const Strategy& candidate : enumerate_strategies(scenario, fixed)) {
    Verdict verdict = judge(scenario, candidate, evaluator, Fidelity::kClosedForm);
    const bool fits = verdict.kind == Verdict::Kind::kRanked;
    const bool had_fit = found && best.kind == Verdict::Kind::kRanked;
    const double value = verdict.estimate ? (fits ? objective_value(scenario.objective, *verdict.estimate)
                                                  : static_cast<double>(verdict.estimate->peak_memory.value))
                                          : 0;
    const bool better = !found || (fits && !had_fit) ||
                        (fits == had_fit && verdict.estimate && (!best.estimate || value < best_value));
    if (better) {
      found = true;
      best_value = value;
      chosen = verdict.estimate ? verdict.estimate->strategy : candidate;
      best = std::move(verdict);
    }
  }
  if (!found) {
    best.rejection =
        Rejection{RejectReason::kDegrees, "no combination of the degrees left open makes up the GPUs"};
  }
  return best;
}

std::vector<std::string> reasons_of(const Verdict& verdict, const Estimate* winner) {
  if (verdict.rejection) {
    return {fmt::format("{}: {}", reject_reason_name(verdict.rejection->reason), verdict.rejection->message)};
  }
  if (winner != nullptr && verdict.estimate->strategy != winner->strategy) {
    return {loss_against(*verdict.estimate, *winner)};
  }
  return {"it is the winner"};
}

Result<void> why(const Session& session, const WhyArguments& arguments) {
  PORTOLAN_TRY(const Scenario scenario, session.load_scenario(arguments.scenario, arguments.hardware));
  PORTOLAN_TRY(const StrategyConstraints fixed, parse_strategy(arguments.strategy));
  PORTOLAN_TRY(const Cluster cluster, job_cluster(scenario));
  const SearchTools tools = make_search_tools(scenario, cluster);
  const Evaluator& evaluator = tools.evaluator;
  Strategy chosen;
  Verdict verdict = best_verdict(scenario, merge_constraints(scenario.constraints, fixed), evaluator, chosen);
  PORTOLAN_TRY(const PredictionErrors errors, session.prediction_errors());
  Result<SearchResult> result = search(scenario, scenario.constraints, tools, {});
  if (verdict.kind == Verdict::Kind::kRanked) {
    const bool in_full = !result || result->not_in_full.empty();
    verdict = judge(scenario, chosen, evaluator, in_full ? Fidelity::kFull : Fidelity::kFolded);
    if (in_full && !verdict.estimate) {  // too large for it: both as folded sees them
      verdict = judge(scenario, chosen, evaluator, Fidelity::kFolded);
      if (result) {
        Verdict folded = judge(scenario, result->ranking.front().strategy, evaluator, Fidelity::kFolded);
        result->ranking.front() = folded.estimate.value_or(result->ranking.front());
      }
    }
  }
  const Estimate* winner = result ? &result->ranking.front() : nullptr;
  const std::vector<std::string> reasons = reasons_of(verdict, winner);
  if (session.json()) {
    session.print_json(verdict_json(verdict, reasons, winner, margins_of(errors, scenario)));
    return {};
  }
  session.print(fmt::format("{}: {}\n", short_name(chosen), verdict.rejection ? "rejected" : "feasible"));
  for (const std::string& reason : reasons) {
    session.print("  " + reason + "\n");
  }
  if (verdict.estimate && winner != nullptr) {
    session.print(fmt::format("\nagainst the winner, {}:\n", short_name(winner->strategy)));
    session.print(comparison_table(*verdict.estimate, *winner, session.width()));
  }
  return {};
}

}  // namespace

void add_why_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<WhyArguments>();
  CLI::App* verb = app.add_subcommand("why", "The verdict on one candidate, term by term against the winner");
  verb->footer("Example: portolan why scenarios/gpt3-175b-512xa100.yaml --strategy tp=8,pp=4");
  verb->add_option("SCENARIO", arguments->scenario, "Scenario file, or the name of a shipped one")
      ->required();
  verb->add_option("--strategy", arguments->strategy, "The candidate, such as tp=8,pp=4,dp=16")->required();
  verb->add_option("--hardware", arguments->hardware,
                   "Hardware to use instead of the scenario's: a file or a name")
      ->type_name("NAME|FILE");
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return why(session, *arguments); }); });
}

}  // namespace portolan
