#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "cli/session.h"
#include "cli/verbs.h"

namespace {

/// The scenarios beside an installed program, else those of the source tree that it was built from.
std::filesystem::path shipped_scenarios() {
  std::error_code code;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", code);
  if (!code) {
    for (std::filesystem::path folder = program.parent_path(); folder.has_relative_path();
         folder = folder.parent_path()) {
      for (const char* place : {"scenarios", "share/portolan/scenarios"}) {
        if (std::filesystem::is_directory(folder / place / "hardware", code)) {
          return folder / place;
        }
      }
    }
  }
  return "scenarios";
}

}  // namespace

int main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("portolan"));
  spdlog::set_pattern("%^%l%$: %v");
  std::string command_line;
  for (int i = 0; i < argc; ++i) {
    command_line += (i > 0 ? " " : "") + std::string(argv[i]);
  }
  portolan::Session session(shipped_scenarios(), std::move(command_line));

  CLI::App app{
      "Portolan plans the training of large language models on GPU clusters: it predicts by simulating the "
      "fabric, "
      "trains for real, and shows where the two part."};
  app.name("portolan");
  app.set_version_flag("--version", std::string("portolan ") + PORTOLAN_VERSION);
  app.require_subcommand(1);
  portolan::add_plan_verb(app, session);
  portolan::add_why_verb(app, session);
  portolan::add_simulate_verb(app, session);
  portolan::add_calibrate_verb(app, session);
  portolan::add_import_verb(app, session);
  portolan::add_run_verb(app, session);
  portolan::add_compare_verb(app, session);
  portolan::add_validate_verb(app, session);
  portolan::add_export_verb(app, session);
  portolan::add_sweep_verb(app, session);
  portolan::add_reproduce_verb(app, session);
  const auto is_verb = [&](const std::string& word) {
    const auto verbs = app.get_subcommands([&](CLI::App* verb) { return verb->get_name() == word; });
    return !verbs.empty();
  };
  if (argc > 1 && argv[1][0] != '-' && !is_verb(argv[1])) {
    fmt::print(stderr,
               "portolan: \"{}\" is no verb (allowed: plan, why, simulate, calibrate, import, run, compare, "
               "validate, "
               "export, sweep, reproduce)\n",
               argv[1]);
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return app.exit(error);
    }
    fmt::print(stderr, "portolan: {} (see portolan --help)\n", error.what());
    return 2;
  }
  return session.exit_code();
}
