#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/launch/launch_files.h"
#include "catalog/launch/megatron_arguments.h"
#include "plan/scenario.h"

namespace portolan {

/// What a script is read with: what it does not say.
struct MegatronContext {
  Hardware hardware;
  SoftwareProfile software;
  std::optional<Scenario> scenario;
};

/// The model that a script trains. Sizes that it does not give are those of the context's scenario, else an
/// error; what else it leaves out is as Megatron-LM has it. `assumed`: a line for each value that nobody
/// gave. Errors (kBadInput), one line with file and line: values that are not known or contradict each other.
Result<TransformerConfig> megatron_model(const MegatronArguments& arguments, const MegatronContext& context,
                                         std::vector<std::string>& assumed);

/// The inverse: what of the settings says `scenario`'s model; the rest goes to `fields`.
void set_megatron_model(const Scenario& scenario, MegatronSettings& settings, LaunchFields& fields);

/// "FILE:LINE: FLAG: MESSAGE", the line being that of the first of `flags` that the script gives.
Error argument_error(const MegatronArguments& arguments, std::string_view flag, std::string_view message);

}  // namespace portolan
