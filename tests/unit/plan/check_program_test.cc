#include <gtest/gtest.h>

#include <limits>

#include "plan/lower.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// Two stages of two layers, two replicas, 4 microbatches, 1F1B. Stage 0 runs zeroing, F0 F1 B0 F2 B1 F3 B2
/// B3, synchronisation, optimizer; stage 1 zeroing, F0 B0 F1 B1 and so on.
Program sample_program() {
  const Scenario scenario = tiny_scenario(4);
  return lower(scenario, sample_strategy(scenario, {.pipeline = 2, .data = 2, .microbatch = 2}));
}

Template& template_of(Program& program, std::size_t stage, const std::string& name) {
  for (Template& t : program.stages[stage].templates) {
    if (t.name == name) {
      return t;
    }
  }
  ADD_FAILURE() << "no template " << name;
  return program.stages[stage].templates.front();
}

Op& first_of(Program& program, std::size_t stage, OpKind kind) {
  for (Template& t : program.stages[stage].templates) {
    for (Op& op : t.ops) {
      if (op.kind == kind) {
        return op;
      }
    }
  }
  ADD_FAILURE() << "no " << op_kind_name(kind);
  return program.stages[stage].templates.front().ops.front();
}

/// A buffer of stage 0 that lives in one microbatch only.
Buffer& passing_buffer(Program& program) {
  for (Buffer& buffer : program.stages[0].buffers) {
    if (!buffer.persistent) {
      return buffer;
    }
  }
  ADD_FAILURE() << "no such buffer";
  return program.stages[0].buffers.front();
}

Kernel& first_kernel(Program& program) { return template_of(program, 0, "forward 0").ops[0].kernels[0]; }

/// The same with activations and optimizer states on the host.
Program offloaded_program() {
  Scenario scenario = tiny_scenario(4);
  scenario.hardware = with_pcie(scenario.hardware);
  Strategy strategy = sample_strategy(scenario, {.pipeline = 2, .data = 2, .microbatch = 2});
  strategy.offload = Offload::kActivationsAndOptimizer;
  return lower(scenario, strategy);
}

struct Row {
  const char* what;
  void (*change)(Program&);
  const char* message;  ///< a part of it
};

