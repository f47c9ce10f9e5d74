#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "catalog/launch/launch_files.h"
#include "catalog/launch/megatron_run.h"

namespace portolan {

/// What was read of a launch script, for people and machines.
struct LaunchReading {
  MegatronArguments arguments;
  std::vector<std::string> assumed;  ///< MegatronRun's
  std::vector<std::string> differs;
};

/// Fields and what says them, then `inexpressible:` lines.
std::string export_text(const LaunchExport& launch, const std::vector<std::string>& paths, std::size_t width);
/// {files[], fields[]{field,value,as}, inexpressible[]{field,value,why}}
std::string export_json(const LaunchExport& launch, const std::vector<std::string>& paths);

/// The flags that count with their lines, then `assumed:`, `differs:`, `unknown:` and `note:` lines.
std::string reading_text(const LaunchReading& reading, std::size_t width);

}  // namespace portolan
