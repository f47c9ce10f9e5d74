#include "sim/worker_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <new>

namespace portolan {
namespace {

bool write_all(int pipe, const void* data, std::size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = write(pipe, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

bool send(int pipe, WorkerRecord::Kind kind, std::int64_t task, const std::string& content = {}) {
  const WorkerRecord record = {kind, static_cast<std::int32_t>(task), content.size()};
  return write_all(pipe, &record, sizeof record) && write_all(pipe, content.data(), content.size());
}

/// False when the worker must end.
bool serve_task(int pipe, std::int64_t task, const std::function<std::string(int)>& work) {
  if (!send(pipe, WorkerRecord::Kind::kBegun, task)) return false;
  std::string failure;
  try {
    return send(pipe, WorkerRecord::Kind::kResult, task, work(static_cast<int>(task)));
  } catch (const std::exception& exception) {
    failure = exception.what();
  } catch (...) {
    failure = "an exception that is no std::exception";
  }
  send(pipe, WorkerRecord::Kind::kFailure, task, failure);
  return false;
}

/// The parent's handler must not run here: an interrupt ends a worker, unless the parent ignores it.
void end_at_interrupt() {
  struct sigaction interrupt {};
  if (sigaction(SIGINT, nullptr, &interrupt) == 0 && interrupt.sa_handler != SIG_IGN)
    std::signal(SIGINT, SIG_DFL);
}

/// The life of a worker. Leaves without destructors, exit handlers or flushed streams: those are the
/// parent's.
[[noreturn]] void serve(int pipe, pid_t parent, const WorkerTasks& tasks) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  end_at_interrupt();
  for (;;) {
    const std::int64_t task = tasks.counter.take();
    if (task >= tasks.num_tasks) _exit(send(pipe, WorkerRecord::Kind::kNoMoreTasks, 0) ? 0 : 1);
    if (!serve_task(pipe, task, tasks.work)) _exit(1);
  }
}

}  // namespace

TaskCounter::TaskCounter() {
  void* const memory =
      mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) next_ = new (memory) Counter(0);
}

TaskCounter::~TaskCounter() {
  if (next_ != nullptr) munmap(next_, sizeof(Counter));
}

std::optional<WorkerProcess> fork_worker(const WorkerTasks& tasks, std::span<const WorkerProcess> earlier) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  const pid_t parent = getpid();
  const pid_t id = fork();
  if (id == 0) {
    close(ends[0]);
    for (const WorkerProcess& other : earlier) close(other.pipe);
    serve(ends[1], parent, tasks);
  }
  close(ends[1]);
  if (id < 0) {
    close(ends[0]);
    return std::nullopt;
  }
  return WorkerProcess{.id = id, .pipe = ends[0]};
}

}  // namespace portolan
