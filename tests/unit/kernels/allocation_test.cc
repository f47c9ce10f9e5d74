#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "kernels/host/activation.h"
#include "kernels/host/adamw.h"
#include "kernels/host/attention.h"
#include "kernels/host/buffer.h"
#include "kernels/host/cross_entropy.h"
#include "kernels/host/embedding.h"
#include "kernels/host/linear.h"
#include "kernels/host/normalization.h"
#include "kernels/host/residual.h"
#include "kernels/host/rotary.h"

// The executor's memory is planned: a kernel that allocates has a hidden buffer. This program counts every
// use of operator new while the kernels run. (OpenBLAS maps a packing buffer per thread by itself, outside
// the heap.)

namespace {
std::atomic<std::int64_t> allocations{0};
}  // namespace

// Not inlined: g++ would see free() given memory of operator new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) {
    return memory;
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace portolan {
namespace {

constexpr std::int64_t kRows = 40;
constexpr std::int64_t kColumns = 48;
constexpr operands::AttentionShape kShape{
    .batch = 2, .sequence = 20, .heads = 4, .kv_heads = 2, .head_dim = 6};

/// One buffer of ones per operand, large enough for every kernel below.
struct Buffers {
  std::vector<float> a = std::vector<float>(16384, 1.0F);
  std::vector<float> b = a;
  std::vector<float> c = a;
  std::vector<float> d = a;
  std::vector<float> e = a;
  std::vector<float> f = a;
  std::vector<float> g = a;
  std::vector<float> h = a;
  std::vector<std::int32_t> tokens = std::vector<std::int32_t>(kRows, 3);
  double loss = 0;
};

void run_linear(Buffers& t) {
  host::linear_forward({.rows = kRows,
                        .in_features = kColumns,
                        .out_features = kColumns,
                        .x = t.a.data(),
                        .weight = t.b.data(),
                        .bias = t.c.data(),
                        .y = t.d.data()});
  host::linear_backward_input({.rows = kRows,
                               .in_features = kColumns,
                               .out_features = kColumns,
                               .dy = t.a.data(),
                               .weight = t.b.data(),
                               .dx = t.c.data()});
  host::linear_backward_weight({.rows = kRows,
                                .in_features = kColumns,
                                .out_features = kColumns,
                                .dy = t.a.data(),
                                .x = t.b.data(),
                                .dweight = t.c.data()});
  host::bias_backward({.rows = kRows, .columns = kColumns, .dy = t.a.data(), .dbias = t.b.data()});
}

void run_attention(Buffers& t) {
  host::rotary_forward({.shape = kShape, .qkv = t.a.data()});
  host::attention_scores_forward({.shape = kShape, .qkv = t.a.data(), .scores = t.b.data()});
  host::attention_softmax_forward({.shape = kShape, .scores = t.b.data()});
  host::attention_context_forward(
      {.shape = kShape, .probabilities = t.b.data(), .qkv = t.a.data(), .context = t.c.data()});
  host::attention_context_backward({.shape = kShape,
                                    .probabilities = t.b.data(),
                                    .qkv = t.a.data(),
                                    .dcontext = t.c.data(),
                                    .dprobabilities = t.d.data(),
                                    .dqkv = t.e.data()});
  host::attention_softmax_backward(
      {.shape = kShape, .probabilities = t.b.data(), .dprobabilities = t.d.data()});
  host::attention_scores_backward(
      {.shape = kShape, .qkv = t.a.data(), .dscores = t.d.data(), .dqkv = t.e.data()});
  host::rotary_backward({.shape = kShape, .qkv = t.e.data()});
}

void run_normalization(Buffers& t) {
  host::layernorm_forward({.rows = kRows,
                           .columns = kColumns,
                           .x = t.a.data(),
                           .gamma = t.b.data(),
                           .beta = t.c.data(),
                           .y = t.d.data(),
                           .mean = t.e.data(),
                           .rstd = t.f.data()});
  host::layernorm_backward({.rows = kRows,
                            .columns = kColumns,
                            .dy = t.d.data(),
                            .x = t.a.data(),
                            .gamma = t.b.data(),
                            .mean = t.e.data(),
                            .rstd = t.f.data(),
                            .dx = t.c.data(),
                            .dgamma = t.g.data(),
                            .dbeta = t.h.data()});
  host::rmsnorm_forward({.rows = kRows,
                         .columns = kColumns,
                         .x = t.a.data(),
                         .gamma = t.b.data(),
                         .y = t.d.data(),
                         .rstd = t.f.data()});
  host::rmsnorm_backward({.rows = kRows,
                          .columns = kColumns,
                          .dy = t.d.data(),
                          .x = t.a.data(),
                          .gamma = t.b.data(),
                          .rstd = t.f.data(),
                          .dx = t.c.data(),
                          .dgamma = t.g.data()});
}

void run_elementwise(Buffers& t) {
  const std::int64_t count = kRows * kColumns;
  host::gelu_forward({.count = count, .u = t.a.data(), .y = t.b.data()});
  host::gelu_backward({.count = count, .u = t.a.data(), .gradient = t.b.data()});
  host::swiglu_forward({.rows = kRows, .features = kColumns, .u = t.a.data(), .g = t.b.data()});
  host::swiglu_backward(
      {.rows = kRows, .features = kColumns, .u = t.a.data(), .dg = t.b.data(), .du = t.c.data()});
  host::residual_add(
      {.rows = kRows, .columns = kColumns, .x = t.a.data(), .bias = t.b.data(), .y = t.c.data()});
  host::copy(t.a.data(), t.b.data(), count);
  host::fill_zero(t.a.data(), count);
  host::accumulate(t.a.data(), t.b.data(), count);
  host::adamw_update({.count = count,
                      .options = {.learning_rate = 1e-3, .step = 1},
                      .gradient = t.a.data(),
                      .parameter = t.b.data(),
                      .first_moment = t.c.data(),
                      .second_moment = t.d.data()});
}

void run_ends(Buffers& t) {
  host::embedding_forward({.rows = kRows,
                           .sequence = 20,
                           .columns = kColumns,
                           .tokens = t.tokens.data(),
                           .word = t.a.data(),
                           .position = t.b.data(),
                           .x = t.c.data()});
  host::embedding_backward({.rows = kRows,
                            .sequence = 20,
                            .columns = kColumns,
                            .tokens = t.tokens.data(),
                            .dx = t.c.data(),
                            .dword = t.a.data(),
                            .dposition = t.b.data()});
  host::cross_entropy_forward({.rows = kRows,
                               .vocabulary = kColumns,
                               .targets = t.tokens.data(),
                               .logits = t.c.data(),
                               .loss_sum = &t.loss});
  host::cross_entropy_backward({.rows = kRows,
                                .vocabulary = kColumns,
                                .scale = 1,
                                .targets = t.tokens.data(),
                                .probabilities = t.c.data()});
}

TEST(Allocation, NoKernelUsesTheHeap) {
  Buffers buffers;
  const std::int64_t before = allocations;
  run_linear(buffers);
  run_attention(buffers);
  run_normalization(buffers);
  run_elementwise(buffers);
  run_ends(buffers);
  EXPECT_EQ(allocations - before, 0);
  EXPECT_GT(before, 0) << "the counter is not in use";
}

}  // namespace
}  // namespace portolan
