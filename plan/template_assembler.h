#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plan/lower.h"
#include "plan/program.h"

namespace portolan {

/// Appends ops to one template of a stage and keeps the lifetimes of the buffers that they touch: a buffer's
/// life begins with its first use in template order and ends with its last.
class TemplateAssembler {
 public:
  TemplateAssembler(Stage& stage, std::string name);

  std::int32_t template_index() const { return template_index_; }

  struct ComputePlace {
    Phase phase = Phase::kForward;
    std::int32_t layer = Op::kNoLayer;
  };
  /// Kernels with equal `place` share an op until a communication op comes between. Operands index buffers.
  void add_kernel(const ComputePlace& place, Kernel kernel);
  /// Ends the current compute op: the next kernel begins one of its own.
  void end_op();
  /// Adds a communication op; it waits for the ops before it that the template runs in compute, and
  /// compute after it waits for it when `compute_waits`.
  struct Wait {
    bool for_compute = true;
    bool compute_waits = true;
  };
  void add_communication(Op op, const Wait& wait);
  /// Further predecessors of the next compute op that begins.
  void next_compute_waits_for(Predecessor predecessor) { pending_.push_back(predecessor); }

 private:
  Template& current() { return stage_.templates[static_cast<std::size_t>(template_index_)]; }
  void touch(std::int32_t buffer, const Step& step);

  Stage& stage_;
  std::int32_t template_index_;
  bool open_ = false;  ///< the last op is compute and takes further kernels
  std::int32_t last_compute_ = -1;
  std::vector<Predecessor> pending_;
};

/// Adds a buffer whose lifetime is not known yet.
std::int32_t add_buffer(Stage& stage, Buffer buffer);

}  // namespace portolan
