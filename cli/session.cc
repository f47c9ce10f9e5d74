#include "cli/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/file.h"
#include "base/parse_quantity.h"
#include "catalog/plan_json.h"
#include "catalog/prediction_errors_yaml.h"
#include "catalog/scenario_yaml.h"

namespace portolan {

namespace fs = std::filesystem;

namespace {

int exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInfeasible:
      return 1;
    case ErrorKind::kBadInput:
      return 2;
    case ErrorKind::kDevice:
      return 3;
  }
  return 2;
}

std::vector<std::string> scenario_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    if (entry.path().extension() == ".yaml") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Session::Session(fs::path shipped_scenarios, std::string command_line)
    : shipped_scenarios_(std::move(shipped_scenarios)), command_line_(std::move(command_line)) {}

void Session::add_common_options(CLI::App& verb) {
  verb.add_flag("--json", json_, "Print one JSON object for machines, nothing else");
  verb.add_option("--catalog", catalogs_,
                  "Folder with hardware, device, model and software files, searched before the shipped ones")
      ->type_name("DIR");
}

std::size_t Session::width() const {
  constexpr std::size_t kDefault = 80;
  if (const char* columns = std::getenv("COLUMNS")) {
    const Result<std::int64_t> parsed = parse_integer(columns);
    if (parsed && *parsed >= 40 && *parsed <= 1000) {
      return static_cast<std::size_t>(*parsed);
    }
  }
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) {
    return size.ws_col;
  }
  return kDefault;
}

bool Session::shows_progress() const { return ::isatty(STDERR_FILENO) == 1; }

void Session::show_progress(std::string_view label, double share) const {
  if (!shows_progress()) {
    return;
  }
  constexpr int kCells = 24;
  const int full = std::clamp(static_cast<int>(share * kCells), 0, kCells);
  fmt::print(stderr, "\r\033[K{} [{:#<{}}{:.<{}}] {:.0f}%", label, "", full, "", kCells - full, 100 * share);
  std::fflush(stderr);
}

void Session::end_progress() const {
  if (shows_progress()) {
    fmt::print(stderr, "\r\033[K");
  }
}

Result<CatalogPaths> Session::catalog_paths() const {
  CatalogPaths paths;
  for (const std::string& catalog : catalogs_) {
    if (!fs::is_directory(catalog)) {
      return bad_input(fmt::format("--catalog: {}: no such folder", catalog));
    }
    paths.folders.emplace_back(catalog);
  }
  paths.folders.push_back(shipped_scenarios_);
  return paths;
}

Result<PredictionErrors> Session::prediction_errors() const {
  PORTOLAN_TRY(const CatalogPaths paths, catalog_paths());
  return find_prediction_errors(paths);
}

Result<fs::path> Session::find_scenario(const std::string& scenario) const {
  fs::path file = scenario;
  if (!fs::exists(file) && file.extension().empty() && file.parent_path().empty()) {
    file = shipped_scenarios_ / (scenario + ".yaml");
    if (!fs::exists(file)) {
      return bad_input(fmt::format("{}: no such file, nor a shipped scenario (allowed: {})", scenario,
                                   fmt::join(scenario_names(shipped_scenarios_), ", ")));
    }
  }
  return file;
}

Result<Scenario> Session::load_scenario(const std::string& scenario,
                                        const std::optional<std::string>& hardware) const {
  PORTOLAN_TRY(const CatalogPaths paths, catalog_paths());
  PORTOLAN_TRY(const fs::path file, find_scenario(scenario));
  std::optional<fs::path> hardware_file;
  if (hardware) {
    PORTOLAN_TRY(hardware_file, find_hardware(*hardware));
  }
  return read_scenario(file, paths, hardware_file);
}

Result<fs::path> Session::find_part(std::string_view kind, const std::string& name) const {
  if (is_path(name) || fs::exists(name)) {
    return fs::path(name);
  }
  PORTOLAN_TRY(const CatalogPaths paths, catalog_paths());
  const Result<fs::path> found = find_in_catalog(paths, kind, name);
  return found ? found : bad_input(fmt::format("--{}: {}", kind, found.error().message));
}

Result<fs::path> Session::find_hardware(const std::string& hardware) const {
  return find_part("hardware", hardware);
}

Result<fs::path> Session::find_software(const std::string& software) const {
  return find_part("software", software);
}

bool Session::looks_like_plan(const std::string& file) {
  if (fs::path(file).extension() == ".json") {
    return true;
  }
  const Result<std::string> content = read_file(file);
  if (!content) {
    return false;
  }
  const auto first = content->find_first_not_of(" \t\r\n");
  return first != std::string::npos && (*content)[first] == '{';
}

Result<Plan> Session::load_plan(const std::string& file) const {
  PORTOLAN_TRY(const std::string content, read_file(file));
  return read_plan(content, file);
}

Result<void> Session::check_out(const std::string& path, const std::string& input, std::string_view option) {
  if (const auto checked = check_output_path(path); !checked) {
    return bad_input(fmt::format("{}: {}", option, checked.error().message));
  }
  std::error_code code;
  if (!input.empty() && fs::exists(path, code) && fs::equivalent(path, input, code)) {
    return bad_input(fmt::format("{}: {}: is the input (allowed: another file)", option, path));
  }
  return {};
}

void Session::print_json(const std::string& object) const { fmt::print("{}\n", object); }
void Session::print(std::string_view text) const { fmt::print("{}", text); }

void Session::run(const std::function<Result<void>()>& body) {
  Result<void> result = [&]() -> Result<void> {
    try {
      return body();
    } catch (const std::exception& exception) {
      return device_error(fmt::format("unexpected: {}", exception.what()));
    }
  }();
  if (!result) {
    end_progress();
    std::fflush(stdout);
    fmt::print(stderr, "portolan: {}\n", result.error().message);
    exit_code_ = exit_code_of(result.error().kind);
  }
}

}  // namespace portolan
