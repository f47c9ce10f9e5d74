#include "counting_heap.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace portolan {

std::atomic<long> num_heap_calls = 0;

}  // namespace portolan

// glibc's own names for the functions that are replaced here. operator new of libstdc++ calls malloc.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  ++portolan::num_heap_calls;
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
  ++portolan::num_heap_calls;
  return __libc_calloc(count, size);
}

void* realloc(void* memory, std::size_t size) {
  ++portolan::num_heap_calls;
  return __libc_realloc(memory, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++portolan::num_heap_calls;
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  ++portolan::num_heap_calls;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}
