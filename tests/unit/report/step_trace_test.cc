#include "report/step_trace.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

Op compute() {
  Op op;
  op.layer = 7;
  return op;
}

Op boundary(OpKind kind, std::int32_t lane, std::int32_t peer_offset) {
  Op op;
  op.kind = kind;
  op.lane = lane;
  op.axes = {Axis::kPipeline};
  op.peer_offset = peer_offset;
  op.bytes = Bytes(1'000);
  return op;
}

/// Stage 0 computes and sends, stage 1 receives and computes; one rank each.
Program two_stages() {
  Program program;
  program.degrees = {1, 1, 1, 1, 2};
  program.lanes = {{Lane::Kind::kCompute, "compute"}, {Lane::Kind::kCommunication, "pipeline \"next\""}};
  program.stages.resize(2);
  program.stages[0].templates = {{"forward 0", 0, {compute(), boundary(OpKind::kSend, 1, 1)}}};
  program.stages[1].templates = {{"forward 0", 0, {boundary(OpKind::kReceive, 1, -1), compute()}}};
  program.stages[0].order = program.stages[1].order = {{0, 0}};
  return program;
}

TEST(StepTrace, HasAnEventAnOpAFlowASendAndACounterASlot) {
  const Program program = two_stages();
  const OpIds ids(program);
  Timeline timeline;
  timeline.entries = {{ids.id(0, 0, 0, 0), 0, Seconds(0), Seconds(1e-3)},
                      {ids.id(0, 0, 1, 0), 0, Seconds(1e-3), Seconds(1.5e-3)},
                      {ids.id(1, 0, 0, 0), 1, Seconds(1e-3), Seconds(1.5e-3)},
                      {ids.id(1, 0, 1, 0), 1, Seconds(1.5e-3), Seconds(2.5e-3 + 1e-10)}};
  const std::vector<SlotMemory> memory = {{0, 0, Seconds(0), Seconds(1.5e-3), Bytes(10), Bytes(20)},
                                          {1, 0, Seconds(1e-3), Seconds(2.5e-3), Bytes(30), Bytes(40)}};
  const std::string expected =
      R"({"displayTimeUnit": "ms", "otherData": {"title":"a \"title\"","program_hash":")" +
      program_hash(program) + R"("}, "traceEvents": [
{"ph":"M","name":"process_name","pid":0,"tid":0,"args":{"name":"stage 0, rank 0"}},
{"ph":"M","name":"process_sort_index","pid":0,"tid":0,"args":{"sort_index":0}},
{"ph":"M","name":"thread_name","pid":0,"tid":0,"args":{"name":"compute"}},
{"ph":"M","name":"thread_sort_index","pid":0,"tid":0,"args":{"sort_index":0}},
{"ph":"M","name":"thread_name","pid":0,"tid":1,"args":{"name":"pipeline \"next\""}},
{"ph":"M","name":"thread_sort_index","pid":0,"tid":1,"args":{"sort_index":1}},
{"ph":"M","name":"process_name","pid":1,"tid":0,"args":{"name":"stage 1, rank 1"}},
{"ph":"M","name":"process_sort_index","pid":1,"tid":0,"args":{"sort_index":1}},
{"ph":"M","name":"thread_name","pid":1,"tid":0,"args":{"name":"compute"}},
{"ph":"M","name":"thread_sort_index","pid":1,"tid":0,"args":{"sort_index":0}},
{"ph":"M","name":"thread_name","pid":1,"tid":1,"args":{"name":"pipeline \"next\""}},
{"ph":"M","name":"thread_sort_index","pid":1,"tid":1,"args":{"sort_index":1}},
{"ph":"X","name":"forward layer 7","cat":"compute","pid":0,"tid":0,"ts":0.000,"dur":1000.000,"args":{"microbatch":0,"phase":"forward","layer":7}},
{"ph":"X","name":"send to stage 1","cat":"send","pid":0,"tid":1,"ts":1000.000,"dur":500.000,"args":{"microbatch":0,"phase":"forward","bytes":1000}},
{"ph":"s","name":"pipeline","cat":"pipeline","id":1,"pid":0,"tid":1,"ts":1000.000},
{"ph":"X","name":"receive from stage 0","cat":"receive","pid":1,"tid":1,"ts":1000.000,"dur":500.000,"args":{"microbatch":0,"phase":"forward","bytes":1000}},
{"ph":"f","name":"pipeline","cat":"pipeline","id":1,"pid":1,"tid":1,"ts":1499.999,"bp":"e"},
{"ph":"X","name":"forward layer 7","cat":"compute","pid":1,"tid":0,"ts":1500.000,"dur":1000.000,"args":{"microbatch":0,"phase":"forward","layer":7}},
{"ph":"C","name":"memory, bytes","pid":0,"ts":0.000,"args":{"allocated":10,"reserved":20}},
{"ph":"C","name":"memory, bytes","pid":1,"ts":1000.000,"args":{"allocated":30,"reserved":40}}
]}
)";
  EXPECT_EQ(step_trace(program, timeline, memory, "a \"title\""), expected);
}

TEST(StepTrace, OfNothingIsAnEmptyList) {
  Program program;
  const std::string expected = R"({"displayTimeUnit": "ms", "otherData": {"title":"","program_hash":")" +
                               program_hash(program) + R"("}, "traceEvents": [
]}
)";
  EXPECT_EQ(step_trace(program, {}, {}, ""), expected);
}

}  // namespace
}  // namespace portolan
