#include <fmt/format.h>

#include <algorithm>

#include "base/parse_quantity.h"
#include "exec/host/host_kernels.h"
#include "exec/rank_ensemble.h"
#include "exec/resident_memory.h"
#include "plan/rank_place.h"
#include "plan/strategy.h"

namespace portolan {

namespace {

/// Threads of one process; more ranks than any machine has cores are a mistake in the plan.
constexpr std::int32_t kMostRanks = 1024;

Result<void> check_op(const Op& op, const Stage& stage) {
  if (op.occurrence != Occurrence::kEvery) {
    return infeasible(
        "communication beside the first or the last microbatch is not available on the host device yet");
  }
  if (op.kind == OpKind::kCopy) {
    return infeasible("copies to and from host memory are not available on the host device yet");
  }
  if (op.kind != OpKind::kCompute) {
    return check_host_communication(op, stage);
  }
  for (const Kernel& kernel : op.kernels) {
    PORTOLAN_CHECK_OK(check_host_kernel(kernel, stage));
    if (kernel.kind == KernelKind::kLoadTokens) {
      const std::string& name = stage.buffers[static_cast<std::size_t>(kernel.operands.front().tensor)].name;
      if (text_role(name) == TextRole::kNone) {
        return bad_input(fmt::format(
            "program: load_tokens into buffer \"{}\" (allowed: a name that ends in tokens or targets)",
            name));
      }
    }
  }
  return {};
}

Result<void> check_text(const Program& program, const RunOptions& options) {
  if (options.dataset == nullptr) {
    return bad_input("no text to train on");
  }
  if (options.dataset->sequence_length() != program.sequence_length) {
    return bad_input(fmt::format("text in windows of {} tokens (needed: the plan's sequence length, {})",
                                 options.dataset->sequence_length(), program.sequence_length));
  }
  return {};
}

Result<void> check_memory(const Program& program) {
  Bytes needed;
  for (std::int32_t rank = 0; rank < program.num_ranks(); ++rank) {
    needed += plan_arena(program.stages[static_cast<std::size_t>(stage_of(program, rank))],
                         program.num_microbatches)
                  .size;
  }
  const auto available = available_memory();
  if (available && needed > *available) {
    return infeasible(fmt::format("{} needed by {} rank{} on this machine, {} there", format_bytes(needed),
                                  program.num_ranks(), program.num_ranks() == 1 ? "" : "s",
                                  format_bytes(*available)));
  }
  return {};
}

/// Whether compute that follows a send waits for it: until then the buffer that is being sent must live.
Result<void> check_sends(const Stage& stage) {
  const auto ops_of = [&](const Slot& slot) -> const std::vector<Op>& {
    return stage.templates[static_cast<std::size_t>(slot.template_index)].ops;
  };
  for (std::size_t i = 1; i < stage.order.size(); ++i) {
    const std::vector<Op>& before = ops_of(stage.order[i - 1]);
    const std::vector<Op>& ops = ops_of(stage.order[i]);
    const auto is_send = [](const Op& op) { return op.kind == OpKind::kSend; };
    const auto compute =
        std::find_if(ops.begin(), ops.end(), [](const Op& op) { return op.kind == OpKind::kCompute; });
    if (compute == ops.end() || std::none_of(before.begin(), before.end(), is_send)) {
      continue;
    }
    const auto waits = [](const Predecessor& p) {
      return p.kind == Predecessor::Kind::kAllOps && p.slots_back == 1;
    };
    if (std::none_of(compute->predecessors.begin(), compute->predecessors.end(), waits)) {
      return infeasible("sends that compute does not wait for are not available on the host device yet");
    }
  }
  return {};
}

}  // namespace

Result<void> check_runnable(const Plan& plan, const RunOptions& options) {
  const Program& program = plan.program;
  PORTOLAN_CHECK_OK(check_program(program));
  if (options.num_steps < 1) {
    return bad_input(fmt::format("{} steps (allowed: 1 or more)", options.num_steps));
  }
  if (program.num_ranks() > kMostRanks) {
    return infeasible(fmt::format("{} ranks as threads of one process (allowed: up to {})",
                                  program.num_ranks(), kMostRanks));
  }
  if (const std::optional<Axis> axis = find_axis_within_kernels(program)) {
    return infeasible(
        fmt::format("collectives along axis {} are not available on the host device yet", axis_name(*axis)));
  }
  for (const Stage& stage : program.stages) {
    PORTOLAN_CHECK_OK(check_sends(stage));
    for (const Template& t : stage.templates) {
      for (const Op& op : t.ops) {
        PORTOLAN_CHECK_OK(check_op(op, stage));
      }
    }
  }
  PORTOLAN_CHECK_OK(check_text(program, options));
  return check_memory(program);
}

}  // namespace portolan
