#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/launch/launch_size.h"
#include "catalog/launch/megatron_settings.h"
#include "catalog/launch/shell_script.h"

namespace portolan {

/// A flag that a script gives.
struct GivenFlag {
  std::int64_t line = 0;
  std::string text;   ///< its value as the program gets it; empty of switches
  std::string unset;  ///< ScriptWord::unset
};

/// A flag of which nothing is taken, or an argument that belongs to no flag.
struct UnreadFlag {
  std::int64_t line = 0;
  std::string flag;
  std::string why;  ///< "unknown flag"
};

/// What a launch script passes to Megatron-LM.
struct MegatronArguments {
  std::string file;
  MegatronSettings settings;
  std::map<std::string, GivenFlag, std::less<>> given;  ///< by MegatronFlag::flag
  LaunchSize size;
  std::optional<ScriptWord> nccl_algorithm;  ///< NCCL_ALGO
  std::vector<UnreadFlag> unread;
  std::vector<ShellNote> notes;

  std::int64_t line_of(std::string_view flag) const;  ///< 0: it is not given
};

/// Reads a launch script (read_shell_script), or a file of arguments alone. The command that passes the most
/// flags of Megatron-LM is the launch. As in Python's argparse the last of a flag counts. Errors (kBadInput),
/// one line with file and line: those of scripts; no such command; a flag without its value; a value that is
/// no number, or out of range; one that counts and is known only when the script runs.
Result<MegatronArguments> read_megatron_arguments(std::string_view text, const std::string& file,
                                                  const ScriptEnvironment& environment = {});

}  // namespace portolan
