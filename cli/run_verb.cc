#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/file.h"
#include "base/sha256.h"
#include "catalog/plan_json.h"
#include "cli/evaluation.h"
#include "cli/json_output.h"
#include "cli/run_limits.h"
#include "cli/session.h"
#include "cli/training_text.h"
#include "cli/verbs.h"
#include "exec/calibration/machine_name.h"
#include "exec/run.h"
#include "plan/job_cluster.h"
#include "plan/kind_times.h"
#include "plan/run_record.h"
#include "plan/search.h"
#include "report/run_report.h"
#include "store/run_file.h"

namespace portolan {

namespace {

struct RunArguments {
  std::string plan;
  std::string device = "host";
  std::string ranks_as = "threads";
  std::int64_t steps = 30;
  std::optional<std::string> data;
  std::string out = "run.h5";
};

Result<void> check_arguments(const RunArguments& arguments) {
  if (arguments.device == "cuda") {
    return bad_input("--device: cuda is not available yet (allowed: host)");
  }
  if (arguments.device != "host") {
    return bad_input(fmt::format("--device: \"{}\" (allowed: host)", arguments.device));
  }
  if (arguments.ranks_as == "processes") {
    return bad_input("--ranks-as: processes are not available yet (allowed: threads)");
  }
  if (arguments.ranks_as != "threads") {
    return bad_input(fmt::format("--ranks-as: \"{}\" (allowed: threads)", arguments.ranks_as));
  }
  if (arguments.steps < 1 || arguments.steps > 1'000'000) {
    return bad_input(fmt::format("--steps: {} (allowed: 1 to 1000000)", arguments.steps));
  }
  PORTOLAN_CHECK_OK(Session::check_out(arguments.out, arguments.plan));
  return {};
}

/// Everything that is known before the first step: no predicted number comes from the run.
Result<RunRecord> predict_run(const Session& session, const RunArguments& arguments, const Plan& plan,
                              const Cluster& cluster) {
  RunRecord record;
  record.plan_json = write_plan(plan);
  record.program_hash = plan.hash;
  record.device = arguments.device;
  record.ranks_as = arguments.ranks_as;
  PORTOLAN_TRY(Simulation folded, predict(plan, cluster, Fidelity::kFolded, false));
  PORTOLAN_TRY(Simulation full, predict(plan, cluster, Fidelity::kFull, true));
  record.predicted = std::move(folded.estimate);
  record.predicted_timeline = std::move(full.timeline);
  record.provenance = {.command = session.command_line(),
                       .version = PORTOLAN_VERSION,
                       .machine = machine_name(num_allowed_cores()),
                       .scenario_hash = sha256_hex(record.plan_json),
                       .seed = plan.scenario.training.seed};
  return record;
}

void add_measurement(RunRecord& record, const Plan& plan, RunMeasurement measured) {
  const auto warmup = static_cast<std::ptrdiff_t>(measured.num_warmup_steps);
  record.step_times.assign(measured.step_times.begin() + warmup, measured.step_times.end());
  record.losses = std::move(measured.losses);
  record.heldout_losses = std::move(measured.heldout_losses);
  record.measured_timeline = std::move(measured.timeline);
  record.memory = std::move(measured.memory);
  record.valid = measured.valid;
  record.invalid_reason = std::move(measured.invalid_reason);
  std::vector<NamedTime> of_slowest;
  for (const MeasuredKind& kind : measured.by_kind) {
    if (kind.rank == measured.slowest_rank) {
      of_slowest.push_back({kind.kind, kind.time});
    }
  }
  const KernelCost cost(plan.scenario.hardware, plan.strategy.precision);
  record.by_kind = join_kind_times(
      predicted_kind_times(plan.program, cost, record.predicted_timeline, measured.slowest_rank), of_slowest);
}

Result<void> run(const Session& session, const RunArguments& arguments) {
  PORTOLAN_CHECK_OK(check_arguments(arguments));
  PORTOLAN_TRY(const Plan plan, session.load_plan(arguments.plan));
  PORTOLAN_CHECK_OK(check_runs(plan.scenario, plan.strategy));
  PORTOLAN_TRY(const Cluster cluster, job_cluster(plan.scenario, plan.strategy));
  PORTOLAN_TRY(RunRecord record, predict_run(session, arguments, plan, cluster));
  if (const auto rejection = find_memory_rejection(plan.scenario, record.predicted)) {
    return infeasible(fmt::format("{}: {}", arguments.plan, rejection->message));
  }
  PORTOLAN_TRY(const TokenDataset dataset, load_training_text(arguments.data, plan.scenario));
  RunOptions options;
  options.num_steps = arguments.steps;
  options.dataset = &dataset;
  options.on_step = [&](const RunProgress& progress) {
    if (progress.step == 1) {
      spdlog::info("host device: {} ranks as threads on {}", plan.program.num_ranks(),
                   record.provenance.machine);
    }
    session.show_progress(fmt::format("training, loss {:.4f}", progress.loss),
                          static_cast<double>(progress.step) / static_cast<double>(progress.num_steps));
  };
  PORTOLAN_TRY(RunMeasurement measured, run_program(plan, options));
  session.end_progress();
  add_measurement(record, plan, std::move(measured));
  PORTOLAN_CHECK_OK(write_run(arguments.out, record));
  if (session.json()) {
    session.print_json(run_json(record));
    return {};
  }
  session.print(fmt::format("{}: {} (program {})\n", plan.scenario.name, short_name(plan.strategy),
                            plan.hash.substr(0, 12)));
  session.print(run_summary(record, session.width()));
  session.print(record.valid ? "the measurement is valid\n"
                             : fmt::format("the measurement is NOT valid: {}\n", record.invalid_reason));
  session.print(fmt::format("run: {}\n", arguments.out));
  return {};
}

}  // namespace

void add_run_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* verb = app.add_subcommand("run", "Predict, then train a plan for real, and record both");
  verb->footer("Example: portolan run plan.json --device host --steps 30 --data texts --out run.h5");
  verb->add_option("PLAN", arguments->plan, "Plan file that portolan plan wrote")->required();
  verb->add_option("--device", arguments->device, "host")->type_name("NAME");
  verb->add_option("--ranks-as", arguments->ranks_as, "threads")->type_name("KIND");
  verb->add_option("--steps", arguments->steps, "Training steps")->type_name("N");
  verb->add_option("--data", arguments->data, "Folder of .txt and .jsonl files; else PORTOLAN_DATA")
      ->type_name("DIR");
  verb->add_option("--out", arguments->out, "Run file to write")->type_name("RUN");
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return run(session, *arguments); }); });
}

}  // namespace portolan
