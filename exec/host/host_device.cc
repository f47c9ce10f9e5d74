#include "exec/host/host_device.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>

#include "exec/host/host_kernels.h"
#include "exec/host/work_clock.h"

namespace portolan {

namespace {

/// Times that the calling thread was put aside though it could have gone on.
std::int64_t involuntary_switches() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

double seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }

}  // namespace

HostDevice::~HostDevice() {
  if (arena_ != nullptr) {
    munmap(arena_, arena_size_);
  }
}

Result<void> HostDevice::prepare(std::int32_t, std::int32_t num_events) {
  events_.prepare(num_events);
  return {};
}

Result<std::byte*> HostDevice::map_arena(Bytes size) {
  arena_size_ = static_cast<std::size_t>(size.value > 0 ? size.value : 1);
  void* const mapped =
      mmap(nullptr, arena_size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    return device_error(fmt::format("cannot map an arena of {} bytes: {}", size.value, std::strerror(errno)));
  }
  arena_ = static_cast<std::byte*>(mapped);
  return arena_;
}

Result<void> HostDevice::write(std::byte* destination, std::span<const std::byte> source) {
  std::memcpy(destination, source.data(), source.size());
  return {};
}

Result<void> HostDevice::read(std::span<std::byte> destination, const std::byte* source) {
  std::memcpy(destination.data(), source, destination.size());
  return {};
}

Result<void> HostDevice::begin_step() {
  events_.begin_step();
  usage_ = {};
  switches_before_ = involuntary_switches();
  return {};
}

Result<void> HostDevice::wait(LaneId, EventIndex event) { return events_.wait(event); }

Result<void> HostDevice::begin_compute(LaneId, EventIndex event) {
  op_start_cpu_ns_ = thread_cpu_ns();
  op_start_ns_ = host_now_ns();
  events_.begin(event, op_start_ns_);
  return {};
}

Result<void> HostDevice::launch(LaneId, const KernelLaunch& launch) {
  const std::int64_t start = host_now_ns();
  PORTOLAN_CHECK_OK(run_host_kernel(launch));
  usage_.kernel_s[static_cast<std::size_t>(launch.kernel.kind)] += seconds(host_now_ns() - start);
  return {};
}

Result<void> HostDevice::end_compute(LaneId, EventIndex event) {
  const std::int64_t end = host_now_ns();
  events_.end(event, end);
  usage_.compute_wall_s += seconds(end - op_start_ns_);
  usage_.compute_cpu_s += seconds(thread_cpu_ns() - op_start_cpu_ns_);
  return {};
}

Result<void> HostDevice::poison(LaneId, std::byte* destination, Bytes size) {
  std::memset(destination, 0xFF, static_cast<std::size_t>(size.value));  // all ones is a NaN, and no token
  return {};
}

Result<void> HostDevice::synchronize() {
  PORTOLAN_CHECK_OK(events_.wait_for_all());
  usage_.wait_s = seconds(events_.wait_ns());
  usage_.involuntary_switches = involuntary_switches() - switches_before_;
  return {};
}

}  // namespace portolan
