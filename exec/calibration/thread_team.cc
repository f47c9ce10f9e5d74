#include "exec/calibration/thread_team.h"

#include <thread>
#include <vector>

#include "exec/processor_affinity.h"

namespace portolan {

void run_team(std::int32_t num_members, const std::function<void(std::int32_t member)>& work) {
  const std::vector<std::int32_t> processors = assign_processors(num_members, allowed_processors());
  std::vector<std::thread> threads;
  for (std::int32_t member = 0; member < num_members; ++member) {
    threads.emplace_back([&work, member, processor = processors[static_cast<std::size_t>(member)]] {
      pin_this_thread(processor);
      work(member);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace portolan
