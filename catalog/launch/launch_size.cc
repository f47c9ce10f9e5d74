#include "catalog/launch/launch_size.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostLaunched = 1'000'000;

using FlagNames = std::span<const std::string_view>;
constexpr auto kRanksPerNodeFlags = std::to_array<std::string_view>(
    {"--nproc_per_node", "--nproc-per-node", "--num_gpus", "--ntasks-per-node"});
constexpr auto kNodesFlags = std::to_array<std::string_view>({"--nnodes", "--num_nodes", "--nodes", "-N"});
constexpr auto kRanksFlags = std::to_array<std::string_view>({"--ntasks", "-n"});
// The later names are Slurm's, which say less of a launch than those that scripts set.
constexpr auto kRanksPerNodeNames =
    std::to_array<std::string_view>({"GPUS_PER_NODE", "NPROC_PER_NODE", "GPU_PER_NODE", "NGPUS_PER_NODE",
                                     "NUM_GPUS_PER_NODE", "SLURM_GPUS_ON_NODE", "SLURM_NTASKS_PER_NODE"});
constexpr auto kNodesNames = std::to_array<std::string_view>(
    {"NNODES", "NUM_NODES", "N_NODES", "NODES", "SLURM_NNODES", "SLURM_JOB_NUM_NODES"});

std::optional<LaunchCount> count_of(const ScriptWord& word, std::string_view text, std::string_view from) {
  const Result<std::int64_t> number = parse_integer(text);
  if (!word.unknown.empty() || !number || *number < 1 || *number > kMostLaunched) {
    return std::nullopt;
  }
  return LaunchCount{.value = *number, .line = word.line, .from = std::string(from), .unset = word.unset};
}

std::optional<LaunchCount> find_flag(const ScriptCommand& launch, FlagNames names) {
  for (std::size_t i = 0; i < launch.words.size(); ++i) {
    const ScriptWord& word = launch.words[i];
    if (word.text.ends_with(".py")) {
      break;  // what follows is the program's
    }
    for (const std::string_view name : names) {
      if (word.text == name && i + 1 < launch.words.size()) {
        return count_of(launch.words[i + 1], launch.words[i + 1].text, name);
      }
      if (word.text.starts_with(name) && word.text.substr(name.size()).starts_with('=')) {
        return count_of(word, std::string_view(word.text).substr(name.size() + 1), name);
      }
    }
  }
  return std::nullopt;
}

std::optional<LaunchCount> find_variable(const LaunchScript& script, FlagNames names) {
  for (const std::string_view name : names) {
    const auto found = script.variables.find(std::string(name));
    if (found != script.variables.end()) {
      if (auto count = count_of(found->second, found->second.text, name)) {
        return count;
      }
    }
  }
  return std::nullopt;
}

/// Words of the `#SBATCH` lines.
std::vector<std::string> directive_words(std::string_view script) {
  constexpr std::string_view kDirective = "#SBATCH";
  std::vector<std::string> words;
  while (!script.empty()) {
    const std::size_t end = std::min(script.find('\n'), script.size());
    std::string_view line = script.substr(0, end);
    script.remove_prefix(std::min(end + 1, script.size()));
    if (!line.starts_with(kDirective)) {
      continue;
    }
    line.remove_prefix(kDirective.size());
    std::string word;
    for (const char letter : line) {
      if (letter == '#') {
        break;
      }
      if (letter == ' ' || letter == '\t' || letter == '\r' || letter == '=') {
        if (!word.empty()) {
          words.push_back(std::move(word));
        }
        word.clear();
      } else {
        word.push_back(letter);
      }
    }
    if (!word.empty()) {
      words.push_back(std::move(word));
    }
  }
  return words;
}

}  // namespace

ScriptEnvironment slurm_environment(std::string_view script) {
  std::optional<std::int64_t> nodes;
  std::optional<std::int64_t> tasks_per_node;
  std::optional<std::int64_t> gpus_per_node;
  const std::vector<std::string> words = directive_words(script);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    std::string value = words[i + 1];
    if (words[i] == "--gres" || words[i] == "--gpus-per-node") {  // gpu:8, gpu:a100:8
      const std::size_t colon = value.rfind(':');
      value = colon == std::string::npos ? value : value.substr(colon + 1);
    }
    const Result<std::int64_t> number = parse_integer(value);
    if (!number || *number < 1 || *number > kMostLaunched) {
      continue;
    }
    if (words[i] == "--nodes" || words[i] == "-N") {
      nodes = *number;
    } else if (words[i] == "--ntasks-per-node") {
      tasks_per_node = *number;
    } else if (words[i] == "--gres" || words[i] == "--gpus-per-node") {
      gpus_per_node = *number;
    }
  }
  ScriptEnvironment environment;
  const auto set = [&](std::string_view name, const std::optional<std::int64_t>& value) {
    if (value) {
      environment[std::string(name)] = std::to_string(*value);
    }
  };
  set("SLURM_NNODES", nodes);
  set("SLURM_JOB_NUM_NODES", nodes);
  set("SLURM_NTASKS_PER_NODE", tasks_per_node);
  set("SLURM_GPUS_ON_NODE", gpus_per_node);
  if (nodes && tasks_per_node) {
    set("SLURM_NTASKS", *nodes * *tasks_per_node);
  }
  return environment;
}

Result<LaunchSize> launch_size(const LaunchScript& script, const ScriptCommand& launch,
                               const std::string& file) {
  LaunchSize size{.ranks_per_node = find_flag(launch, kRanksPerNodeFlags),
                  .nodes = find_flag(launch, kNodesFlags),
                  .ranks = find_flag(launch, kRanksFlags)};
  const std::array<std::string_view, 1> world_name = {"WORLD_SIZE"};
  const std::optional<LaunchCount> world = find_variable(script, world_name);
  const bool has_launcher = size.ranks_per_node.has_value();
  if (!has_launcher) {
    size.ranks_per_node = find_variable(script, kRanksPerNodeNames);
  }
  if (!size.nodes) {
    size.nodes = find_variable(script, kNodesNames);
  }
  if (!size.ranks && size.ranks_per_node && size.nodes) {
    const LaunchCount& nodes = *size.nodes;
    size.ranks = LaunchCount{.value = size.ranks_per_node->value * nodes.value,
                             .line = nodes.line == 0 ? size.ranks_per_node->line : nodes.line,
                             .from = fmt::format("{} x {}", size.ranks_per_node->from, nodes.from),
                             .unset = nodes.unset.empty() ? size.ranks_per_node->unset : nodes.unset};
    if (world && world->line > 0 && world->value != size.ranks->value) {
      return bad_input(fmt::format("{}:{}: WORLD_SIZE: {} is not {} = {} (line {})", file, world->line,
                                   world->value, size.ranks->from, size.ranks->value, size.ranks->line));
    }
  }
  if (!size.ranks && world) {
    size.ranks = world;
  }
  return size;
}

}  // namespace portolan
