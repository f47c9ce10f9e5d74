#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exec/arena_plan.h"
#include "exec/communicator.h"
#include "plan/program.h"

namespace portolan {

/// A run of entries in one of a script's lists.
struct ListRange {
  std::int32_t begin = 0;
  std::int32_t end = 0;
};

/// A buffer's place in the arena.
struct ArenaSpan {
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
};

/// Which half of a window a kernel loads.
enum class TextRole : std::uint8_t { kNone, kTokens, kTargets };

/// One kernel of a compute op, or the one step of a communication.
struct ScriptStep {
  const Kernel* kernel = nullptr;   ///< none in communication
  ListRange operands;               ///< into RankScript::operands
  ListRange begins;                 ///< into RankScript::spans: buffers whose life begins before the step
  ListRange ends;                   ///< and ends after it
  bool weight_decay = false;        ///< of the updated parameter
  TextRole text = TextRole::kNone;  ///< of kLoadTokens
};

/// One op of one slot. Its place in RankScript::ops is its event.
struct ScriptOp {
  const Op* op = nullptr;
  std::int32_t slot = 0;
  std::int32_t template_index = 0;
  std::int32_t op_index = 0;
  std::int32_t microbatch = 0;
  std::int64_t op_id = 0;
  bool updates_model = false;  ///< belongs to a training step, not to an evaluation
  ListRange waits;             ///< into RankScript::waits
  ListRange steps;             ///< into RankScript::steps
  ListRange releases;          ///< into RankScript::spans: given back by communication before the op begins
  TransferIndex transfer = 0;  ///< communication only
};

/// What one rank does in a step, op by op in the order of its stage's list, with every reference resolved:
/// the step itself only walks it.
struct RankScript {
  std::int32_t rank = 0;
  std::int32_t stage = 0;
  std::int32_t replica = 0;
  const Stage* source = nullptr;
  ArenaPlan arena;
  std::vector<ScriptOp> ops;
  std::vector<ScriptStep> steps;
  std::vector<ArenaSpan> operands;  ///< of kernels, and the buffers of communications
  std::vector<ArenaSpan> spans;
  std::vector<EventIndex> waits;
  ListRange final_releases;  ///< what the last communication of the step gives back
  std::int64_t persistent_bytes = 0;
  std::int32_t loss = Buffer::kNone;  ///< buffer that holds the sum of token losses, where the stage has one
};

/// Refers to `program`, which must outlive it. Precondition: check_program(program) passed. Transfers are
/// left at 0.
RankScript make_rank_script(const Program& program, std::int32_t rank);

/// "embedding tokens" holds tokens, "head targets" targets; a name that ends in neither is none of the two.
TextRole text_role(std::string_view buffer_name);

/// "rank 1, forward 0 of microbatch 2, op 3 (receive)": how errors and log lines name an op.
std::string describe(const RankScript& script, const ScriptOp& op);

}  // namespace portolan
