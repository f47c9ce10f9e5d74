#include "report/gnuplot_process.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

extern char** environ;

namespace portolan {

namespace {

using TemporaryFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

TemporaryFile open_temporary() { return {std::tmpfile(), &std::fclose}; }

std::string content_of(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (char buffer[4096]; const std::size_t count = std::fread(buffer, 1, sizeof buffer, file);) {
    text.append(buffer, count);
  }
  return text;
}

std::string first_line(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? "no reason given" : text.substr(begin, text.find('\n', begin) - begin);
}

/// Files rather than pipes: neither side can wait for the other.
Result<int> wait_for_gnuplot(std::FILE* in, std::FILE* out, std::FILE* err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ::fileno(in), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ::fileno(out), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ::fileno(err), STDERR_FILENO);
  std::string name = "gnuplot";
  char* arguments[] = {name.data(), nullptr};
  pid_t child = 0;
  const int failure = ::posix_spawnp(&child, name.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure == ENOENT) {
    return device_error("gnuplot: is not installed (Debian: apt-get install gnuplot-nox)");
  }
  if (failure != 0) {
    return device_error(fmt::format("gnuplot: cannot be started: {}", std::strerror(failure)));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      return device_error(fmt::format("gnuplot: is lost: {}", std::strerror(errno)));
    }
  }
  return status;
}

}  // namespace

Result<std::string> run_gnuplot(const std::string& script) {
  const TemporaryFile in = open_temporary();
  const TemporaryFile out = open_temporary();
  const TemporaryFile err = open_temporary();
  if (!in || !out || !err || std::fwrite(script.data(), 1, script.size(), in.get()) != script.size()) {
    return device_error("gnuplot: no temporary files can be written");
  }
  std::rewind(in.get());  // flushes too
  PORTOLAN_TRY(const int status, wait_for_gnuplot(in.get(), out.get(), err.get()));
  std::string drawn = content_of(out.get());
  if (status != 0 || drawn.empty()) {
    return device_error(fmt::format("gnuplot: failed: {}", first_line(content_of(err.get()))));
  }
  return drawn;
}

}  // namespace portolan
