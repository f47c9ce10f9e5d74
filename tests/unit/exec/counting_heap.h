#pragma once

#include <atomic>

namespace portolan {

/// Calls of malloc, calloc, realloc, aligned_alloc, posix_memalign and operator new by this process since it
/// began, on all threads; counting_heap.cc puts itself before the C library's functions to count them.
extern std::atomic<long> num_heap_calls;

}  // namespace portolan
