#include <gtest/gtest.h>

#include <set>

#include "plan/lower.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

Program sample_program() {
  const Scenario scenario = tiny_scenario(4);
  return lower(scenario, sample_strategy(scenario, {.pipeline = 2, .data = 2}));
}

Op& first_send(Program& program) {
  for (Template& t : program.stages[0].templates) {
    for (Op& op : t.ops) {
      if (op.kind == OpKind::kSend) {
        return op;
      }
    }
  }
  ADD_FAILURE() << "no send";
  return program.stages[0].templates[0].ops[0];
}

TEST(ProgramHash, ChangesWithEveryField) {
  using Change = void (*)(Program&);
  const std::vector<Change> changes = {
      [](Program&) {},
      [](Program& p) { p.degrees[0] = 2; },
      [](Program& p) { std::swap(p.axis_order[3], p.axis_order[4]); },
      [](Program& p) { ++p.num_microbatches; },
      [](Program& p) { ++p.microbatch_size; },
      [](Program& p) { ++p.sequence_length; },
      [](Program& p) { p.lanes[1].name += "x"; },
      [](Program& p) { p.lanes[1].kind = Lane::Kind::kCopy; },
      [](Program& p) { p.lanes.pop_back(); },
      [](Program& p) { std::swap(p.stages[0].order[1], p.stages[0].order[2]); },
      [](Program& p) { p.stages[0].order.pop_back(); },
      [](Program& p) { p.stages[0].order[1].microbatch = 1; },
      [](Program& p) { p.stages[0].buffers[0].name += "x"; },
      [](Program& p) { p.stages[0].buffers[0].bytes += Bytes(1); },
      [](Program& p) { p.stages[0].buffers[0].kind = BufferKind::kWorkspace; },
      [](Program& p) { p.stages[0].buffers[0].persistent = true; },
      [](Program& p) { p.stages[0].buffers[0].on_host = true; },
      [](Program& p) { ++p.stages[0].buffers[0].first.op; },
      [](Program& p) { ++p.stages[0].buffers[0].last.kernel; },
      [](Program& p) { p.stages[0].buffers[0].init = ParameterInit::kOnes; },
      [](Program& p) { p.stages[0].buffers[0].init_std = 0.5; },
      [](Program& p) { p.stages[0].buffers[0].weight_decay = true; },
      [](Program& p) { p.stages[0].buffers[0].partner = 0; },
      [](Program& p) { p.stages[0].templates[1].name += "x"; },
      [](Program& p) { p.stages[0].templates[1].chunk = 1; },
      [](Program& p) { p.stages[0].templates[1].ops[0].phase = Phase::kRecompute; },
      [](Program& p) { p.stages[0].templates[1].ops[0].layer = 7; },
      [](Program& p) { p.stages[0].templates[1].ops[0].kernels[0].kind = KernelKind::kAdamW; },
      [](Program& p) { ++p.stages[0].templates[1].ops[0].kernels[0].shape.gemm_k; },
      [](Program& p) { p.stages[0].templates[1].ops[0].kernels[0].shape.window = 1; },
      [](Program& p) { p.stages[0].templates[1].ops[0].kernels[0].flops += Flops(1); },
      [](Program& p) { p.stages[0].templates[1].ops[0].kernels[0].bytes += Bytes(1); },
      [](Program& p) { p.stages[0].templates[1].ops[0].kernels[0].scalar = 0.25; },
      [](Program& p) { p.stages[0].templates[1].ops[0].kernels[0].shape.gemm_k = 99; },
      [](Program& p) { p.stages[0].templates[1].ops[0].kernels[0].operands[0].tensor += 1; },
      [](Program& p) { p.stages[0].templates[1].ops[0].kernels[0].operands[0].access = Access::kUpdate; },
      [](Program& p) { first_send(p).lane = 0; },
      [](Program& p) { first_send(p).kind = OpKind::kReceive; },
      [](Program& p) { first_send(p).bytes += Bytes(1); },
      [](Program& p) { first_send(p).channel = 5; },
      [](Program& p) { first_send(p).to_host = true; },
      [](Program& p) { first_send(p).kind = OpKind::kCopy; },
      [](Program& p) { first_send(p).predecessors[0].kind = Predecessor::Kind::kToHost; },
      [](Program& p) { first_send(p).predecessors[0].kind = Predecessor::Kind::kOwnToHost; },
      [](Program& p) { first_send(p).peer_offset = 2; },
      [](Program& p) { first_send(p).axes = {Axis::kData}; },
      [](Program& p) { first_send(p).group = GroupKind::kFirstAndLastStage; },
      [](Program& p) { first_send(p).collective = CollectiveKind::kAllGather; },
      [](Program& p) { first_send(p).buffers.push_back(0); },
      [](Program& p) { first_send(p).predecessors.push_back({}); },
      [](Program& p) { first_send(p).predecessors[0].kind = Predecessor::Kind::kAllOps; },
      [](Program& p) { ++first_send(p).predecessors[0].slots_back; },
  };
  std::set<std::string> hashes;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Program program = sample_program();
    changes[i](program);
    EXPECT_EQ(program == sample_program(), i == 0) << "change " << i << " changes nothing";
    EXPECT_TRUE(hashes.insert(program_hash(program)).second) << "change " << i;
    EXPECT_EQ(program_hash(program), program_hash(Program(program)));
  }
}

}  // namespace
}  // namespace portolan
