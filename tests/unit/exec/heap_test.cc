#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "counting_heap.h"
#include "device_wrapper.h"
#include "tiny_training.h"

namespace portolan {
namespace {

/// Heap calls between the ends of successive steps, on all threads.
std::vector<long> heap_calls_of_steps(const Plan& plan, RunOptions options) {
  std::vector<long> counts;
  counts.reserve(static_cast<std::size_t>(options.num_steps));
  long before = 0;
  options.on_step = [&](const RunProgress& progress) {
    if (progress.step > 1) {
      counts.push_back(num_heap_calls - before);
    }
    before = num_heap_calls;
  };
  run_or_fail(plan, options);
  return counts;
}

std::vector<Strategy> strategies() {
  std::vector<Strategy> list(4, fp32_strategy());
  list[1].data_parallel = 2;
  list[2].pipeline_parallel = 2;
  list[2].recompute.all_layers = recompute_full();
  list[3].pipeline_parallel = 2;
  list[3].schedule = ScheduleKind::kGPipe;
  return list;
}

TEST(Heap, NothingIsAllocatedWithinAStep) {
  const TokenDataset text = made_up_text(16, 61);
  for (const TransformerConfig& model : {tiny_gpt(), tiny_llama()}) {
    for (const Strategy& strategy : strategies()) {
      for (const long count :
           heap_calls_of_steps(tiny_plan(model, strategy), {.num_steps = 4, .dataset = &text})) {
        EXPECT_EQ(count, 0) << model.name << ", " << short_name(strategy);
      }
    }
  }
}

/// Takes scratch memory for one kernel, as a kernel with a hidden buffer would.
class HiddenBuffer final : public DeviceWrapper {
 public:
  using DeviceWrapper::DeviceWrapper;

  Result<void> launch(LaneId lane, const KernelLaunch& launch) override {
    if (launch.kernel.kind == KernelKind::kAttentionSoftmaxForward) {
      void* volatile scratch = std::malloc(1000);
      std::free(scratch);
    }
    return DeviceWrapper::launch(lane, launch);
  }
};

TEST(Heap, APlantedHiddenBufferIsFound) {
  const TokenDataset text = made_up_text(16, 61);
  RunOptions options{.num_steps = 3, .dataset = &text};
  options.decorate_device = [](std::int32_t, std::unique_ptr<Device> inner) {
    return std::make_unique<HiddenBuffer>(std::move(inner));
  };
  for (const long count : heap_calls_of_steps(tiny_plan(tiny_gpt(), fp32_strategy()), options)) {
    EXPECT_EQ(count, 8 * 2);  // microbatches x layers
  }
}

}  // namespace
}  // namespace portolan
