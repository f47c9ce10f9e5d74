#include "exec/processor_affinity.h"

#include <fmt/format.h>
#include <sched.h>

namespace portolan {

std::vector<std::int32_t> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<std::int32_t> processors;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (std::int32_t i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(static_cast<std::size_t>(i), &set)) {
        processors.push_back(i);
      }
    }
  }
  if (processors.empty()) {
    processors.push_back(0);
  }
  return processors;
}

std::vector<std::int32_t> assign_processors(std::int32_t num_ranks,
                                            const std::vector<std::int32_t>& allowed) {
  std::vector<std::int32_t> assigned;
  for (std::int32_t rank = 0; rank < num_ranks; ++rank) {
    assigned.push_back(allowed[static_cast<std::size_t>(rank) % allowed.size()]);
  }
  return assigned;
}

bool pin_this_thread(std::int32_t processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(processor), &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

std::string sharing_problem(std::int32_t num_ranks, std::int32_t num_processors) {
  if (num_ranks <= num_processors) {
    return "";
  }
  return fmt::format("{} ranks share {} core{}", num_ranks, num_processors, num_processors == 1 ? "" : "s");
}

}  // namespace portolan
