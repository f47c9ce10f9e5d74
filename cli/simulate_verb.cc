#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "base/file.h"
#include "catalog/strategy_text.h"
#include "cli/degraded_json.h"
#include "cli/evaluation.h"
#include "cli/event_options.h"
#include "cli/fidelity_option.h"
#include "cli/json_output.h"
#include "cli/megatron_script.h"
#include "cli/session.h"
#include "cli/training_run_options.h"
#include "cli/verbs.h"
#include "plan/closed_form.h"
#include "plan/job_cluster.h"
#include "plan/memory_timeline.h"
#include "plan/search.h"
#include "report/memory_csv.h"
#include "report/plan_report.h"
#include "report/run_forecast_report.h"
#include "report/step_trace.h"
#include "report/unvalidated_report.h"

namespace portolan {

namespace {

struct SimulateArguments {
  std::string file;
  std::optional<std::string> hardware;
  std::string strategy;
  std::optional<std::string> megatron_args;
  std::optional<std::string> software;
  std::vector<std::string> variables;
  std::string fidelity;  ///< empty: chosen here
  std::vector<std::string> events;
  std::optional<std::string> memory_timeline;
  std::optional<std::string> trace;
  TrainingRunOptions training_run;

  bool need_timeline() const { return memory_timeline || trace; }
};

/// What is given must go together: a launch script says itself what else would be asked for.
Result<void> check_script_options(const SimulateArguments& arguments) {
  if (!arguments.megatron_args) {
    if (arguments.software || !arguments.variables.empty()) {
      return bad_input(
          fmt::format("{}: without --megatron-args (allowed: with it; a scenario has its software)",
                      arguments.software ? "--software" : "--set"));
    }
    return arguments.file.empty()
               ? bad_input("PLAN: is not given (needed: a plan, a scenario or --megatron-args)")
               : Result<void>();
  }
  if (!arguments.strategy.empty()) {
    return bad_input(fmt::format("--strategy: {} has its strategy (allowed: with a scenario alone)",
                                 *arguments.megatron_args));
  }
  if (!arguments.file.empty() && Session::looks_like_plan(arguments.file)) {
    return bad_input(
        fmt::format("{}: is a plan, which says all that a script does (allowed beside --megatron-args: a "
                    "scenario)",
                    arguments.file));
  }
  return {};
}

/// The plan in the file, or one for the scenario: with the fields named, the others by search. Of a launch
/// script, what it says; `reading` tells of it.
Result<Plan> load_or_make_plan(const Session& session, const SimulateArguments& arguments, Fidelity fidelity,
                               std::optional<LaunchReading>& reading) {
  if (arguments.megatron_args) {
    MegatronScriptOptions options{.file = *arguments.megatron_args,
                                  .scenario = {},
                                  .hardware = arguments.hardware,
                                  .software = arguments.software,
                                  .variables = arguments.variables};
    if (!arguments.file.empty()) {
      options.scenario = arguments.file;
    }
    return plan_of_script(session, options, reading.emplace());
  }
  if (Session::looks_like_plan(arguments.file)) {
    if (!arguments.strategy.empty()) {
      return bad_input(fmt::format("--strategy: {} is a plan and has its strategy (allowed: with a scenario)",
                                   arguments.file));
    }
    PORTOLAN_TRY(Plan plan, session.load_plan(arguments.file));
    if (arguments.hardware) {
      return bad_input(fmt::format("--hardware: {} is a plan and has its hardware (allowed: with a scenario)",
                                   arguments.file));
    }
    return plan;
  }
  PORTOLAN_TRY(const Scenario scenario, session.load_scenario(arguments.file, arguments.hardware));
  PORTOLAN_TRY(const StrategyConstraints named, parse_strategy(arguments.strategy));
  const StrategyConstraints fixed = merge_constraints(scenario.constraints, named);
  const std::vector<Strategy> candidates = enumerate_strategies(scenario, fixed);
  PORTOLAN_TRY(const Cluster cluster, job_cluster(scenario));
  const SearchTools tools = make_search_tools(scenario, cluster);
  if (candidates.size() == 1) {
    // What is recomputed is chosen for the memory as the rung below sees it; folded sees it as all others do.
    const bool is_open = candidates.front().recompute.is_open() && fidelity != Fidelity::kClosedForm;
    const Verdict verdict = judge(scenario, candidates.front(), tools.evaluator,
                                  is_open ? Fidelity::kFolded : Fidelity::kClosedForm);
    if (verdict.rejection) {
      return infeasible(verdict.rejection->message);
    }
    return make_plan(scenario, verdict.estimate->strategy);
  }
  // The step is predicted below, on the rung that was asked for: finalists in full would be for nothing.
  PORTOLAN_TRY(const SearchResult found,
               search(scenario, fixed, tools,
                      {.breadth = arguments.strategy.empty() ? SpaceBreadth::kWhole : SpaceBreadth::kUsual,
                       .num_full = cluster.is_healthy() ? 0 : SearchOptions{}.num_full}));
  return make_plan(scenario, found.ranking.front().strategy);
}

Result<void> check_outputs(const SimulateArguments& arguments, Fidelity fidelity) {
  for (const auto& [option, file] :
       {std::pair("--memory-timeline", &arguments.memory_timeline), std::pair("--trace", &arguments.trace)}) {
    if (!*file) {
      continue;
    }
    if (fidelity == Fidelity::kClosedForm) {
      return bad_input(fmt::format(
          "{}: the closed form has no timeline (allowed: another --fidelity, such as folded)", option));
    }
    PORTOLAN_CHECK_OK(Session::check_out(**file, arguments.file, option));
    if (arguments.megatron_args) {
      PORTOLAN_CHECK_OK(Session::check_out(**file, *arguments.megatron_args, option));
    }
  }
  if (arguments.trace && arguments.trace == arguments.memory_timeline) {
    return bad_input(
        fmt::format("--trace: {} is --memory-timeline's (allowed: another file)", *arguments.trace));
  }
  return {};
}

/// What was asked for of the timeline. `told` says what step it is, `marks` when something happens in it.
Result<void> write_outputs(const SimulateArguments& arguments, const Plan& plan, const Timeline& timeline,
                           const std::string& told, const std::vector<TraceMark>& marks) {
  const std::vector<SlotMemory> rows = memory_timeline(plan.scenario, plan.strategy, plan.program, timeline);
  if (arguments.memory_timeline) {
    PORTOLAN_CHECK_OK(write_file_atomically(*arguments.memory_timeline, memory_csv(rows, plan.program)));
  }
  if (arguments.trace) {
    const std::string title = fmt::format("{}: {}, {}", plan.scenario.name, short_name(plan.strategy), told);
    PORTOLAN_CHECK_OK(
        write_file_atomically(*arguments.trace, step_trace(plan.program, timeline, rows, title, marks)));
  }
  return {};
}

/// A step as it was predicted, beside the healthy one where something is wrong.
struct PredictedStep {
  Simulation simulation;
  std::optional<DegradedStep> degraded;  ///< its step is `simulation`
};

Result<PredictedStep> predict_step(const Plan& plan, const Cluster& cluster, Fidelity fidelity,
                                   bool with_timeline, const std::vector<ClusterEvent>& events) {
  PredictedStep predicted;
  if (cluster.is_healthy() && events.empty()) {
    PORTOLAN_TRY(predicted.simulation, predict(plan, cluster, fidelity, with_timeline));
    return predicted;
  }
  PORTOLAN_TRY(predicted.degraded, predict_degraded(plan, cluster, fidelity, with_timeline, events));
  predicted.simulation = predicted.degraded->step;
  return predicted;
}

/// A step with an event in it is not one of many: a whole run is made of those before it.
Estimate usual_step(const PredictedStep& predicted, const Scenario& scenario, bool has_events) {
  Estimate usual = predicted.simulation.estimate;
  if (has_events) {
    usual.step_time = predicted.degraded->healthy;
    complete_estimate(usual, scenario);
  }
  return usual;
}

void print_step(const Session& session, const Estimate& estimate, const PredictionMargins& margins) {
  session.print(breakdown_table(estimate, session.width()));
  session.print(interval_line(estimate, margins));
  session.print(fmt::format("MFU {:.1f}%, HFU {:.1f}%, {:.0f} tokens/s\n\n", estimate.mfu_pct,
                            estimate.hfu_pct, estimate.tokens_per_s));
  session.print(memory_table(estimate, session.width()));
}

Result<void> run_simulation(const Session& session, const SimulateArguments& arguments) {
  std::optional<Fidelity> asked;
  if (!arguments.fidelity.empty()) {
    PORTOLAN_TRY(asked, parse_fidelity(arguments.fidelity));
  }
  PORTOLAN_CHECK_OK(check_script_options(arguments));
  PORTOLAN_CHECK_OK(check_outputs(arguments, asked.value_or(Fidelity::kFolded)));
  PORTOLAN_TRY(const std::vector<ClusterEvent> events, parse_events(arguments.events));
  std::optional<LaunchReading> reading;
  PORTOLAN_TRY(Plan plan, load_or_make_plan(session, arguments, asked.value_or(Fidelity::kFolded), reading));
  PORTOLAN_CHECK_OK(set_training_run(plan.scenario, arguments.training_run));
  PORTOLAN_TRY(const Cluster cluster, job_cluster(plan.scenario, plan.strategy));
  PORTOLAN_TRY(const Fidelity fidelity, choose_fidelity(asked, cluster, events));
  const auto start = std::chrono::steady_clock::now();
  PORTOLAN_TRY(PredictedStep predicted,
               predict_step(plan, cluster, fidelity, arguments.need_timeline(), events));
  Simulation& simulation = predicted.simulation;
  PORTOLAN_TRY(const PredictionErrors errors, session.prediction_errors());
  const PredictionMargins margins = margins_of(errors, plan.scenario);
  simulation.estimate.program_hash = plan.hash;
  if (const auto rejection = find_memory_rejection(plan.scenario, simulation.estimate)) {
    return infeasible(fmt::format("{}: {}", plan.scenario.name, rejection->message));
  }
  PORTOLAN_TRY(
      const std::optional<RunForecast> forecast,
      forecast_if_asked(plan.scenario, usual_step(predicted, plan.scenario, !events.empty()), margins));
  const double wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::string rung(fidelity_name(fidelity));
  if (arguments.need_timeline()) {
    const std::string told =
        events.empty() ? rung : fmt::format("{}, with {}", rung, fmt::join(arguments.events, ", "));
    std::vector<TraceMark> marks;
    for (std::size_t i = 0; i < events.size(); ++i) {
      marks.push_back({arguments.events[i], events[i].at});
    }
    PORTOLAN_CHECK_OK(write_outputs(arguments, plan, simulation.timeline, told, marks));
  }
  const std::vector<UnvalidatedFigure> unvalidated =
      unvalidated_figures(plan.scenario, plan.strategy, plan.program, cluster);
  const DegradedStory story{
      .scenario = plan.scenario,
      .events = arguments.events,
      .ranks_together = fidelity == Fidelity::kExplicit ? 1 : plan.strategy.tensor_parallel,
      .forecast = forecast};
  if (session.json()) {
    const std::string degraded = predicted.degraded ? degraded_json(*predicted.degraded, story) : "null";
    session.print_json(simulation_json(
        simulation, {rung, wall_s, unvalidated, margins, reading ? &*reading : nullptr, forecast, degraded}));
    return {};
  }
  if (reading) {
    session.print(reading_text(*reading, session.width()));
  }
  session.print(fmt::format("{}: {}, {} (program {}, {} activities, {:.0f} ms)\n", plan.scenario.name,
                            short_name(plan.strategy), rung, plan.hash.substr(0, 12),
                            simulation.num_activities, 1000 * wall_s));
  if (predicted.degraded) {
    session.print(asked ? "" : "replicas differ where something is wrong: all are simulated (full)\n");
    session.print(degraded_text(*predicted.degraded, story, session.width()));
  }
  if (!predicted.degraded || !predicted.degraded->stop) {
    session.print(predicted.degraded ? "\n" : "");
    print_step(session, simulation.estimate, margins);
  }
  if (forecast && events.empty()) {
    session.print("\n" + run_forecast_text(*forecast, plan.scenario, session.width()));
  }
  if (!unvalidated.empty()) {
    session.print("\n" + unvalidated_list(unvalidated, session.width()));
  }
  return {};
}

}  // namespace

void add_simulate_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<SimulateArguments>();
  CLI::App* verb =
      app.add_subcommand("simulate", "Predict one step of a plan, or of a scenario with a strategy");
  verb->footer(
      "Example: portolan simulate scenarios/megatron-1t-512xa100.yaml --strategy "
      "tp=8,pp=64,dp=1,microbatch=1,schedule=1f1b,recompute=full,zero=0\n"
      "Example: portolan simulate --megatron-args train.sh --hardware dgx-h100 --set NNODES=4\n"
      "Example: portolan simulate plan.json --event \"slow-gpu node3.gpu5 0.7 at 1.2 s\"");
  verb->add_option("PLAN", arguments->file, "Plan file, scenario file, or the name of a shipped scenario");
  verb->add_option("--strategy", arguments->strategy,
                   "Fields of the strategy for a scenario; the search chooses the others");
  verb->add_option("--hardware", arguments->hardware,
                   "Hardware to use instead of the scenario's: a file or a name")
      ->type_name("NAME|FILE");
  verb->add_option(
          "--megatron-args", arguments->megatron_args,
          "Launch script of Megatron-LM, or a file of its arguments: model, batch and strategy are its own; "
          "what it leaves out is the scenario's, where one is given")
      ->type_name("FILE");
  verb->add_option("--software", arguments->software,
                   "With --megatron-args: the framework's software profile, a file or a name")
      ->type_name("NAME|FILE");
  verb->add_option("--set", arguments->variables,
                   "With --megatron-args: a variable that the script finds in its environment, or an "
                   "argument of it by "
                   "its number (--set NNODES=8 --set 1=8b)")
      ->type_name("NAME=VALUE");
  add_fidelity_option(*verb, arguments->fidelity);
  add_event_option(*verb, arguments->events);
  verb->add_option("--memory-timeline", arguments->memory_timeline,
                   "Write memory of each stage through the step as a table (CSV)")
      ->type_name("FILE");
  verb->add_option("--trace", arguments->trace,
                   "Write the step as a trace for Perfetto or chrome://tracing (JSON)")
      ->type_name("FILE");
  add_training_run_options(*verb, arguments->training_run);
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return run_simulation(session, *arguments); }); });
}

}  // namespace portolan
