#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace portolan {

/// What a worker sends over its pipe: a header, then `size` bytes.
struct WorkerRecord {
  enum class Kind : std::int32_t {
    kBegun,        ///< `task` is taken; no bytes. Should the worker die, the parent knows of which task
    kResult,       ///< the task's bytes
    kFailure,      ///< what the task's exception says; the worker then ends
    kNoMoreTasks,  ///< no bytes; the worker then ends
  };
  Kind kind = Kind::kNoMoreTasks;
  std::int32_t task = 0;
  std::uint64_t size = 0;
};

/// The next task that nobody has taken, in memory that the parent shares with the workers forked later.
class TaskCounter {
 public:
  TaskCounter();
  ~TaskCounter();
  TaskCounter(const TaskCounter&) = delete;
  TaskCounter& operator=(const TaskCounter&) = delete;

  /// False when there was no memory to share; nothing else may be called then.
  bool is_usable() const { return next_ != nullptr; }
  std::int64_t take() { return next_->fetch_add(1); }
  void skip_to(std::int64_t task) { next_->store(task); }

 private:
  using Counter = std::atomic<std::int64_t>;
  static_assert(Counter::is_always_lock_free);
  Counter* next_ = nullptr;
};

struct WorkerTasks {
  TaskCounter& counter;
  int num_tasks = 0;
  const std::function<std::string(int)>& work;
};

/// A forked process and the pipe on which it sends records. The parent reaps it and closes the pipe.
struct WorkerProcess {
  pid_t id = 0;
  int pipe = -1;
};

/// Forks a worker that serves tasks until none is left. `earlier`: the workers forked before, whose pipes
/// the child closes. Empty when the system has no process or pipe to spare.
std::optional<WorkerProcess> fork_worker(const WorkerTasks& tasks, std::span<const WorkerProcess> earlier);

}  // namespace portolan
