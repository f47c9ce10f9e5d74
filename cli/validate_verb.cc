#include <CLI/CLI.hpp>
#include <memory>

#include "base/file.h"
#include "catalog/measured/memory_rows.h"
#include "catalog/measured/training_rows.h"
#include "catalog/prediction_errors_yaml.h"
#include "cli/evaluation.h"
#include "cli/fidelity_option.h"
#include "cli/json_output.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "report/memory_validation_report.h"
#include "report/validation_report.h"
#include "study/ablation.h"
#include "study/memory_validation.h"
#include "study/validation.h"

namespace portolan {

namespace {

struct ValidateArguments {
  std::string truth;
  std::optional<std::string> memory;
  std::string fidelity = "folded";
  std::string without;
  bool rows = false;
  std::optional<std::string> errors_out;
};

Result<void> validate(const Session& session, const ValidateArguments& arguments) {
  PORTOLAN_TRY(const Fidelity fidelity, parse_fidelity(arguments.fidelity));
  if (arguments.errors_out) {
    PORTOLAN_CHECK_OK(Session::check_out(*arguments.errors_out, arguments.truth, "--errors-out"));
  }
  std::vector<PhysicsTerm> terms;
  if (!arguments.without.empty()) {
    Result<std::vector<PhysicsTerm>> parsed = parse_physics_terms(arguments.without);
    if (!parsed) {
      return bad_input("--without: " + parsed.error().message);
    }
    terms = *std::move(parsed);
  }
  PORTOLAN_TRY(const CatalogPaths paths, session.catalog_paths());
  PORTOLAN_TRY(const std::string text, read_file(arguments.truth));
  PORTOLAN_TRY(const std::vector<TrainingRow> rows, read_training_rows(text, arguments.truth));
  const auto progress = [&](std::size_t done, std::size_t total) {
    session.show_progress("predicting", static_cast<double>(done) / static_cast<double>(total));
  };
  const TaskPredictor predict = without_terms(
      terms, make_task_predictor(
                 fidelity, num_allowed_cores(),
                 session.shows_progress() ? progress : std::function<void(std::size_t, std::size_t)>()));
  std::vector<MemoryRow> peaks;
  if (arguments.memory) {
    PORTOLAN_TRY(const std::string table, read_file(*arguments.memory));
    PORTOLAN_TRY(peaks, read_memory_rows(table, *arguments.memory));
  }
  PORTOLAN_TRY(Validation validation, validate_rows(rows, paths, predict));
  PORTOLAN_TRY(MemoryValidation memory, validate_memory(peaks, rows, paths, predict));
  session.end_progress();
  PORTOLAN_TRY(PredictionErrors errors, find_prediction_errors(paths));
  if (arguments.errors_out) {
    errors.step_time = step_errors_of(validation);
    if (arguments.memory) {
      errors.memory = memory_errors_of(memory);
    }
    PORTOLAN_CHECK_OK(write_file_atomically(*arguments.errors_out, write_prediction_errors(errors)));
  }
  add_intervals(validation, errors);
  add_intervals(memory, errors);
  if (session.json()) {
    session.print_json(validation_json(validation, arguments.memory ? &memory : nullptr));
    return {};
  }
  if (arguments.rows) {
    session.print(validation_rows_table(validation, session.width()) + "\n");
  }
  session.print(validation_groups_table(validation, session.width()));
  if (const std::string intervals = validation_intervals_table(validation, session.width());
      !intervals.empty()) {
    session.print("\n" + intervals);
  }
  if (const std::string rankings = validation_rankings_table(validation, session.width());
      !rankings.empty()) {
    session.print("\n" + rankings);
  }
  if (!validation.skipped.empty()) {
    session.print("\n" + skipped_rows_list(validation.skipped, session.width()));
  }
  if (arguments.memory) {
    if (arguments.rows) {
      session.print("\n" + memory_rows_table(memory, session.width()));
    }
    session.print("\n" + memory_groups_table(memory, session.width()));
    if (!memory.skipped.empty()) {
      session.print("\n" + skipped_rows_list(memory.skipped, session.width()));
    }
  }
  return {};
}

}  // namespace

void add_validate_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<ValidateArguments>();
  CLI::App* verb =
      app.add_subcommand("validate", "Predict published steps and compare them with what was measured");
  verb->footer("Example: portolan validate --truth training.csv --rows");
  verb->add_option("--truth", arguments->truth, "Table of published steps (docs/published-steps.md)")
      ->required()
      ->type_name("CSV");
  verb->add_option("--memory", arguments->memory,
                   "Table of published peaks of memory, of runs in --truth by id (docs/published-steps.md)")
      ->type_name("CSV");
  add_fidelity_option(*verb, arguments->fidelity);
  verb->add_option("--errors-out", arguments->errors_out,
                   "Write the errors, by source, from which intervals are made (YAML)")
      ->type_name("FILE");
  verb->add_option("--without", arguments->without,
                   "Predict without parts of the physics, such as tile_quantisation,launch")
      ->type_name("TERM,...");
  verb->add_flag("--rows", arguments->rows, "Show every row too");
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return validate(session, *arguments); }); });
}

}  // namespace portolan
