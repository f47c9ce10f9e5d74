#pragma once

#include <cstdint>
#include <vector>

#include "exec/batch_source.h"
#include "exec/communicator.h"
#include "exec/device.h"
#include "exec/rank_script.h"
#include "plan/scenario.h"

namespace portolan {

/// What a step is for.
struct StepRequest {
  StepText text;
  bool update_model =
      true;  ///< false: an evaluation, which leaves out what changes or synchronises the model
  std::int64_t update_index = 1;  ///< counts updates from 1
};

/// Runs one rank's script on its device, op by op in list order. The only reader of a Program at run time;
/// knows of no schedule, since the order list is one, and of no kernel's arithmetic.
class Interpreter {
 public:
  struct Parts {
    const RankScript& script;
    Device& device;
    Communicator& communicator;
    const TokenDataset& dataset;
    const Program& program;
    const TrainingOptions& training;
    bool poison = false;  ///< fill buffers with NaNs before they live and after
  };
  /// All parts must outlive it.
  explicit Interpreter(const Parts& parts);

  /// Maps the arena and sets initial values. On the rank's own thread, so that memory is near its core.
  Result<void> prepare();
  /// One step. Allocates nothing unless it fails. Errors name rank and op.
  Result<void> run_step(const StepRequest& request);
  /// Sum of token losses that the step left on this rank; 0 where the stage has no loss.
  Result<double> loss_sum();

  /// Highest sum of the bytes of live buffers in the last training step.
  Bytes live_peak() const { return Bytes(live_peak_); }
  /// Bytes that live between steps: those of persistent buffers, when every life begun has ended.
  Bytes live_now() const { return Bytes(live_); }

 private:
  Result<void> run_op(const ScriptOp& op, EventIndex event, const StepRequest& request);
  Result<void> run_compute(const ScriptOp& op, EventIndex event, const StepRequest& request);
  Result<void> run_communication(const ScriptOp& op, EventIndex event);
  Result<void> begin_lives(const ScriptStep& step, LaneId lane);
  Result<void> end_lives(ListRange spans, LaneId lane);
  Result<void> set_initial_values();

  Parts parts_;
  BatchSource text_;
  std::byte* arena_ = nullptr;
  std::vector<std::byte*> operands_;  ///< addresses of RankScript::operands
  std::vector<MemorySpan> memory_;    ///< the same with sizes
  std::int64_t live_ = 0;
  std::int64_t live_peak_ = 0;
};

}  // namespace portolan
