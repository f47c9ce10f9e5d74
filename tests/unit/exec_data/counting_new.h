#pragma once

#include <atomic>

namespace portolan {

/// Calls of operator new since the program began; counting_new.cc replaces the operators to count them. In a
/// file of their own, so that no compiler inlines one half of a new-delete pair.
extern std::atomic<long> num_allocations;

}  // namespace portolan
