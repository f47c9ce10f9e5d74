#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"

namespace portolan {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sources_of(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(PORTOLAN_SOURCE_DIR) / folder)) {
    if (entry.path().extension() == ".cc" || entry.path().extension() == ".h") {
      files.push_back(entry.path());
    }
  }
  EXPECT_FALSE(files.empty()) << folder;
  return files;
}

/// Lines of `file` that match, as "file:line: text".
std::vector<std::string> matches(const fs::path& file, const std::regex& pattern) {
  std::vector<std::string> found;
  const std::string content = *read_file(file);
  std::size_t begin = 0;
  for (int line = 1; begin < content.size(); ++line) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    const std::string text = content.substr(begin, end - begin);
    if (std::regex_search(text, pattern)) {
      found.push_back(file.string() + ":" + std::to_string(line) + ": " + text);
    }
    begin = end + 1;
  }
  return found;
}

// One Program, two interpreters: neither knows a strategy by name.
TEST(Layering, InterpretersNameNoStrategy) {
  const std::regex names(
      "[Gg][Pp]ipe|1[fF]1[bB]|one_f_one_b|OneFOneB|[Ii]nterleav|[Zz]ero[-_ ]?[Bb]ubble|zero_stage|ZeRO|"
      "([Tt]ensor|[Pp]ipeline|[Dd]ata|[Cc]ontext|[Ee]xpert|[Ss]equence)[_ "
      "-]parallel|Axis::k|pass_order|ScheduleKind|RecomputeSet|"
      "\\bStrategy\\b");
  for (const char* folder : {"sim", "exec"}) {
    for (const fs::path& file : sources_of(folder)) {
      if (file.string().find("/exec/data/") != std::string::npos ||
          file.string().find("/exec/calibration/") != std::string::npos) {
        continue;  // text knows no program; calibration makes programs to measure
      }
      for (const std::string& line : matches(file, names)) {
        ADD_FAILURE() << line;
      }
    }
  }
}

// Arrows point one way: which folders each folder may include from, transitively.
TEST(Layering, IncludesFollowTheDesign) {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"base", {"base"}},
      {"model", {"base", "model"}},
      {"topology", {"base", "topology"}},
      {"plan", {"base", "model", "topology", "plan"}},
      {"catalog", {"base", "model", "topology", "plan", "catalog"}},
      {"store", {"base", "model", "topology", "plan", "store"}},
      {"sim", {"base", "model", "topology", "plan", "sim"}},
      {"kernels", {"base", "kernels"}},
      {"exec", {"base", "model", "topology", "plan", "kernels", "store", "exec"}},
      {"study", {"base", "model", "topology", "plan", "catalog", "store", "study"}},
      {"report", {"base", "model", "topology", "plan", "catalog", "store", "study", "report"}},
  };
  const std::regex include("^#include \"([a-z]+)/");
  for (const auto& [folder, may_use] : allowed) {
    for (const fs::path& file : sources_of(folder)) {
      for (const std::string& line : matches(file, include)) {
        std::smatch match;
        const std::string directive = line.substr(line.find("#include"));
        ASSERT_TRUE(std::regex_search(directive, match, include));
        EXPECT_TRUE(may_use.contains(match[1])) << line;
      }
    }
  }
}

// The planning core is pure: no threads, files, clocks, simulator or device.
TEST(Layering, PlanIsPure) {
  const std::regex impure(
      "#include "
      "*[<\"](simgrid|cuda|nccl|mpi|thread|mutex|atomic|chrono|fstream|filesystem|random|base/file)");
  for (const char* folder : {"plan", "model", "topology"}) {
    for (const fs::path& file : sources_of(folder)) {
      for (const std::string& line : matches(file, impure)) {
        ADD_FAILURE() << line;
      }
    }
  }
}

}  // namespace
}  // namespace portolan
