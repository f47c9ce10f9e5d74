#include <gtest/gtest.h>

#include <set>

#include "model/kernel.h"

namespace portolan {
namespace {

TEST(KernelName, NamesAreDistinctAndFoundAgain) {
  std::set<std::string_view> names;
  for (int i = 0; i < kNumKernelKinds; ++i) {
    const auto kind = static_cast<KernelKind>(i);
    EXPECT_FALSE(kernel_name(kind).empty());
    EXPECT_TRUE(names.insert(kernel_name(kind)).second) << kernel_name(kind);
    EXPECT_EQ(find_kernel(kernel_name(kind)), kind);
  }
  EXPECT_EQ(find_kernel(""), std::nullopt);
  EXPECT_EQ(find_kernel("gemm"), std::nullopt);
}

TEST(KernelName, SayWhatTheKindIs) {
  EXPECT_EQ(kernel_name(KernelKind::kLoadTokens), "load_tokens");
  EXPECT_EQ(kernel_name(KernelKind::kSwiGluBackward), "swiglu_backward");
  EXPECT_EQ(kernel_name(KernelKind::kTensorAllReduce), "tensor_all_reduce");
  int num_products = 0;
  for (int i = 0; i < kNumKernelKinds; ++i) {
    const auto kind = static_cast<KernelKind>(i);
    const bool attention = is_attention_gemm(kind);
    EXPECT_TRUE(!attention || is_gemm(kind));
    EXPECT_EQ(is_gemm(kind) && !attention, kernel_name(kind).starts_with("linear_"));
    num_products += is_gemm(kind);
  }
  EXPECT_EQ(num_products, 9);  // three of a linear layer, four of attention, two flash
}

}  // namespace
}  // namespace portolan
