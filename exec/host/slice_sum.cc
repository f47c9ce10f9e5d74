#include "exec/host/slice_sum.h"

#include <algorithm>

#include "kernels/host/buffer.h"

namespace portolan {

namespace {

/// Floats summed at a time: all members' copies stay in the first-level cache between sum and copy.
constexpr std::int64_t kBlock = 2048;
/// Slices begin at whole cache lines, so that two members do not write one.
constexpr std::int64_t kLine = 16;

float* floats(const MemorySpan& span) { return reinterpret_cast<float*>(span.data); }
std::int64_t count(const MemorySpan& span) {
  return span.size.value / static_cast<std::int64_t>(sizeof(float));
}

/// Elements [begin, end) of buffer `buffer`.
void sum_range(std::span<const std::span<const MemorySpan>> parts, std::size_t buffer, std::int64_t begin,
               std::int64_t end) {
  for (std::int64_t first = begin; first < end; first += kBlock) {
    const std::int64_t size = std::min(kBlock, end - first);
    float* const sum = floats(parts.front()[buffer]) + first;
    for (std::size_t member = 1; member < parts.size(); ++member) {
      host::accumulate(sum, floats(parts[member][buffer]) + first, size);
    }
    for (std::size_t member = 1; member < parts.size(); ++member) {
      host::copy(floats(parts[member][buffer]) + first, sum, size);
    }
  }
}

}  // namespace

bool have_same_sizes(std::span<const MemorySpan> a, std::span<const MemorySpan> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const MemorySpan& x, const MemorySpan& y) { return x.size == y.size; });
}

void sum_slice(std::span<const std::span<const MemorySpan>> parts, std::int64_t self) {
  const std::span<const MemorySpan> own = parts[static_cast<std::size_t>(self)];
  std::int64_t total = 0;
  for (const MemorySpan& span : own) {
    total += count(span);
  }
  const auto members = static_cast<std::int64_t>(parts.size());
  const auto boundary = [&](std::int64_t member) {
    return member == members ? total : total / members * member / kLine * kLine;
  };
  const std::int64_t slice_begin = boundary(self);
  const std::int64_t slice_end = boundary(self + 1);
  std::int64_t buffer_begin = 0;
  for (std::size_t buffer = 0; buffer < own.size(); ++buffer) {
    const std::int64_t begin = std::max(slice_begin - buffer_begin, std::int64_t{0});
    const std::int64_t end = std::min(slice_end - buffer_begin, count(own[buffer]));
    if (begin < end) {
      sum_range(parts, buffer, begin, end);
    }
    buffer_begin += count(own[buffer]);
  }
}

}  // namespace portolan
