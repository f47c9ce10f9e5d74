// Events as PyTorch's profiler writes them with record_shapes=True (torch/csrc/profiler/collection.cpp,
// Kineto's output_json.cpp).
#include "catalog/measured/traced_rows.h"

#include <gtest/gtest.h>

#include <sstream>

#include "catalog/measured/kineto_events.h"
#include "catalog/measured/traced_operation.h"
#include "tests/unit/catalog/measured/shaped_trace.h"

namespace portolan {
namespace {

TracedRows rows_of_trace(const ShapedTrace& trace) {
  std::istringstream stream(kineto_text(trace));
  const auto events = read_kineto_operations(stream, "t.json");
  EXPECT_TRUE(events) << events.error().message;
  return traced_rows(*events);
}

std::string why(const TracedRows& rows, const std::string& what) {
  for (const TracedLeftOut& one : rows.left_out) {
    if (one.what == what) {
      return one.reason;
    }
  }
  return "it is used";
}

TEST(TracedOperation, ProductsFollowTheSchemas) {
  const auto product = [](const std::string& name, std::vector<std::vector<std::int64_t>> dims) {
    return product_of({.name = name, .dims = std::move(dims), .types = {}, .values = {}});
  };
  EXPECT_EQ(product("aten::mm", {{8, 3}, {3, 5}}), (OperationProduct{1, 8, 5, 3}));
  EXPECT_EQ(product("aten::addmm", {{5}, {8, 3}, {3, 5}, {}, {}}), (OperationProduct{1, 8, 5, 3}));
  EXPECT_EQ(product("aten::bmm", {{4, 8, 3}, {4, 3, 5}}), (OperationProduct{4, 8, 5, 3}));
  EXPECT_EQ(product("aten::baddbmm", {{4, 8, 5}, {4, 8, 3}, {4, 3, 5}}), (OperationProduct{4, 8, 5, 3}));
  EXPECT_EQ(product("aten::linear", {{2, 4, 3}, {5, 3}, {5}}), (OperationProduct{1, 8, 5, 3}));
  EXPECT_EQ(product("_Linear", {{5, 3}, {2, 4, 3}}), (OperationProduct{1, 8, 5, 3}));
  EXPECT_EQ(product("aten::mm", {{8, 3}, {4, 5}}), std::nullopt);
  EXPECT_EQ(product("aten::mm", {{8, 3}}), std::nullopt);
  EXPECT_EQ(product("aten::bmm", {{4, 8, 3}, {5, 3, 5}}), std::nullopt);
  EXPECT_EQ(product("aten::mm", {{0, 3}, {3, 5}}), std::nullopt);
  EXPECT_EQ(product("aten::mm", {{1LL << 39, 1LL << 39}, {1LL << 39, 5}}), std::nullopt);
  EXPECT_EQ(product("aten::mul", {{8, 3}, {3, 5}}), std::nullopt);
}

TEST(TracedOperation, AttentionKnowsWhereItsInputsAre) {
  const TraceEvents::Operation forward{.name = "aten::_flash_attention_forward",
                                       .dims = {{2, 1024, 16, 64}, {2, 1024, 16, 64}, {2, 1024, 16, 64}},
                                       .types = {},
                                       .values = {"", "", "", "", "", "1024", "1024", "0.", "True", "False"}};
  const OperationAttention attention{2, 16, 1024, 64, true};
  ASSERT_TRUE(attention_of(forward));
  EXPECT_EQ(attention_of(forward)->attention, attention);
  EXPECT_FALSE(attention_of(forward)->is_backward);
  TraceEvents::Operation heads_first = forward;
  heads_first.name = "aten::_scaled_dot_product_flash_attention";
  heads_first.dims = {{2, 16, 1024, 64}, {2, 4, 1024, 64}, {2, 4, 1024, 64}};
  heads_first.values = {"", "", "", "0.", "True"};
  EXPECT_EQ(attention_of(heads_first)->attention, attention);
  TraceEvents::Operation unsaid = forward;
  unsaid.values.clear();
  EXPECT_FALSE(attention_of(unsaid));
  TraceEvents::Operation packed = forward;
  packed.dims[0] = {2048, 16, 64};
  EXPECT_FALSE(attention_of(packed));
}

TEST(TracedRows, ProductsAreMediansOfTheKernelsThatMultiply) {
  const std::vector<std::vector<std::int64_t>> forward = {{4096, 1024}, {1024, 8192}};
  ShapedTrace trace;
  for (const double us : {400.0, 300.0, 310.0}) {
    trace.calls.push_back(
        {.operation = "aten::mm",
         .dims = forward,
         .kernels = {{kGemmKernel, us}, {"void splitKreduce_kernel<bf16>", 10}, {kElementwiseKernel, 99}}});
  }
  trace.calls.push_back({.operation = "aten::mm",
                         .dims = {{8192, 4096}, {4096, 1024}},
                         .kernels = {{kGemmKernel, 350}},
                         .is_backward = true});
  trace.calls.push_back({.operation = "aten::mm",
                         .dims = {{4096, 8192}, {8192, 1024}},
                         .kernels = {{kGemmKernel, 360}},
                         .is_backward = true});
  trace.calls.push_back({.operation = "aten::mm", .dims = {{8, 8}, {8, 8}}, .kernels = {{kGemmKernel, 4}}});
  for (const bool with_launches : {true, false}) {
    trace.with_launches = with_launches;
    const TracedRows rows = rows_of_trace(trace);
    ASSERT_EQ(rows.products.size(), 1U);
    EXPECT_EQ(rows.products[0].m, 4096);
    EXPECT_EQ(rows.products[0].n, 8192);
    EXPECT_EQ(rows.products[0].k, 1024);
    EXPECT_EQ(rows.products[0].precision, Precision::kBf16);
    EXPECT_NEAR(rows.products[0].time.value, 320e-6, 1e-9);
    ASSERT_EQ(rows.weight_gradients.size(), 1U) << with_launches;
    EXPECT_EQ(rows.weight_gradients[0].k, 4096);
    EXPECT_EQ(rows.num_launches, 12);
    EXPECT_NEAR(rows.time.value, (1010 + 30 + 297 + 350 + 360 + 4) * 1e-6, 1e-9);
    EXPECT_NEAR(rows.used.value, (1010 + 30 + 350) * 1e-6, 1e-9);
    EXPECT_EQ(rows.left_out.front().reason, "gradient of an input: not fitted");
  }
}

TEST(TracedRows, AttentionIsForwardAndBackwardTogether) {
  const std::vector<std::string> forward_values = {"", "", "", "", "", "", "", "0.", "True"};
  const std::vector<std::string> backward_values = {"", "", "", "", "", "", "", "", "", "", "0.", "True"};
  const std::vector<std::int64_t> q = {2, 2048, 16, 128};
  ShapedTrace trace;
  trace.calls = {
      {.operation = "aten::_flash_attention_forward",
       .dims = {q, q, q},
       .values = forward_values,
       .kernels = {{kFlashForward, 200}}},
      {.operation = "aten::_flash_attention_backward",
       .dims = {q, q, q, q, q, {}},
       .values = backward_values,
       .kernels = {{"void pytorch_flash::flash_bwd_dot_do_o_kernel<128>", 20}, {kFlashBackward, 480}},
       .is_backward = true},
      {.operation = "aten::_flash_attention_forward",
       .dims = {{1, 64, 16, 128}, {1, 64, 16, 128}, {1, 64, 16, 128}},
       .values = forward_values,
       .kernels = {{kFlashForward, 5}}}};
  const TracedRows rows = rows_of_trace(trace);
  ASSERT_EQ(rows.attention.size(), 1U);
  EXPECT_EQ(rows.attention[0].version, 2);
  EXPECT_EQ(rows.attention[0].sequence, 2048);
  EXPECT_TRUE(rows.attention[0].causal);
  // Seven products of 2 x 32 x 2048^2 x 128, half of each, in 700 us.
  EXPECT_NEAR(rows.attention[0].rate.value / (7 * 32.0 * 2048 * 2048 * 128 / 700e-6), 1, 1e-9);
  EXPECT_EQ(why(rows, "aten::_flash_attention_forward"), "attention without its backward");
}

TEST(TracedRows, PassesHaveTheirBytesAndCollectivesTheirLeastTime) {
  ShapedTrace trace;
  trace.calls = {
      {.operation = "aten::gelu", .dims = {{4, 1024, 4096}}, .kernels = {{kElementwiseKernel, 50}}},
      {.operation = "aten::add",
       .dims = {{4, 1024, 512}, {4, 1024, 512}, {}},
       .kernels = {{"add_kernel", 9}}},
      {.operation = "aten::add",
       .dims = {{4, 1024, 512}, {4, 1024, 512}, {}},
       .kernels = {{kElementwiseKernel, 8}},
       .is_backward = true},
      {.operation = "aten::copy_", .dims = {{8}, {8}}, .kernels = {{kElementwiseKernel, 7}}}};
  const std::string gather = "ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)";
  trace.collectives = {
      {.elements_in = 1 << 20, .elements_out = 1 << 20, .us = 500},
      {.elements_in = 1 << 20, .elements_out = 1 << 20, .us = 90},
      {.kernel = gather, .collective = "_allgather_base", .elements_in = 10, .elements_out = 80, .us = 30},
      {.elements_in = 64, .group_size = 16, .ranks = "[0, 8, 16, ..., 120]", .us = 20},
      {.elements_in = 64, .group_size = 16, .ranks = "[0, 8, 17, ..., 119]", .us = 20},
      {.kernel = "ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)",
       .collective = "send",
       .elements_in = 64,
       .us = 20}};
  const TracedRows rows = rows_of_trace(trace);
  ASSERT_EQ(rows.passes.size(), 2U);
  EXPECT_EQ(rows.passes[0].kind, KernelKind::kGeluForward);
  EXPECT_EQ(rows.passes[0].elements, 4 * 1024 * 4096);
  EXPECT_EQ(rows.passes[0].bytes, Bytes(2 * 2 * 4 * 1024 * 4096));
  EXPECT_EQ(rows.passes[1].kind, KernelKind::kResidualAdd);
  EXPECT_EQ(rows.passes[1].bytes, Bytes(3 * 2 * 4 * 1024 * 512));
  EXPECT_EQ(why(rows, "aten::copy_"), "of no kind that is fitted");
  ASSERT_EQ(rows.collectives.size(), 3U);
  EXPECT_EQ(rows.collectives[0].size, Bytes(2 << 20));
  EXPECT_NEAR(rows.collectives[0].time.value, 90e-6, 1e-12);
  EXPECT_EQ(rows.collectives[1].ranks.size(), 16U);
  EXPECT_EQ(rows.collectives[1].ranks[3], 24);
  EXPECT_EQ(rows.collectives[2].kind, CollectiveKind::kAllGather);
  EXPECT_EQ(rows.collectives[2].size, Bytes(160));
  EXPECT_EQ(why(rows, trace.collectives[0].kernel), "its group's ranks are not known");
  EXPECT_EQ(why(rows, trace.collectives[5].kernel), "waits for its peer");
}

TEST(TracedRows, TracesWithoutShapesOrKernelsAreRefused) {
  const auto refused = [](const std::string& text) {
    std::istringstream stream(text);
    return read_kineto_operations(stream, "t.json").error().message;
  };
  EXPECT_NE(refused(R"({"traceEvents": []})").find("t.json: has no kernels"), std::string::npos);
  EXPECT_NE(refused(R"({"traceEvents": [{"ph": "X", "cat": "kernel", "name": "k", "ts": 1, "dur": 2}]})")
                .find("record_shapes=True"),
            std::string::npos);
}

TEST(TracedRows, OddShapesAreNoHarm) {
  // Lists of tensors, no lists, deep lists, numbers that are none.
  const std::string text = R"({"traceEvents": [
    {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "tid": 1, "ts": 0, "dur": 9, "args":
      {"Input Dims": [[[1, 2], [3]], 7, "x", [-4, 1e30, 2.5], [[[[9]]]]], "Input type": "x", "Concrete Inputs": [[1]]}},
    {"ph": "X", "cat": "cuda_runtime", "name": "l", "tid": 1, "ts": 1, "dur": 1, "args": {"correlation": 1}},
    {"ph": "X", "cat": "kernel", "name": "gemm_bf16", "ts": 1, "dur": 2, "args": {"correlation": 1}}]})";
  std::istringstream stream(text);
  const auto events = read_kineto_operations(stream, "t.json");
  ASSERT_TRUE(events) << events.error().message;
  const TracedRows rows = traced_rows(*events);
  EXPECT_TRUE(rows.products.empty());
  EXPECT_EQ(why(rows, "aten::mm"), "of no kind that is fitted");
}

}  // namespace
}  // namespace portolan
