#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "catalog/document/load.h"
#include "catalog/launch/framework_export.h"
#include "catalog/launch/host_names.h"
#include "catalog/words.h"
#include "cli/launch_report.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "plan/legality.h"

namespace portolan {

namespace fs = std::filesystem;

namespace {

struct ExportArguments {
  std::string plan;
  std::string framework;
  std::string out;
  std::optional<std::string> hosts;
};

struct Framework {
  std::string_view name;
  LaunchExport (*export_plan)(const Plan&);
};
constexpr auto kFrameworks = std::to_array<Framework>(
    {{"megatron", &megatron_export}, {"deepspeed", &deepspeed_export}, {"torchtitan", &torchtitan_export}});

Result<Framework> find_framework(const std::string& name) {
  std::vector<std::string_view> names;
  for (const Framework& framework : kFrameworks) {
    if (framework.name == name) {
      return framework;
    }
    names.push_back(framework.name);
  }
  return bad_input(fmt::format("--to: \"{}\" is not known (allowed: {})", name, list_words(names)));
}

/// A folder that files can be written to, made where it is not there yet.
Result<void> make_folder(const std::string& folder) {
  std::error_code code;
  if (fs::exists(folder, code) && !fs::is_directory(folder, code)) {
    return bad_input(fmt::format("--out: {}: is no folder", folder));
  }
  fs::create_directory(folder, code);
  if (!fs::is_directory(folder)) {
    return bad_input(fmt::format("--out: {}: cannot be made: {}", folder, code.message()));
  }
  return {};
}

Result<std::vector<std::string>> write_launch_files(const LaunchExport& launch, const std::string& folder) {
  std::vector<std::string> paths;
  for (const LaunchFile& file : launch.files) {
    const fs::path path = fs::path(folder) / file.name;
    PORTOLAN_CHECK_OK(write_file_atomically(path, file.content));
    if (file.is_program) {
      std::error_code code;  // a file system without such permissions is no reason to stop: bash FILE works
      fs::permissions(path, fs::perms::owner_exec | fs::perms::group_exec, fs::perm_options::add, code);
    }
    paths.push_back(path.string());
  }
  return paths;
}

Result<void> export_plan(const Session& session, const ExportArguments& arguments) {
  PORTOLAN_TRY(const Framework framework, find_framework(arguments.framework));
  if (!Session::looks_like_plan(arguments.plan)) {
    return bad_input(
        fmt::format("{}: is no plan file (make one: portolan plan SCENARIO --out PLAN)", arguments.plan));
  }
  PORTOLAN_TRY(const Plan plan, session.load_plan(arguments.plan));
  LaunchExport launch = framework.export_plan(plan);
  if (arguments.hosts) {
    PORTOLAN_TRY(const std::string text, read_regular_file(*arguments.hosts));
    PORTOLAN_TRY(const std::vector<std::string> names,
                 read_host_names(text, *arguments.hosts, plan.scenario.hardware.num_nodes));
    name_hosts(launch, plan, names);
  }
  PORTOLAN_CHECK_OK(make_folder(arguments.out));
  PORTOLAN_TRY(const std::vector<std::string> paths, write_launch_files(launch, arguments.out));
  if (session.json()) {
    session.print_json(export_json(launch, paths));
  } else {
    session.print(
        fmt::format("{}: {}, for {}\n", plan.scenario.name, short_name(plan.strategy), framework.name));
    session.print(export_text(launch, paths, session.width()));
  }
  return {};
}

}  // namespace

void add_export_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* verb =
      app.add_subcommand("export", "Write what launches a plan with Megatron-LM, DeepSpeed or torchtitan");
  verb->footer("Example: portolan export plan.json --to megatron --out launch");
  verb->add_option("PLAN", arguments->plan, "Plan file, as plan --out writes it")->required();
  verb->add_option("--to", arguments->framework, "megatron, deepspeed or torchtitan")
      ->type_name("NAME")
      ->required();
  verb->add_option("--out", arguments->out, "Folder to write to; made where it is not there")
      ->type_name("DIR")
      ->required();
  verb->add_option(
          "--hosts", arguments->hosts,
          "Names of the cluster's nodes, one a line in the hardware file's order, for the files that "
          "list them")
      ->type_name("FILE");
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return export_plan(session, *arguments); }); });
}

}  // namespace portolan
