#include <gtest/gtest.h>

#include <vector>

#include "counting_new.h"
#include "exec/data/token_dataset.h"

namespace portolan {
namespace {

TEST(TokenDatasetAllocation, WindowsAllocateNothing) {
  auto dataset = TokenDataset::make({std::vector<std::int32_t>(1000), {0}}, {.sequence_length = 16});
  ASSERT_TRUE(dataset.has_value());
  std::vector<std::int32_t> tokens(16);
  std::vector<std::int32_t> targets(16);
  const long before = num_allocations;
  for (std::int64_t i = 0; i < 100; ++i) {
    dataset->training_window(i, i, tokens, targets);
    dataset->heldout_window(i % dataset->num_heldout_windows(), tokens, targets);
  }
  EXPECT_EQ(num_allocations - before, 0);
  EXPECT_GT(before, 0) << "the counter counts";
}

}  // namespace
}  // namespace portolan
