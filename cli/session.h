#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "plan/plan_file.h"
#include "plan/prediction_error.h"
#include "plan/scenario.h"

namespace CLI {
class App;
}

namespace portolan {

/// What every verb shares: flags, where files are found, how a result or an error reaches people and
/// machines.
class Session {
 public:
  Session(std::filesystem::path shipped_scenarios, std::string command_line);

  /// Adds --json and --catalog to a verb.
  void add_common_options(CLI::App& verb);

  bool json() const { return json_; }
  const std::string& command_line() const { return command_line_; }
  /// Characters a line of a table may take: the terminal's, else 80.
  std::size_t width() const;
  /// Standard error is a terminal: progress may be shown.
  bool shows_progress() const;

  /// Draws "label [####....] 40%" over the current line of the terminal; nothing where shows_progress() is
  /// false.
  void show_progress(std::string_view label, double share) const;
  /// Wipes it.
  void end_progress() const;

  /// Folders of --catalog, then the shipped one.
  Result<CatalogPaths> catalog_paths() const;
  /// What published measurements say of predictions' errors; none where no folder has a table of them.
  Result<PredictionErrors> prediction_errors() const;
  /// What --hardware means: a file, or a name in the catalog.
  Result<std::filesystem::path> find_hardware(const std::string& hardware) const;
  /// What --software means, likewise.
  Result<std::filesystem::path> find_software(const std::string& software) const;
  /// A scenario's file, given by its path or by its name among the shipped ones.
  Result<std::filesystem::path> find_scenario(const std::string& scenario) const;
  /// A scenario as find_scenario finds it; `hardware`, likewise, replaces its hardware.
  Result<Scenario> load_scenario(const std::string& scenario,
                                 const std::optional<std::string>& hardware) const;
  /// Whether `file` holds a plan (JSON) rather than a scenario (YAML).
  static bool looks_like_plan(const std::string& file);
  Result<Plan> load_plan(const std::string& file) const;

  /// Found before the work rather than after: the `path` given with `option` cannot be written, or is
  /// `input`.
  static Result<void> check_out(const std::string& path, const std::string& input = "",
                                std::string_view option = "--out");

  /// One object for machines.
  void print_json(const std::string& object) const;
  void print(std::string_view text) const;

  /// Runs a verb's body and remembers the exit code of what it returns: 0, or 1, 2, 3 by the error's kind,
  /// with one line on standard error.
  void run(const std::function<Result<void>()>& body);
  int exit_code() const { return exit_code_; }

 private:
  /// A file, or a name in `kind` ("hardware") of the catalog.
  Result<std::filesystem::path> find_part(std::string_view kind, const std::string& name) const;

  std::filesystem::path shipped_scenarios_;
  std::string command_line_;
  std::vector<std::string> catalogs_;
  bool json_ = false;
  int exit_code_ = 0;
};

}  // namespace portolan
