#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>

#include "base/random.h"
#include "store/run_file.h"
#include "tests/unit/store/sample_run.h"
#include "tests/unit/store/scratch_folder.h"

namespace portolan {
namespace {

namespace fs = std::filesystem;

/// A child process that writes the two runs in turn to `path` until it is killed.
pid_t start_writer(const fs::path& path, const RunRecord& first, const RunRecord& second) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) {
      if (!write_run(path, first) || !write_run(path, second)) {
        ::_exit(1);
      }
    }
  }
  return child;
}

/// The file that `child` writes before it renames it (base/file.h).
fs::path temporary_path_of(const fs::path& path, pid_t child) {
  return path.string() + ".tmp-" + std::to_string(child);
}

/// Waits until the file is there, at most 10 s: a child of a busy machine may take long.
bool await_file(const fs::path& path) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!fs::exists(path)) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
  }
  return true;
}

/// Sends SIGKILL and waits. True when that is what ended the child.
bool kill_writer(pid_t child) {
  ::kill(child, SIGKILL);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST(KilledWriter, LeavesTheOldRunOrTheNewOrNothing) {
  constexpr int kNumKills = 24;
  const ScratchFolder folder;
  const RunRecord first = run_with_timeline(60'000);
  const RunRecord second = run_with_timeline(50'000);
  RandomStream random(3);
  int num_in_the_middle = 0;
  int num_nothing = 0;
  for (int round = 0; round < kNumKills; ++round) {
    // Every other round starts from a file that is there.
    const fs::path path = folder / ("run" + std::to_string(round / 2) + ".h5");
    const bool was_there = fs::exists(path);
    const pid_t child = start_writer(path, first, second);
    ASSERT_GT(child, 0);
    const fs::path temporary = temporary_path_of(path, child);
    EXPECT_TRUE(await_file(temporary));
    std::this_thread::sleep_for(std::chrono::microseconds(random.next_below(round % 4 == 0 ? 100'000 : 400)));
    ASSERT_TRUE(kill_writer(child));

    num_in_the_middle += fs::exists(temporary);
    if (!fs::exists(path)) {
      EXPECT_FALSE(was_there);
      ++num_nothing;
      continue;
    }
    const auto read = read_run(path);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(*read == first || *read == second);
  }
  std::cout << kNumKills << " kills: " << num_in_the_middle << " left a temporary file, " << num_nothing
            << " no run\n";
}

}  // namespace
}  // namespace portolan
