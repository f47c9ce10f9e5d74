#include "counting_new.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace portolan {

std::atomic<long> num_allocations = 0;

}  // namespace portolan

void* operator new(std::size_t size) {
  ++portolan::num_allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) {
    return memory;
  }
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
