// Events written by hand to what Kineto writes (libkineto/src/output_json.cpp) and c10d adds
// (ParamCommsUtils).
#include "catalog/measured/kineto_trace.h"

#include <gtest/gtest.h>

#include <sstream>

namespace portolan {
namespace {

Result<MeasuredTrace> read_trace(const std::string& text, std::int64_t steps = 1) {
  std::istringstream stream(text);
  return read_kineto_trace(stream, "t.json", {.steps_without_marks = steps});
}

std::string event(const std::string& category, const std::string& name, double start, double length,
                  int thread, const std::string& arguments = "") {
  std::ostringstream text;
  text << R"({"ph": "X", "cat": ")" << category << R"(", "name": ")" << name << R"(", "pid": 1, "tid": )"
       << thread << R"(, "ts": )" << start << R"(, "dur": )" << length << R"(, "args": {)" << arguments
       << "}}";
  return text.str();
}
std::string kernel(const std::string& name, double start, double length, int correlation,
                   const std::string& more = "") {
  return event("kernel", name, start, length, 7,
               R"("stream": 7, "correlation": )" + std::to_string(correlation) + more);
}
std::string launch(int correlation, double start, int thread) {
  return event("cuda_runtime", "cudaLaunchKernel", start, 1, thread,
               R"("correlation": )" + std::to_string(correlation));
}
std::string trace_of(const std::vector<std::string>& events, const std::string& head = "") {
  std::string list;
  for (const std::string& one : events) {
    list += (list.empty() ? "" : ",\n") + one;
  }
  return "{" + head + R"("traceEvents": [)" + list + "]}";
}

Seconds time_of(const MeasuredTrace& trace, TimeKind kind, std::optional<TracedPhase> phase,
                std::size_t step = 0) {
  Seconds sum;
  for (const TracedKind& one : trace.kinds) {
    sum += one.kind == kind && one.phase == phase ? one.by_step[step] : Seconds(0);
  }
  return sum;
}

TEST(KinetoTrace, PhasesFollowFromWhatLaunched) {
  const std::string forward = R"("Sequence number": 4, "Fwd thread id": 0)";
  const std::string backward = R"("Sequence number": 4, "Fwd thread id": 1)";
  const auto trace = read_trace(trace_of({
      event("user_annotation", "ProfilerStep#3", 0, 1000, 5),
      event("cpu_op", "aten::linear", 10, 10, 5, forward),
      launch(1, 12, 5),
      kernel("gemm", 100, 10, 1),
      // Backward on a thread of autograd's own; a checkpoint runs its forward in it, then goes back through
      // that.
      event("cpu_op", "autograd::engine::evaluate_function: CheckpointFunctionBackward", 30, 70, 6, backward),
      event("cpu_op", "CheckpointFunctionBackward", 31, 68, 6, backward),
      event("cpu_op", "aten::linear", 40, 10, 6, forward),
      launch(2, 42, 6),
      kernel("gemm", 200, 20, 2),
      event("cpu_op", "autograd::engine::evaluate_function: AddmmBackward0", 60, 20, 6, backward),
      event("cpu_op", "aten::mm", 62, 5, 6),
      launch(3, 63, 6),
      kernel("gemm", 300, 40, 3),
      // Meanwhile the main thread waits; then gradients are clipped and the optimizer steps.
      launch(4, 110, 5),
      kernel("vectorized_elementwise_kernel", 400, 5, 4),
      event("user_annotation", "Optimizer.step#AdamW.step", 120, 50, 5),
      launch(5, 125, 5),
      kernel("multi_tensor_apply_kernel", 500, 80, 5),
  }));
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_TRUE(trace->has_phases);
  EXPECT_EQ(time_of(*trace, TimeKind::kGemm, TracedPhase::kForward), Seconds(10e-6));
  EXPECT_EQ(time_of(*trace, TimeKind::kGemm, TracedPhase::kRecompute), Seconds(20e-6));
  EXPECT_EQ(time_of(*trace, TimeKind::kGemm, TracedPhase::kBackward), Seconds(40e-6));
  EXPECT_EQ(time_of(*trace, TimeKind::kElementwise, TracedPhase::kOptimizer), Seconds(5e-6));
  EXPECT_EQ(time_of(*trace, TimeKind::kOptimizer, TracedPhase::kOptimizer), Seconds(80e-6));
  // From the first kernel (100) until the host is done (1000), less what was computed.
  EXPECT_NEAR(trace->step_times.at(0).value, 900e-6, 1e-12);
  EXPECT_NEAR(trace->wait_times.at(0).value, (900 - 155) * 1e-6, 1e-12);
}

TEST(KinetoTrace, StepsAreThoseInWhichKernelsWereLaunched) {
  const auto trace = read_trace(trace_of({
      launch(9, 5, 5),
      kernel("gemm", 50, 7, 9),  // before the first step
      event("user_annotation", "ProfilerStep#11", 100, 100, 5),
      event("user_annotation", "ProfilerStep#10", 10, 90, 5),
      event("user_annotation", "ProfilerStep#12", 200, 10, 5),  // launches nothing
      launch(1, 20, 5),
      kernel("gemm", 60, 30, 1),
      launch(2, 110, 5),
      kernel("gemm", 160, 35, 2),
      launch(3, 120, 5),
      kernel("nccl AllReduce", 190, 100, 3),
  }));
  ASSERT_TRUE(trace) << trace.error().message;
  ASSERT_EQ(trace->step_times.size(), 2U);
  EXPECT_NEAR(trace->step_times[0].value, 100e-6, 1e-12);  // 60 to 160
  EXPECT_NEAR(trace->step_times[1].value, 130e-6, 1e-12);  // 160 to 290
  EXPECT_NEAR(trace->wait_times[1].value, 95e-6, 1e-12);
  EXPECT_EQ(time_of(*trace, TimeKind::kGemm, std::nullopt, 0), Seconds(30e-6));
  EXPECT_EQ(time_of(*trace, TimeKind::kGemm, std::nullopt, 1), Seconds(35e-6));
  EXPECT_EQ(trace->num_outside, 1);
  EXPECT_EQ(trace->num_kernels, 3);
}

TEST(KinetoTrace, GroupsOfCollectives) {
  const auto trace = read_trace(trace_of(
      {
          kernel("gemm", 0, 10, 1),
          kernel(
              "ncclDevKernel_AllReduce", 0, 10, 2,
              R"(, "Collective name": "allreduce", "Group size": 4, "Process Group Ranks": "[0, 2, ..., 6]")"),
          kernel("ncclDevKernel_SendRecv", 0, 10, 3,
                 R"(, "Collective name": "all_to_allv", "Process Group Ranks": [0, 1], "Group size": "2")"),
          kernel("ncclDevKernel_AllGather", 0, 10, 4, R"(, "Process Group Name": "7", "Group size": 2)"),
          // Older traces: only the call on the host says.
          event("cpu_op", "record_param_comms", 20, 5, 5,
                R"("Collective name": "_reduce_scatter_base", "Process Group Description": "mesh_dp")"),
          launch(5, 22, 5),
          kernel("ncclKernel_ReduceScatter", 30, 10, 5),
      },
      R"("distributedInfo": {"rank": 2, "world_size": 8, "pg_config": [{"pg_name": "7", "ranks": [2, 3]}]}, )"));
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->rank, 2);
  EXPECT_EQ(trace->num_ranks, 8);
  const auto group_of = [&](TimeKind kind) {
    for (const TracedKind& one : trace->kinds) {
      if (one.kind == kind) {
        return trace->groups.at(static_cast<std::size_t>(one.group));
      }
    }
    return TracedGroup{};
  };
  EXPECT_EQ(group_of(TimeKind::kAllReduce), (TracedGroup{{0, 2, 6}, 4, ""}));
  EXPECT_EQ(group_of(TimeKind::kAllToAll), (TracedGroup{{0, 1}, 2, ""}));
  EXPECT_EQ(group_of(TimeKind::kAllGather), (TracedGroup{{2, 3}, 2, "7"}));
  EXPECT_EQ(group_of(TimeKind::kReduceScatter), (TracedGroup{{}, 0, "mesh_dp"}));
}

TEST(KinetoTrace, UnknownKernelsAreListedAndBadEventsCounted) {
  const auto trace = read_trace(
      "[" + kernel("gemm", 0, 10, 1) + "," + kernel("mine", 20, 4, 2) + "," + kernel("mine", 30, 6, 3) + "," +
          kernel("another", 40, 2, 4) + "," + kernel("gemm", 50, -1, 5) + "," +
          R"({"ph": "X", "cat": "kernel", "name": "gemm"}, {"ph": "i", "cat": "cpu_instant_event", "name": "[memory]",
          "ts": 3, "args": {"Device Type": 1, "Total Allocated": 512, "Total Reserved": 1024}}, 7, "x", null, [{"a": {}}]])",
      2);
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->num_malformed, 2);
  ASSERT_EQ(trace->unknown.size(), 2U);
  EXPECT_EQ(trace->unknown[0].name, "mine");
  EXPECT_EQ(trace->unknown[0].count, 2);
  EXPECT_NEAR(trace->unknown[0].time.value, 5e-6, 1e-15);  // of two steps
  EXPECT_EQ(trace->unknown[1].name, "another");
  EXPECT_EQ(time_of(*trace, TimeKind::kGemm, std::nullopt), Seconds(5e-6));
  EXPECT_FALSE(trace->has_steps);
  EXPECT_FALSE(trace->has_phases);
  EXPECT_EQ(trace->allocated, Bytes(512));
  EXPECT_EQ(trace->reserved, Bytes(1024));
}

TEST(KinetoTrace, RefusedInOneLine) {
  const struct {
    std::string text;
    std::string message;
  } table[] = {
      {"", "t.json: is no trace (JSON of torch.profiler)"},
      {trace_of({kernel("gemm", 0, 10, 1)}).substr(0, 60),
       "t.json: is no trace (JSON of torch.profiler): byte 61: "},
      {"{}", "t.json: has no traceEvents"},
      {R"({"traceEvents": {}})", "t.json: has no kernels"},
      {trace_of({event("cpu_op", "aten::mm", 0, 1, 5)}), "t.json: has no kernels (needed: a trace with "},
      {trace_of({event("user_annotation", "ProfilerStep#1", 0, 10, 5), kernel("gemm", 20, 10, 1)}),
       "t.json: no kernel was launched within its steps (ProfilerStep#N)"},
  };
  for (const auto& row : table) {
    const auto trace = read_trace(row.text);
    ASSERT_FALSE(trace) << row.text;
    EXPECT_EQ(trace.error().message.substr(0, row.message.size()), row.message) << trace.error().message;
    EXPECT_EQ(trace.error().message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace portolan
