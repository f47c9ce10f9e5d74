#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "plan/lower.h"
#include "plan/program.h"

namespace portolan {

/// When compute that comes after a communication in the template waits for it.
enum class ComputeWaits : std::uint8_t {
  kAtOnce,  ///< the next op
  kAtUse,   ///< the first kernel that touches one of its buffers
  kNever,   ///< what waits for it says so itself
};

/// Appends ops to one template of a stage and keeps the lifetimes of the buffers that they touch: a buffer's
/// life begins with its first use in template order and ends with its last.
class TemplateAssembler {
 public:
  TemplateAssembler(Stage& stage, std::string name, std::int32_t chunk = 0);

  std::int32_t template_index() const { return template_index_; }
  /// The last compute op so far; none: -1.
  std::int32_t last_compute() const { return last_compute_; }

  struct ComputePlace {
    Phase phase = Phase::kForward;
    std::int32_t layer = Op::kNoLayer;
  };
  /// Kernels with equal `place` share an op until a communication op comes between. Operands index buffers.
  void add_kernel(const ComputePlace& place, Kernel kernel);
  /// Ends the current compute op: the next kernel begins one of its own.
  void end_op();
  /// Adds a communication op or a copy; with `for_compute` it waits for all that is computed before it and
  /// for what the next compute op would wait for, with `after_compute` for the former only.
  struct Wait {
    bool for_compute = true;
    bool after_compute = false;
    ComputeWaits compute_waits = ComputeWaits::kAtOnce;
  };
  /// Returns its index in the template.
  std::int32_t add_communication(Op op, const Wait& wait);
  /// Further predecessors of the next compute op that begins.
  void next_compute_waits_for(Predecessor predecessor) { pending_.push_back(predecessor); }

 private:
  Template& current() { return stage_.templates[static_cast<std::size_t>(template_index_)]; }
  void touch(std::int32_t buffer, const Step& step);
  /// Communication under way that shares a buffer with `kernel`, which must wait for it: no longer under way.
  std::vector<std::int32_t> take_awaited(const Kernel& kernel);

  Stage& stage_;
  std::int32_t template_index_;
  bool open_ = false;  ///< the last op is compute and takes further kernels
  std::int32_t last_compute_ = -1;
  std::vector<Predecessor> pending_;
  std::vector<std::int32_t> under_way_;  ///< communication ops with ComputeWaits::kAtUse
};

/// Adds a buffer whose lifetime is not known yet.
std::int32_t add_buffer(Stage& stage, Buffer buffer);
/// Whether an op so far uses the buffer, which is not persistent.
bool is_touched(const Stage& stage, std::int32_t buffer);

}  // namespace portolan
