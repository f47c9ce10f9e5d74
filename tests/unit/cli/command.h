#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace portolan {

/// What a call of the portolan program came to.
struct CommandResult {
  int exit_code = -1;
  std::string out;
  std::string err;

  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

/// Runs `portolan ARGUMENTS` from the source tree's root.
CommandResult portolan_command(const std::string& arguments);

/// A folder of its own for each test, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  /// Writes `content` under `name` and returns the path.
  std::string write(const std::string& name, const std::string& content) const;
  std::size_t num_files() const;

 private:
  std::filesystem::path path_;
};

std::string content_of(const std::string& file);

}  // namespace portolan
