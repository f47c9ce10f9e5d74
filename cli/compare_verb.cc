#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/json_output.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "plan/divergence.h"
#include "report/run_report.h"
#include "store/run_file.h"

namespace portolan {

namespace {

Result<void> compare(const Session& session, const std::string& file) {
  PORTOLAN_TRY(const RunRecord record, read_run(file));
  const Divergence divergence = divergence_of(record);
  if (session.json()) {
    session.print_json(divergence_json(divergence, record));
    return {};
  }
  session.print(fmt::format("{}: {}, program {}\n", file, short_name(record.predicted.strategy),
                            record.program_hash.substr(0, 12)));
  session.print(divergence_report(divergence, session.width()));
  return {};
}

}  // namespace

void add_compare_verb(CLI::App& app, Session& session) {
  auto file = std::make_shared<std::string>();
  CLI::App* verb =
      app.add_subcommand("compare", "Predicted against measured: step time, kinds of kernels, memory");
  verb->footer("Example: portolan compare run.h5");
  verb->add_option("RUN", *file, "Run file that portolan run wrote")->required();
  session.add_common_options(*verb);
  verb->callback([&session, file] { session.run([&] { return compare(session, *file); }); });
}

}  // namespace portolan
