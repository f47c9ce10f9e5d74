#include "sim/worker_pool.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>

#include "sim/worker_process.h"

namespace portolan {
namespace {

/// The parent's side of one worker: what it sent and has not been understood yet, and where it stands.
class Worker {
 public:
  explicit Worker(WorkerProcess process) : process_(process) {}

  int pipe() const { return process_.pipe; }
  /// The task that was under way when the pipe closed, if the worker did not end in good order.
  std::optional<int> unfinished_task() const { return unfinished_task_; }
  bool ended_in_order() const { return ended_in_order_; }

  /// Reads what there is. False at the end of the stream.
  bool receive() {
    std::array<char, 65536> chunk;
    const ssize_t size = read(process_.pipe, chunk.data(), chunk.size());
    if (size < 0) return errno == EINTR || errno == EAGAIN;
    received_.append(chunk.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  /// Calls on_record(record, content) for each complete record.
  template <typename OnRecord>
  void take_records(const OnRecord& on_record) {
    std::size_t at = 0;
    WorkerRecord record;
    while (received_.size() - at >= sizeof record) {
      std::memcpy(&record, received_.data() + at, sizeof record);
      if (received_.size() - at - sizeof record < record.size) break;
      note(record);
      on_record(record, received_.substr(at + sizeof record, record.size));
      at += sizeof record + record.size;
    }
    received_.erase(0, at);
  }

  void kill() const { ::kill(process_.id, SIGKILL); }

  /// Waits for the process to end and says how it did.
  std::string reap() {
    close(process_.pipe);
    int status = 0;
    pid_t reaped = 0;
    do {
      reaped = waitpid(process_.id, &status, 0);
    } while (reaped < 0 && errno == EINTR);
    if (reaped == process_.id && WIFSIGNALED(status)) {
      return fmt::format("was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    if (reaped == process_.id && WIFEXITED(status))
      return fmt::format("exited with status {}", WEXITSTATUS(status));
    return "ended";
  }

 private:
  void note(const WorkerRecord& record) {
    ended_in_order_ =
        record.kind == WorkerRecord::Kind::kNoMoreTasks || record.kind == WorkerRecord::Kind::kFailure;
    unfinished_task_.reset();
    if (record.kind == WorkerRecord::Kind::kBegun) unfinished_task_ = record.task;
  }

  WorkerProcess process_;
  std::string received_;
  std::optional<int> unfinished_task_;
  bool ended_in_order_ = false;
};

/// One call of map_in_workers.
class Pool {
 public:
  Pool(int num_tasks, const std::function<std::string(int)>& work)
      : tasks_{.counter = counter_, .num_tasks = num_tasks, .work = work},
        results_(static_cast<std::size_t>(num_tasks)) {}

  /// Only an exception leaves workers behind.
  ~Pool() {
    for (Worker& worker : workers_) {
      worker.kill();
      worker.reap();
    }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  Result<std::vector<std::string>> run(int num_workers) {
    if (!counter_.is_usable() || !fork_workers(num_workers)) {
      return device_error("worker pool: the system has no process, pipe or memory to spare");
    }
    while (!workers_.empty()) serve_pipes();
    if (!failures_.empty()) return device_error(failures_.begin()->second);
    return std::move(results_);
  }

 private:
  bool fork_workers(int num_workers) {
    std::vector<WorkerProcess> processes;
    for (int worker = 0; worker < std::min(num_workers, tasks_.num_tasks); ++worker) {
      const std::optional<WorkerProcess> process = fork_worker(tasks_, processes);
      if (!process) break;
      processes.push_back(*process);
    }
    for (const WorkerProcess& process : processes) workers_.emplace_back(process);
    return !workers_.empty();
  }

  /// Waits until some worker has sent something or has ended, and takes it in.
  void serve_pipes() {
    std::vector<pollfd> polled;
    for (const Worker& worker : workers_)
      polled.push_back({.fd = worker.pipe(), .events = POLLIN, .revents = 0});
    if (poll(polled.data(), polled.size(), -1) < 0) return;  // interrupted: the next round tries again
    // From the last, so that a worker that leaves the list moves none that is still to be looked at.
    for (std::size_t index = workers_.size(); index-- > 0;) {
      if (polled[index].revents != 0) serve_pipe(index);
    }
  }

  void serve_pipe(std::size_t index) {
    Worker& worker = workers_[index];
    const bool is_open = worker.receive();
    worker.take_records(
        [this](const WorkerRecord& record, std::string content) { take(record, std::move(content)); });
    if (is_open) return;
    const std::string ending = worker.reap();
    if (const std::optional<int> task = worker.unfinished_task()) {
      fail(*task, fmt::format("task {}: its worker process {} before the task was done", *task, ending));
    } else if (!worker.ended_in_order()) {
      fail(tasks_.num_tasks, fmt::format("worker pool: a worker process {} between two tasks", ending));
    }
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  void take(const WorkerRecord& record, std::string content) {
    if (record.kind == WorkerRecord::Kind::kResult) {
      results_[static_cast<std::size_t>(record.task)] = std::move(content);
    } else if (record.kind == WorkerRecord::Kind::kFailure) {
      fail(record.task, fmt::format("task {}: {}", record.task, content));
    }
  }

  void fail(int task, std::string message) {
    counter_.skip_to(tasks_.num_tasks);
    failures_.emplace(task, std::move(message));
  }

  TaskCounter counter_;
  WorkerTasks tasks_;
  std::vector<std::string> results_;
  std::vector<Worker> workers_;
  std::map<int, std::string> failures_;  ///< the lowest task is what the error names
};

}  // namespace

Result<std::vector<std::string>> map_in_workers(int num_workers, int num_tasks,
                                                const std::function<std::string(int task)>& work) {
  if (num_workers < 1)
    return bad_input(fmt::format("worker pool: {} workers, must be 1 or more", num_workers));
  if (num_tasks < 0) return bad_input(fmt::format("worker pool: {} tasks", num_tasks));
  if (num_tasks == 0) return std::vector<std::string>{};
  return Pool(num_tasks, work).run(num_workers);
}

}  // namespace portolan
