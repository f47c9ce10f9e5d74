#include "plan/link_use.h"

#include <algorithm>
#include <cstddef>

#include "plan/crowded_links.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

/// Two communications that begin at any time use a link together for as long as the product of their shares
/// of the step says. Below this part of the step that counts for nothing.
constexpr double kNegligible = 0.0025;

/// Whether the template is run for microbatches: what it communicates can run beside kernels.
bool runs_for_microbatches(const Template& t) {
  return std::any_of(t.ops.begin(), t.ops.end(), [](const Op& op) {
    return op.phase != Phase::kGradientSync && op.phase != Phase::kOptimizer &&
           op.phase != Phase::kParameterGather;
  });
}

class UseCount {
 public:
  UseCount(const Program& program, const Cluster& cluster, OpFlowsTable& flows)
      : program_(program),
        cluster_(cluster),
        flows_(flows),
        slots_(program.stages.size()),
        stages_(program.stages.size()) {}

  const std::vector<StageTraffic>& run() {
    bool has_within_kernels = false;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      count_slots(s);
      find_within_kernels(s);
      has_within_kernels = has_within_kernels || !stages_[s].within_kernels.empty();
    }
    for (std::size_t s = 0; s < stages_.size() && has_within_kernels; ++s) {
      find_others(s);
    }
    return stages_;
  }

 private:
  void count_slots(std::size_t s) {
    const Stage& stage = program_.stages[s];
    slots_[s].assign(stage.templates.size(), 0);
    for (const Slot& slot : stage.order) {
      ++slots_[s][static_cast<std::size_t>(slot.template_index)];
    }
  }

  double runs(std::size_t s, std::size_t t, const Op& op) const {
    return op.occurrence == Occurrence::kEvery ? slots_[s][t] : std::min(slots_[s][t], 1);
  }

  WithinKernels& alike_of(std::size_t s, const Op& op) {
    std::vector<WithinKernels>& known = stages_[s].within_kernels;
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const WithinKernels& alike) { return flow_alike(*alike.op, op); });
    if (found != known.end()) {
      return *found;
    }
    const auto stage = static_cast<std::int32_t>(s);
    WithinKernels alike;
    alike.op = &op;
    if (flows_.groups().stay_in_nodes(op, stage)) {
      alike.of_one.add(cluster_, flows_.groups().of_group(op, flows_.groups().first_rank(stage)));
    } else {
      alike.flows = &flows_.of(op, stage);
    }
    return known.emplace_back(std::move(alike));
  }

  void find_within_kernels(std::size_t s) {
    const Stage& stage = program_.stages[s];
    for (std::size_t t = 0; t < stage.templates.size(); ++t) {
      if (!runs_for_microbatches(stage.templates[t])) {
        continue;
      }
      for (const Op& op : stage.templates[t].ops) {
        if (is_within_kernels(op) && op.bytes.value > 0) {
          WithinKernels& alike = alike_of(s, op);
          alike.repetitions += runs(s, t, op) * (op.bytes / alike.op->bytes);
        }
      }
    }
  }

  RepeatedFlows repeated(const Op& op, std::size_t s, const OpFlows& flows, double times) const {
    const auto stage = static_cast<std::int32_t>(s);
    RepeatedFlows result{.flows = &flows, .times = times, .to = {}, .from = {}};
    if (flows_.groups().placement().stride(Axis::kPipeline) % cluster_.hardware().gpus_per_node != 0) {
      return result;
    }
    if (op.kind == OpKind::kSend) {
      result.to = {stage + op.peer_offset};
      result.from = {stage};
    } else if (op.kind == OpKind::kCollective && op.group == GroupKind::kFirstAndLastStage) {
      result.to = result.from = {0, static_cast<std::int32_t>(stages_.size()) - 1};
    } else {
      result.to = result.from = {stage};
    }
    return result;
  }

  void find_others(std::size_t s) {
    const Stage& stage = program_.stages[s];
    const auto add = [&](std::vector<RepeatedFlows>& list, const Op& op, const OpFlows& flows, double times) {
      const auto found = std::find_if(list.begin(), list.end(),
                                      [&](const RepeatedFlows& known) { return known.flows == &flows; });
      if (found != list.end()) {
        found->times += times;
      } else {
        list.push_back(repeated(op, s, flows, times));
      }
    };
    for (std::size_t t = 0; t < stage.templates.size(); ++t) {
      const bool pass = runs_for_microbatches(stage.templates[t]);
      for (const Op& op : stage.templates[t].ops) {
        // A receive is its send, and both end stages share what they do.
        if (op.kind == OpKind::kCompute || op.kind == OpKind::kReceive || is_within_kernels(op) ||
            (op.group == GroupKind::kFirstAndLastStage && s > 0)) {
          continue;
        }
        add(pass ? stages_[s].beside : stages_[s].apart, op, flows_.of(op, static_cast<std::int32_t>(s)),
            runs(s, t, op));
      }
    }
    // Collectives within nodes meet none of other stages.
    for (const WithinKernels& alike : stages_[s].within_kernels) {
      if (alike.flows != nullptr) {
        add(stages_[s].apart, *alike.op, *alike.flows, alike.repetitions);
      }
    }
  }

  const Program& program_;
  const Cluster& cluster_;
  OpFlowsTable& flows_;
  std::vector<std::vector<std::int32_t>> slots_;  ///< by stage and template
  std::vector<StageTraffic> stages_;
};

}  // namespace

bool is_within_kernels(const Op& op) {
  return op.kind == OpKind::kCollective && op.group == GroupKind::kAxes && op.axes.within(kAxesWithinKernels);
}

LinkUse::LinkUse(const Program& program, const Cluster& cluster, OpFlowsTable& flows,
                 const std::vector<Seconds>& busy)
    : alone_(program.stages.size()) {
  UseCount count(program, cluster, flows);
  const std::vector<StageTraffic>& stages = count.run();
  std::vector<double> negligible;
  for (const Seconds& of_stage : busy) {
    negligible.push_back(of_stage.value * of_stage.value * kNegligible);
  }
  const std::vector<std::vector<bool>> meet = meet_others(stages, cluster, negligible);
  for (std::size_t s = 0; s < stages.size(); ++s) {
    for (std::size_t i = 0; i < meet[s].size(); ++i) {
      alone_[s].emplace_back(stages[s].within_kernels[i].op, !meet[s][i]);
    }
  }
}

bool LinkUse::is_alone(const Op& op, std::int32_t stage) const {
  const auto& of_stage = alone_[static_cast<std::size_t>(stage)];
  const auto found = std::find_if(of_stage.begin(), of_stage.end(),
                                  [&](const auto& known) { return flow_alike(*known.first, op); });
  return found == of_stage.end() || found->second;
}

}  // namespace portolan
