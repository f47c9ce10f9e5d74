#include "tests/unit/cli/command.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace portolan {

namespace fs = std::filesystem;

std::string content_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

CommandResult portolan_command(const std::string& arguments) {
  const ScratchFolder scratch;
  const std::string command = "cd " PORTOLAN_SOURCE_DIR " && " PORTOLAN_PROGRAM " " + arguments + " >" +
                              scratch.file("out") + " 2>" + scratch.file("err") + " </dev/null";
  const int status = std::system(command.c_str());
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .out = content_of(scratch.file("out")),
          .err = content_of(scratch.file("err"))};
}

ScratchFolder::ScratchFolder() {
  std::string name = (fs::temp_directory_path() / "portolan-cli-XXXXXX").string();
  path_ = ::mkdtemp(name.data());
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string ScratchFolder::write(const std::string& name, const std::string& content) const {
  std::ofstream(path_ / name, std::ios::binary) << content;
  return file(name);
}

std::size_t ScratchFolder::num_files() const {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
}

}  // namespace portolan