void expect_refused(const std::vector<Row>& table, Program (*make)() = &sample_program) {
  for (const Row& row : table) {
    Program program = make();
    ASSERT_TRUE(check_program(program));
    row.change(program);
    const auto checked = check_program(program);
    ASSERT_FALSE(checked) << row.what << " is not noticed";
    EXPECT_EQ(checked.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(checked.error().message.find(row.message), std::string::npos)
        << row.what << ": " << checked.error().message;
  }
}

TEST(CheckProgram, NoticesMalformedFrames) {
  expect_refused({
      {"no tensor degree", [](Program& p) { p.degrees[0] = 0; }, "program.degrees: 0"},
      {"a negative degree", [](Program& p) { p.degrees[3] = -2; }, "program.degrees: -2"},
      {"more ranks than can be", [](Program& p) { p.degrees[0] = p.degrees[3] = 1 << 20; },
       "program.degrees: 1048576"},
      {"an axis twice", [](Program& p) { p.axis_order[0] = Axis::kData; }, "program.axis_order"},
      {"an axis that is none", [](Program& p) { p.axis_order[0] = static_cast<Axis>(17); },
       "program.axis_order"},
      {"a stage too few", [](Program& p) { p.stages.pop_back(); },
       "program.stages: 1 stages (needed: the pipeline degree, 2)"},
      {"no stages", [](Program& p) { p.stages.clear(); }, "program.stages: 0 stages"},
      {"no microbatch", [](Program& p) { p.num_microbatches = 0; }, "must be 1 or more"},
      {"no sequence", [](Program& p) { p.microbatch_size = 0; }, "must be 1 or more"},
      {"no token", [](Program& p) { p.sequence_length = -1; }, "must be 1 or more"},
      {"no lanes", [](Program& p) { p.lanes.clear(); }, "program.lanes"},
      {"compute elsewhere", [](Program& p) { std::swap(p.lanes[0], p.lanes[1]); }, "program.lanes"},
  });
}

TEST(CheckProgram, NoticesMalformedOps) {
  expect_refused({
      {"a lane beyond", [](Program& p) { first_of(p, 0, OpKind::kSend).lane = 99; },
       "stages[0].templates[1].ops"},
      {"a lane below", [](Program& p) { first_of(p, 0, OpKind::kSend).lane = -1; },
       ".lane: -1 (allowed: 0 to 13)"},
      {"a send in the compute lane", [](Program& p) { first_of(p, 0, OpKind::kSend).lane = 0; },
       "an op belongs to a lane of its kind"},
      {"compute in the send lane", [](Program& p) { first_of(p, 0, OpKind::kCompute).lane = 3; },
       "an op belongs to a lane of its kind"},
      {"compute without kernels", [](Program& p) { first_of(p, 0, OpKind::kCompute).kernels.clear(); },
       "a compute op has kernels"},
      {"a send with kernels", [](Program& p) { first_of(p, 0, OpKind::kSend).kernels.push_back({}); },
       "a communication op has none"},
      {"a collective among kernels", [](Program& p) { first_kernel(p).kind = KernelKind::kTensorAllReduce; },
       "tensor_all_reduce of"},
      {"negative work", [](Program& p) { first_kernel(p).flops = Flops(-1); }, "-1 FLOPs"},
      {"work that is no number",
       [](Program& p) { first_kernel(p).flops = Flops(std::numeric_limits<double>::quiet_NaN()); },
       "nan FLOPs"},
      {"work without end",
       [](Program& p) { first_kernel(p).flops = Flops(std::numeric_limits<double>::infinity()); },
       "inf FLOPs"},
      {"negative bytes", [](Program& p) { first_kernel(p).bytes = Bytes(-8); }, "-8 B"},
      {"an operand beyond", [](Program& p) { first_kernel(p).operands[0].tensor = 1 << 20; },
       "operand 1048576 is no buffer"},
      {"an operand below", [](Program& p) { first_kernel(p).operands[0].tensor = -1; },
       "operand -1 is no buffer"},
      {"a sent buffer beyond", [](Program& p) { first_of(p, 0, OpKind::kSend).buffers = {1 << 20}; },
       "1048576 is no buffer"},
      {"a sent buffer below", [](Program& p) { first_of(p, 0, OpKind::kSend).buffers = {-1}; },
       "-1 is no buffer"},
      {"a negative payload", [](Program& p) { first_of(p, 0, OpKind::kSend).bytes = Bytes(-4); },
       ".bytes: -4"},
      {"waiting for itself",
       [](Program& p) {
         first_of(p, 0, OpKind::kCompute).predecessors = {{Predecessor::Kind::kOp, 0, 0}};
       },
       ".predecessors"},
      {"waiting for a later op",
       [](Program& p) {
         first_of(p, 0, OpKind::kSend).predecessors = {{Predecessor::Kind::kOp, 99, 0}};
       },
       ".predecessors"},
      {"waiting for a negative op",
       [](Program& p) {
         first_of(p, 0, OpKind::kSend).predecessors = {{Predecessor::Kind::kOp, -1, 0}};
       },
       ".predecessors"},
      {"waiting for its own slot",
       [](Program& p) {
         first_of(p, 0, OpKind::kSend).predecessors = {{Predecessor::Kind::kAllOps, 0, 0}};
       },
       ".predecessors"},
      {"waiting for the slot to come",
       [](Program& p) {
         first_of(p, 0, OpKind::kSend).predecessors = {{Predecessor::Kind::kLastCompute, 0, -1}};
       },
       ".predecessors"},
      {"a send beyond the last stage", [](Program& p) { first_of(p, 0, OpKind::kSend).peer_offset = 2; },
       "leads to stage 2 (allowed: 0 to 1"},
      {"a send before the first stage", [](Program& p) { first_of(p, 0, OpKind::kSend).peer_offset = -1; },
       "leads to stage -1"},
      {"a send to itself", [](Program& p) { first_of(p, 0, OpKind::kSend).peer_offset = 0; }, ".peer_offset"},
      {"a send along data", [](Program& p) { first_of(p, 0, OpKind::kSend).axes = {Axis::kData}; },
       ".peer_offset"},
      {"a collective of all stages",
       [](Program& p) { first_of(p, 0, OpKind::kCollective).axes = {Axis::kPipeline}; },
       "the first and the last stage"},
  });
}

// Stage 0's first copy goes to the host.
TEST(CheckProgram, NoticesMalformedCopies) {
  Program good = offloaded_program();
  ASSERT_TRUE(first_of(good, 0, OpKind::kCopy).to_host);
  expect_refused(
      {
          {"a copy in a communication lane", [](Program& p) { first_of(p, 0, OpKind::kCopy).lane = 1; },
           "an op belongs to a lane of its kind"},
          {"a send in a copy lane", [](Program& p) { first_of(p, 0, OpKind::kSend).lane = 11; },
           "an op belongs to a lane of its kind"},
          {"the other direction", [](Program& p) { first_of(p, 0, OpKind::kCopy).to_host = false; },
           "a copy from the host needs destinations"},
          {"a source too few", [](Program& p) { first_of(p, 0, OpKind::kCopy).buffers.pop_back(); },
           "a copy to the host needs destinations"},
          {"nothing to copy", [](Program& p) { first_of(p, 0, OpKind::kCopy).buffers.clear(); },
           "a copy to the host needs destinations"},
          {"fewer bytes than the buffers have",
           [](Program& p) { first_of(p, 0, OpKind::kCopy).bytes += Bytes(-4); },
           "a copy to the host needs destinations"},
          {"a source of another size",
           [](Program& p) {
             const std::int32_t source = first_of(p, 0, OpKind::kCopy).buffers.back();
             p.stages[0].buffers[static_cast<std::size_t>(source)].bytes += Bytes(1);
           },
           "a copy to the host needs destinations"},
          {"other ranks", [](Program& p) { first_of(p, 0, OpKind::kCopy).axes = {Axis::kData}; },
           "a copy joins no other ranks"},
          {"two lanes to the host", [](Program& p) { first_of(p, 0, OpKind::kCopy).lane = 12; },
           "copies of one direction share a lane"},
          {"a kernel that reads host memory",
           [](Program& p) {
             first_kernel(p).operands[0].tensor = first_of(p, 0, OpKind::kCopy).buffers.front();
           },
           "is on the host, which copies alone reach"},
          {"a send out of host memory",
           [](Program& p) {
             first_of(p, 0, OpKind::kSend).buffers = {first_of(p, 0, OpKind::kCopy).buffers.front()};
           },
           "a buffer on the host is reached by copies alone"},
          {"a send to the host", [](Program& p) { first_of(p, 0, OpKind::kSend).to_host = true; },
           "copies only"},
          {"less than no copies left",
           [](Program& p) {
             first_of(p, 0, OpKind::kSend).predecessors = {{Predecessor::Kind::kToHost, -1, 1}};
           },
           ".predecessors"},
      },
      &offloaded_program);
}

TEST(CheckProgram, NoticesMalformedBuffers) {
  expect_refused({
      {"negative size", [](Program& p) { p.stages[1].buffers[0].bytes = Bytes(-1); },
       "stages[1].buffers[0].bytes: -1"},
      {"a partner beyond", [](Program& p) { p.stages[0].buffers[0].partner = 1 << 20; },
       "partner: 1048576 is no buffer"},
      {"a partner below", [](Program& p) { p.stages[0].buffers[0].partner = -2; },
       "partner: -2 is no buffer"},
      {"a first template beyond", [](Program& p) { passing_buffer(p).first.template_index = 9; },
       "first or last step does not exist"},
      {"a first template below", [](Program& p) { passing_buffer(p).first.template_index = -1; },
       "first or last step does not exist"},
      {"a last op beyond", [](Program& p) { passing_buffer(p).last.op = 1 << 20; },
       "first or last step does not exist"},
      {"a last kernel beyond", [](Program& p) { passing_buffer(p).last.kernel = 1 << 20; },
       "first or last step does not exist"},
      {"a last kernel below", [](Program& p) { passing_buffer(p).last.kernel = -1; },
       "first or last step does not exist"},
      {"an end before the beginning",
       [](Program& p) { std::swap(passing_buffer(p).first, passing_buffer(p).last); },
       "its last step comes before its first"},
      {"a life that ends too early", [](Program& p) { passing_buffer(p).last = passing_buffer(p).first; },
       "is used outside its lifetime"},
  });
}

std::vector<Slot>& order_of(Program& p, std::size_t stage) { return p.stages[stage].order; }

TEST(CheckProgram, NoticesIllegalOrders) {
  // Stage 0: [0] zeroing, [1] F0, [2] F1, [3] B0, [4] F2, ... ; stage 1: [0] zeroing, [1] F0, [2] B0, [3] F1,
  // ...
  expect_refused({
      {"a template beyond", [](Program& p) { order_of(p, 0)[1].template_index = 9; },
       "stages[0].order[1]: template 9 (allowed: 0 to 4)"},
      {"a template below", [](Program& p) { order_of(p, 0)[1].template_index = -1; },
       "stages[0].order[1]: template -1"},
      {"a microbatch beyond", [](Program& p) { order_of(p, 1)[2].microbatch = 4; },
       "stages[1].order[2]: microbatch 4 (allowed: 0 to 3)"},
      {"a microbatch below", [](Program& p) { order_of(p, 1)[2].microbatch = -1; },
       "stages[1].order[2]: microbatch -1"},
      {"twice", [](Program& p) { order_of(p, 0)[4] = order_of(p, 0)[1]; },
       "stages[0].order[4]: \"forward 0\" of microbatch 0 appears twice"},
      {"backward before forward", [](Program& p) { std::swap(order_of(p, 1)[1], order_of(p, 1)[2]); },
       "stages[1].order: microbatch 0 needs \"forward 0\" once before \"backward 0\" once"},
      {"a backward missing", [](Program& p) { order_of(p, 0).erase(order_of(p, 0).begin() + 3); },
       "stages[0].order: microbatch 0 needs"},
      {"a microbatch missing in one stage",
       [](Program& p) { std::erase_if(order_of(p, 1), [](const Slot& s) { return s.microbatch == 3; }); },
       "stages[1].order: microbatch 3 needs"},
      {"a microbatch missing in all stages",
       [](Program& p) {
         for (Stage& stage : p.stages) {
           std::erase_if(stage.order, [](const Slot& s) { return s.microbatch == 3; });
         }
       },
       "stages[0].order: microbatch 3 needs"},
      {"no order", [](Program& p) { order_of(p, 0).clear(); }, "stages[0].order: microbatch 0 needs"},
  });
}

TEST(CheckProgram, NoticesDeadlocks) {
  expect_refused({
      // Stage 1 waits for microbatch 1 while microbatch 0 stands first in the lane of stage 0.
      {"receives in another order",
       [](Program& p) {
         std::swap(order_of(p, 1)[1], order_of(p, 1)[3]);
         std::swap(order_of(p, 1)[2], order_of(p, 1)[4]);
       },
       "stages[0].order[3]: deadlock: \"backward 0\" of microbatch 0 waits for ever at op 0 (receive)"},
      // Stage 0 wants B0 before it sends F1; stage 1 wants F1 before it makes B0.
      {"each waits for the other",
       [](Program& p) {
         std::swap(order_of(p, 0)[2], order_of(p, 0)[3]);
         std::swap(order_of(p, 1)[2], order_of(p, 1)[3]);
       },
       "stages[0].order[2]: deadlock: \"backward 0\" of microbatch 0 waits for ever"},
      {"a send to another channel", [](Program& p) { first_of(p, 0, OpKind::kSend).channel = 7; },
       "stages[0].order[3]: deadlock"},
      {"a receive of another size", [](Program& p) { first_of(p, 1, OpKind::kReceive).bytes += Bytes(4); },
       "stages[1].order[1]: receives"},
      {"a collective that the last stage leaves out",
       [](Program& p) { order_of(p, 1).erase(order_of(p, 1).end() - 2); },
       "stages[1].order: \"gradient_sync\" is needed once, after \"backward 0\" and before \"optimizer\""},
  });
}

TEST(CheckProgram, FollowsALegalShuffle) {
  // Another order that both stages can run: GPipe's, and one that takes microbatches from the last to the
  // first.
  Program program = sample_program();
  const Scenario scenario = tiny_scenario(4);
  Strategy gpipe = sample_strategy(scenario, {.pipeline = 2, .data = 2, .microbatch = 2});
  gpipe.schedule = ScheduleKind::kGPipe;
  const Program other = lower(scenario, gpipe);
  for (std::size_t s = 0; s < 2; ++s) {
    program.stages[s].order = other.stages[s].order;
  }
  EXPECT_EQ(program, other);
  EXPECT_TRUE(check_program(program));
  for (Stage& stage : program.stages) {
    for (Slot& slot : stage.order) {
      const bool pass = stage.templates[static_cast<std::size_t>(slot.template_index)].name.ends_with(" 0");
      slot.microbatch = pass ? 3 - slot.microbatch : 0;
    }
  }
  const auto checked = check_program(program);
  EXPECT_TRUE(checked) << checked.error().message;
}

}  // namespace
}  // namespace portolan
