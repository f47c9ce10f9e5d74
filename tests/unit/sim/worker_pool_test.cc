#include "sim/worker_pool.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace portolan {
namespace {

int num_open_descriptors() {
  DIR* const folder = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

/// Every test leaves as many open descriptors as it found, and no child, dead or alive.
class WorkerPool : public ::testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(num_open_descriptors(), descriptors_before_);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }

 private:
  int descriptors_before_ = num_open_descriptors();
};

void expect_device_error(const Result<std::vector<std::string>>& result, const std::string& expected) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kDevice);
  EXPECT_NE(result.error().message.find(expected), std::string::npos) << result.error().message;
}

TEST_F(WorkerPool, ResultsComeInTaskOrderForAnyNumberOfWorkers) {
  for (const int num_workers : {1, 2, 3, 7, 100}) {
    for (const int num_tasks : {0, 1, 2, 50}) {
      const auto results = map_in_workers(num_workers, num_tasks, [](int task) {
        if (task % 3 == 0) usleep(1000);
        return std::to_string(task * task);
      });
      ASSERT_TRUE(results) << results.error().message;
      ASSERT_EQ(results->size(), static_cast<std::size_t>(num_tasks));
      for (int task = 0; task < num_tasks; ++task) {
        EXPECT_EQ((*results)[static_cast<std::size_t>(task)], std::to_string(task * task));
      }
    }
  }
}

TEST_F(WorkerPool, CarriesEmptyBinaryAndLargeResults) {
  const auto content = [](int task) {
    if (task == 0) return std::string();
    if (task == 1) return std::string("\0\n\0", 3);
    return std::string(3'000'000, static_cast<char>('a' + task));  // far more than a pipe holds
  };
  const auto results = map_in_workers(2, 6, content);
  ASSERT_TRUE(results) << results.error().message;
  for (int task = 0; task < 6; ++task) EXPECT_EQ((*results)[static_cast<std::size_t>(task)], content(task));
}

TEST_F(WorkerPool, WorkRunsInOtherProcesses) {
  int touched = 0;
  const pid_t parent = getpid();
  const auto results = map_in_workers(2, 4, [&](int) {
    ++touched;
    return std::string(getpid() == parent ? "parent" : "child");
  });
  ASSERT_TRUE(results);
  EXPECT_EQ(*results, std::vector<std::string>(4, "child"));
  EXPECT_EQ(touched, 0);
}

TEST_F(WorkerPool, AKilledWorkerIsAnErrorThatNamesItsTask) {
  const auto results = map_in_workers(3, 20, [](int task) {
    if (task == 4) kill(getpid(), SIGKILL);
    return std::string("fine");
  });
  expect_device_error(results,
                      "task 4: its worker process was ended by signal 9 (Killed) before the task was done");
}

TEST_F(WorkerPool, OfSeveralFailuresTheLowestTaskIsNamed) {
  const auto results = map_in_workers(4, 4, [](int task) -> std::string {
    usleep(static_cast<useconds_t>(20'000 * (4 - task)));  // all begun; the highest fails first
    if (task > 0) kill(getpid(), SIGKILL);
    return "fine";
  });
  expect_device_error(results, "task 1:");
}

TEST_F(WorkerPool, AnExitIsAnError) {
  const auto results = map_in_workers(2, 3, [](int task) {
    if (task == 1) _exit(0);
    return std::string();
  });
  expect_device_error(results, "task 1: its worker process exited with status 0 before the task was done");
}

TEST_F(WorkerPool, AnExceptionIsAnErrorWithItsMessage) {
  const auto results = map_in_workers(2, 3, [](int task) {
    if (task == 2) throw std::runtime_error("no such stage");
    return std::string();
  });
  expect_device_error(results, "task 2: no such stage");
  expect_device_error(map_in_workers(1, 1, [](int) -> std::string { throw 7; }),
                      "task 0: an exception that is no");
}

TEST_F(WorkerPool, AfterAFailureNoTaskIsBegun) {
  const auto results = map_in_workers(1, 1000, [](int task) -> std::string {
    if (task == 0) throw std::runtime_error("first");
    kill(getpid(), SIGKILL);
    return "";
  });
  expect_device_error(results, "task 0: first");
}

TEST_F(WorkerPool, WorksAgainAfterAFailure) {
  EXPECT_FALSE(map_in_workers(2, 2, [](int) -> std::string { throw std::runtime_error("once"); }));
  const auto results = map_in_workers(2, 2, [](int task) { return std::to_string(task); });
  ASSERT_TRUE(results);
  EXPECT_EQ(*results, (std::vector<std::string>{"0", "1"}));
}

TEST_F(WorkerPool, AnInterruptedWorkerIsAnErrorNotAHang) {
  const auto results = map_in_workers(2, 2, [](int) {
    raise(SIGINT);
    return std::string();
  });
  expect_device_error(results, "task 0: its worker process was ended by signal 2 (Interrupt)");
}

TEST_F(WorkerPool, TheParentsOwnSignalHandlerRunsAndThePoolGoesOn) {
  static volatile sig_atomic_t num_interrupts = 0;
  struct sigaction count {};
  count.sa_handler = [](int) {
    num_interrupts = num_interrupts + 1;
  };  // no SA_RESTART: system calls are cut short
  struct sigaction kept {};
  sigaction(SIGINT, &count, &kept);
  const pid_t parent = getpid();
  const auto results = map_in_workers(2, 20, [parent](int task) {
    kill(parent, SIGINT);
    usleep(500);
    return std::to_string(task);
  });
  sigaction(SIGINT, &kept, nullptr);
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_EQ((*results)[19], "19");
  EXPECT_GT(num_interrupts, 0);
}

TEST_F(WorkerPool, RefusesNumbersThatMakeNoSense) {
  const auto work = [](int) { return std::string(); };
  const auto no_workers = map_in_workers(0, 1, work);
  ASSERT_FALSE(no_workers);
  EXPECT_EQ(no_workers.error().kind, ErrorKind::kBadInput);
  const auto negative = map_in_workers(1, -1, work);
  ASSERT_FALSE(negative);
  EXPECT_EQ(negative.error().kind, ErrorKind::kBadInput);
}

}  // namespace
}  // namespace portolan
