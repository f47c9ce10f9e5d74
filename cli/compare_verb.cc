#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/compare_measured.h"
#include "cli/fidelity_option.h"
#include "cli/json_output.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "plan/divergence.h"
#include "report/run_report.h"
#include "store/run_file.h"

namespace portolan {

namespace {

struct CompareArguments {
  std::string file;
  std::optional<std::string> log;
  std::optional<std::string> trace;
  std::int64_t steps = 1;
  std::string fidelity = "folded";
  std::optional<std::int32_t> rank;
};

void show(const Session& session, const Divergence& divergence, const std::string& title,
          const std::string& program_hash) {
  if (session.json()) {
    session.print_json(divergence_json(divergence, program_hash));
    return;
  }
  session.print(fmt::format("{}, program {}\n", title, program_hash.substr(0, 12)));
  session.print(divergence_report(divergence, session.width()));
}

Result<void> compare_run(const Session& session, const std::string& file) {
  if (Session::looks_like_plan(file)) {
    return bad_input(fmt::format("{}: is a plan (needed with it: --log FILE or --trace FILE)", file));
  }
  PORTOLAN_TRY(const RunRecord record, read_run(file));
  show(session, divergence_of(record), fmt::format("{}: {}", file, short_name(record.predicted.strategy)),
       record.program_hash);
  return {};
}

Result<void> compare(const Session& session, const CompareArguments& arguments) {
  if (!arguments.log && !arguments.trace) {
    return compare_run(session, arguments.file);
  }
  if (arguments.log && arguments.trace) {
    return bad_input("--log, --trace: one measurement at a time (allowed: one of them)");
  }
  PORTOLAN_TRY(const Fidelity fidelity, parse_fidelity(arguments.fidelity));
  PORTOLAN_TRY(const Plan plan, session.load_plan(arguments.file));
  const MeasuredComparison comparison{plan, fidelity, arguments.rank};
  PORTOLAN_TRY(const Divergence divergence,
               arguments.log ? compare_with_log(comparison, *arguments.log)
                             : compare_with_trace(comparison, *arguments.trace, arguments.steps));
  show(session, divergence,
       fmt::format("{} against {}: {}, {}", arguments.file, arguments.log ? *arguments.log : *arguments.trace,
                   short_name(plan.strategy), arguments.fidelity),
       plan.hash);
  return {};
}

}  // namespace

void add_compare_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<CompareArguments>();
  CLI::App* verb =
      app.add_subcommand("compare", "Predicted against measured: step time, kinds of kernels, memory");
  verb->footer(
      "Example: portolan compare run.h5\n"
      "         portolan compare plan.json --log train.log   (Megatron-LM, NeMo, DeepSpeed, torchtitan)\n"
      "         portolan compare plan.json --trace rank0.json.gz");
  verb->add_option("RUN|PLAN", arguments->file,
                   "Run file that portolan run wrote; or a plan, with what another framework measured of it")
      ->required();
  verb->add_option("--log", arguments->log, "Training log, also packed with gzip")->type_name("FILE");
  verb->add_option("--trace", arguments->trace, "Trace of torch.profiler (JSON), also packed with gzip")
      ->type_name("FILE");
  verb->add_option("--steps", arguments->steps, "Steps in a trace that does not mark them (default: 1)")
      ->type_name("N");
  verb->add_option("--rank", arguments->rank,
                   "Rank that the measurement is of, where it does not say (default: 0)")
      ->type_name("N");
  add_fidelity_option(*verb, arguments->fidelity);
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return compare(session, *arguments); }); });
}

}  // namespace portolan
