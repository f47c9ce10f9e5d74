#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "base/quantity.h"
#include "base/result.h"

namespace portolan {

/// What the ranks of a run share: the first failure, and a way to wait that no failure can make endless.
/// Thread-safe.
class RunControl {
 public:
  explicit RunControl(Seconds timeout) : timeout_(timeout) {}

  /// Ends the run: every wait of every rank returns an error from now on. The first error is kept.
  void fail(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) {
      error_ = std::move(error);
      failed_.store(true, std::memory_order_release);
    }
  }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  std::optional<Error> error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }

  /// Returns when done() is true. Spins, as a message on one machine takes microseconds; gives the processor
  /// away after a while, for ranks that share a core. Errors (kDevice): another rank failed; the time-out
  /// passed while waiting for `what`. Allocates nothing unless it fails.
  template <typename Done>
  Result<void> wait_until(const Done& done, const char* what) const {
    for (int spin = 0; spin < kSpins; ++spin) {
      if (done()) {
        return {};
      }
      pause();
    }
    const auto begin = std::chrono::steady_clock::now();
    while (!done()) {
      if (failed()) {
        return device_error("stopped, as another rank failed");
      }
      const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
      if (waited.count() > timeout_.value) {
        return timed_out(what);
      }
      yield(waited.count());
    }
    return {};
  }

 private:
  static constexpr int kSpins = 2000;  ///< some 50 us

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  static void yield(double waited_s) {
    if (waited_s < 0.1) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }
  Error timed_out(const char* what) const;

  Seconds timeout_;
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  std::optional<Error> error_;
};

/// Where all ranks of a run meet.
class RankBarrier {
 public:
  explicit RankBarrier(std::int32_t num_ranks) : num_ranks_(num_ranks) {}

  /// `generation`: of the calling rank, 0 at first. Errors: those of RunControl::wait_until.
  Result<void> arrive_and_wait(const RunControl& control, std::int64_t& generation) {
    ++generation;
    const std::int64_t all = generation * num_ranks_;
    arrivals_.fetch_add(1, std::memory_order_acq_rel);
    return control.wait_until([&] { return arrivals_.load(std::memory_order_acquire) >= all; },
                              "the other ranks at a barrier");
  }

 private:
  std::int64_t num_ranks_;
  alignas(64) std::atomic<std::int64_t> arrivals_{0};
};

}  // namespace portolan
