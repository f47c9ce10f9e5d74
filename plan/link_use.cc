#include "plan/link_use.h"

#include <algorithm>

#include "plan/collectives/link_loads.h"
#include "plan/links_asked.h"
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

/// Collectives within kernels with the same flows, but for their sizes.
struct Alike {
  const Op* op = nullptr;
  LinkLoads loads;         ///< of one group; of all groups where they cross the network
  double repetitions = 0;  ///< in a step, of what `op` moves
  bool crosses_network = false;
};

struct StageUse {
  std::vector<std::int32_t> slots;  ///< by template
  std::vector<Alike> within_kernels;
  LinkLoads by_kernels;  ///< seconds
  LinkLoads apart;       ///< seconds of what else never runs beside kernels of the same stage

  double runs(std::size_t t, const Op& op) const {
    return op.occurrence == Occurrence::kEvery ? slots[t] : std::min(slots[t], 1);
  }
};

class UseCount {
 public:
  UseCount(const Program& program, const Cluster& cluster, OpFlowsTable& flows)
      : program_(program),
        cluster_(cluster),
        flows_(flows),
        wanted_(cluster),
        stages_(program.stages.size()) {}

  std::vector<StageUse>& run() {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      count_slots(s);
      find_within_kernels(s);
    }
    if (std::any_of(stages_.begin(), stages_.end(),
                    [](const StageUse& use) { return !use.within_kernels.empty(); })) {
      for (std::size_t s = 0; s < stages_.size(); ++s) {
        count_others(s);
      }
    }
    return stages_;
  }

  /// Seconds of communications that can run beside kernels of `stage`.
  double beside(const StageUse& stage, LinkIndex link) const {
    return others_.at(link) - stage.apart.at(link);
  }

 private:
  double seconds(LinkIndex link, double bytes) const { return bytes / cluster_.bandwidth(link).value; }

  void count_slots(std::size_t s) {
    const Stage& stage = program_.stages[s];
    stages_[s].slots.assign(stage.templates.size(), 0);
    for (const Slot& slot : stage.order) {
      ++stages_[s].slots[static_cast<std::size_t>(slot.template_index)];
    }
  }

  Alike& alike_of(std::size_t s, const Op& op) {
    std::vector<Alike>& known = stages_[s].within_kernels;
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const Alike& alike) { return flow_alike(*alike.op, op); });
    if (found != known.end()) {
      return *found;
    }
    const auto stage = static_cast<std::int32_t>(s);
    Alike alike;
    alike.op = &op;
    alike.crosses_network = !flows_.groups().stay_in_nodes(op, stage);
    if (alike.crosses_network) {
      for (const OpFlows::Kind& kind : flows_.of(op, stage).kinds) {
        kind.for_each_load(cluster_, [&](LinkIndex link, double bytes) { alike.loads.add(link, bytes); });
      }
    } else {
      // Groups within nodes are alike, and so is what they meet.
      Coordinates first{};
      first[static_cast<std::size_t>(Axis::kPipeline)] = stage;
      const Placement& placement = flows_.groups().placement();
      alike.loads.add(cluster_, flows_.groups().of_group(op, placement.rank_of(first)));
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
          Alike& alike = alike_of(s, op);
          alike.repetitions += stages_[s].runs(t, op) * (op.bytes / alike.op->bytes);
        }
      }
    }
    for (const Alike& alike : stages_[s].within_kernels) {
      alike.loads.for_each([&](LinkIndex link, double bytes) {
        wanted_.add(link);
        stages_[s].by_kernels.add(link, seconds(link, bytes) * alike.repetitions);
      });
    }
  }

  /// Of what crosses wanted links. Collectives within nodes meet none of other stages.
  void count_others(std::size_t s) {
    const Stage& stage = program_.stages[s];
    std::vector<std::pair<const OpFlows*, double>> runs, runs_apart;
    const auto add = [](std::vector<std::pair<const OpFlows*, double>>& list, const OpFlows& flows,
                        double times) {
      const auto found =
          std::find_if(list.begin(), list.end(), [&](const auto& known) { return known.first == &flows; });
      if (found != list.end()) {
        found->second += times;
      } else {
        list.emplace_back(&flows, times);
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
        add(pass ? runs : runs_apart, flows_.of(op, static_cast<std::int32_t>(s)), stages_[s].runs(t, op));
      }
    }
    for (const Alike& alike : stages_[s].within_kernels) {
      if (alike.crosses_network) {
        add(runs_apart, flows_.of(*alike.op, static_cast<std::int32_t>(s)), alike.repetitions);
      }
    }
    for (const bool apart : {false, true}) {
      for (const auto& [flows, times] : apart ? runs_apart : runs) {
        for (const OpFlows::Kind& kind : flows->kinds) {
          wanted_.for_each_load(kind, [&, times = times](std::size_t place, double bytes) {
            const LinkIndex link = wanted_.link(place);
            const double time_s = seconds(link, bytes) * times;
            others_.add(link, time_s);
            if (apart) {
              stages_[s].apart.add(link, time_s);
            }
          });
        }
      }
    }
  }

  const Program& program_;
  const Cluster& cluster_;
  OpFlowsTable& flows_;
  LinksAsked wanted_;  ///< crossed by collectives within kernels
  std::vector<StageUse> stages_;
  LinkLoads others_;  ///< seconds, of all stages
};

}  // namespace

bool is_within_kernels(const Op& op) {
  return op.kind == OpKind::kCollective && op.group == GroupKind::kAxes && op.axes.within(kAxesWithinKernels);
}

LinkUse::LinkUse(const Program& program, const Cluster& cluster, OpFlowsTable& flows,
                 const std::vector<Seconds>& busy)
    : alone_(program.stages.size()) {
  UseCount count(program, cluster, flows);
  const std::vector<StageUse>& stages = count.run();
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const double whole = busy[s].value * busy[s].value * kNegligible;
    for (const Alike& alike : stages[s].within_kernels) {
      bool alone = true;
      alike.loads.for_each([&](LinkIndex link, double) {
        alone = alone && stages[s].by_kernels.at(link) * count.beside(stages[s], link) <= whole;
      });
      alone_[s].emplace_back(alike.op, alone);
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
