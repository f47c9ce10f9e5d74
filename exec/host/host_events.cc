#include "exec/host/host_events.h"

#include <chrono>

namespace portolan {

std::int64_t host_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void HostEvents::begin_step() {
  for (Entry& entry : events_) {
    entry = {};
  }
  wait_ns_ = 0;
}

void HostEvents::attach(EventIndex event, const HostMessage& message, std::int64_t use) {
  at(event).message = &message;
  at(event).use = use;
}

Result<void> HostEvents::wait(Entry& entry) {
  if (entry.message == nullptr) {
    return {};
  }
  const HostMessage& message = *entry.message;
  const auto received = [&] { return message.received.load(std::memory_order_acquire) >= entry.use; };
  if (!received()) {
    const std::int64_t begin = host_now_ns();
    PORTOLAN_CHECK_OK(control_.wait_until(received, "a receiver to take what was sent"));
    wait_ns_ += host_now_ns() - begin;
  }
  entry.times = message.times;
  entry.message = nullptr;
  return {};
}

Result<void> HostEvents::wait(EventIndex event) { return wait(at(event)); }

Result<void> HostEvents::wait_for_all() {
  for (Entry& entry : events_) {
    PORTOLAN_CHECK_OK(wait(entry));
  }
  return {};
}

}  // namespace portolan
