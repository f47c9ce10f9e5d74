#include "cli/megatron_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/file.h"
#include "catalog/document/node.h"
#include "catalog/hardware_yaml.h"
#include "catalog/software_yaml.h"
#include "cli/evaluation.h"
#include "cli/session.h"
#include "plan/legality.h"

namespace portolan {

namespace {

constexpr std::string_view kUsualSoftware = "megatron-2024";

Result<ScriptEnvironment> parse_variables(const std::vector<std::string>& texts) {
  ScriptEnvironment environment;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    });
    if (equals == std::string::npos || !is_name) {
      return bad_input(fmt::format("--set: \"{}\" is not NAME=VALUE (try --set NNODES=8)", printable(text)));
    }
    environment[name] = text.substr(equals + 1);
  }
  return environment;
}

Result<MegatronContext> read_context(const Session& session, const MegatronScriptOptions& options,
                                     std::vector<std::string>& assumed) {
  if (!options.hardware && !options.scenario) {
    return bad_input(
        fmt::format("--megatron-args: {} does not say what it runs on (needed: --hardware, or a SCENARIO)",
                    options.file));
  }
  PORTOLAN_TRY(const CatalogPaths paths, session.catalog_paths());
  MegatronContext context;
  if (options.scenario) {
    PORTOLAN_TRY(context.scenario, session.load_scenario(*options.scenario, options.hardware));
    context.hardware = context.scenario->hardware;
    context.software = context.scenario->software;
  } else {
    PORTOLAN_TRY(const auto file, session.find_hardware(*options.hardware));
    PORTOLAN_TRY(context.hardware, read_hardware(file, paths));
  }
  if (options.software || !options.scenario) {
    PORTOLAN_TRY(const auto file,
                 session.find_software(options.software.value_or(std::string(kUsualSoftware))));
    PORTOLAN_TRY(context.software, read_software(file));
  }
  if (!options.software && !options.scenario) {
    assumed.push_back(fmt::format("--software {}", kUsualSoftware));
  }
  return context;
}

}  // namespace

Result<Plan> plan_of_script(const Session& session, const MegatronScriptOptions& options,
                            LaunchReading& reading) {
  PORTOLAN_TRY(const ScriptEnvironment environment, parse_variables(options.variables));
  PORTOLAN_TRY(const MegatronContext context, read_context(session, options, reading.assumed));
  PORTOLAN_TRY(const std::string text, read_file(options.file));
  PORTOLAN_TRY(reading.arguments, read_megatron_arguments(text, options.file, environment));
  PORTOLAN_TRY(MegatronRun run, megatron_run(reading.arguments, context));
  reading.assumed.insert(reading.assumed.end(), run.assumed.begin(), run.assumed.end());
  reading.differs = std::move(run.differs);
  if (const auto rejection = find_rejection(run.scenario, run.strategy)) {
    return infeasible(fmt::format("{}: {}", options.file, rejection->message));
  }
  return make_plan(run.scenario, run.strategy);
}

}  // namespace portolan
