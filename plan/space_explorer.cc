#include "plan/space_explorer.h"

#include <algorithm>

#include "plan/verdict.h"

namespace portolan {

namespace {

std::uint32_t to32(std::size_t n) { return static_cast<std::uint32_t>(n); }

bool is_open(const RecomputeChoice& choice) {
  const auto* sets = std::get_if<Recompute>(&choice);
  return sets != nullptr && sets->is_open();
}

}  // namespace

std::int64_t count_choices(const SearchSpace::Pipeline& pipeline, bool open) {
  return std::count_if(pipeline.recomputes.begin(), pipeline.recomputes.end(),
                       [&](const RecomputeChoice& choice) { return is_open(choice) == open; });
}

void NodeOutcome::add(const NodeOutcome& other) {
  for (std::size_t i = 0; i < num_rejected.size(); ++i) {
    num_rejected[i] += other.num_rejected[i];
  }
  num_evaluated += other.num_evaluated;
  num_fitting += other.num_fitting;
  if (other.least_too_large < least_too_large) {
    least_too_large = other.least_too_large;
    closest = other.closest;
  }
}

void NodeOutcome::note_too_large(Bytes memory, const SpacePlace& place, std::int64_t count) {
  rejected(RejectReason::kMemory) += count;
  if (memory < least_too_large) {
    least_too_large = memory;
    closest = place;
  }
}

SpaceExplorer::SpaceExplorer(const Scenario& scenario, const Cluster& cluster, const SearchSpace& space,
                             const Shortlist& wanted, Bytes spare)
    : scenario_(scenario),
      space_(space),
      wanted_(wanted),
      spare_(spare),
      there_(scenario.hardware.device.memory.value - spare),
      closed_form_(scenario, cluster) {}

void SpaceExplorer::bound(std::size_t index, std::vector<SpaceNode>& nodes, std::vector<RankedPlace>& quick,
                          NodeOutcome& outcome) {
  const SearchSpace::Branch branch = space_.branch(index);
  for (std::size_t p = 0; p < branch.pipelines.size(); ++p) {
    const SearchSpace::Pipeline& pipeline = branch.pipelines[p];
    const Strategy plain = space_.strategy(branch, pipeline, Recompute{});
    if (const auto rejection = find_rejection(scenario_, plain)) {
      outcome.rejected(rejection->reason) += std::ssize(pipeline.recomputes) * branch.num_endings();
      continue;
    }
    double least = std::numeric_limits<double>::infinity();
    for (const Class& kind : classes_of(branch)) {
      Strategy strategy = plain;
      kind.put(strategy);
      least = std::min(least, value_bound(closed_form_.body(strategy)));
    }
    for (const bool open : {false, true}) {
      if (count_choices(pipeline, open) > 0) {
        nodes.push_back({least, to32(index), to32(p), open});
      }
    }
    if (const std::optional<RankedPlace> found = complete_quickly(branch, nodes.back())) {
      quick.push_back(*found);
    }
  }
}

std::vector<RankedPlace> SpaceExplorer::explore(const std::vector<SpaceNode>& nodes, double limit,
                                                NodeOutcome& outcome) {
  BestPlaces best(wanted_);
  limit_ = limit;
  for (const SpaceNode& node : nodes) {
    const SearchSpace::Branch branch = space_.branch(node.branch);
    const SearchSpace::Pipeline& pipeline = branch.pipelines[node.pipeline];
    for (std::size_t r = 0; r < pipeline.recomputes.size(); ++r) {
      if (is_open(pipeline.recomputes[r]) == node.open) {
        explore(branch, {.branch = node.branch, .pipeline = node.pipeline, .recompute = to32(r)}, best,
                outcome);
      }
    }
  }
  return best.take();
}

Strategy SpaceExplorer::strategy(const SpacePlace& place) {
  const SearchSpace::Branch branch = space_.branch(place.branch);
  const SearchSpace::Pipeline& pipeline = branch.pipelines[place.pipeline];
  Strategy s = space_.strategy(branch, pipeline, pipeline.recomputes[place.recompute]);
  const SearchSpace::Sharding& sharding = branch.shardings[place.sharding];
  SearchSpace::put(sharding, sharding.aggregations.front(), s);
  if (s.recompute.is_open()) {
    s.recompute.optimal->spare += spare_;
    s.recompute = closed_form_.optimal_recompute(s, kSearchTolerance);
  }
  SearchSpace::put(sharding, sharding.aggregations[place.aggregation], s);
  return s;
}

std::optional<Rejection> SpaceExplorer::memory_rejection(const Strategy& strategy) {
  return find_memory_rejection(scenario_, closed_form_.evaluate(strategy));
}

void SpaceExplorer::Class::put(Strategy& s) const {
  s.zero_stage = zero_stage;
  s.zero_group = 0;
  s.offload = offloads ? Offload::kActivations : Offload::kNone;
}

std::vector<SpaceExplorer::Class> SpaceExplorer::classes_of(const SearchSpace::Branch& branch) {
  std::vector<Class> list;
  for (const SearchSpace::Sharding& sharding : branch.shardings) {
    const Class kind{sharding.zero_stage, offloads_activations(sharding.offload)};
    if (std::find(list.begin(), list.end(), kind) == list.end()) {
      list.push_back(kind);
    }
  }
  return list;
}

std::vector<SpaceExplorer::Family> SpaceExplorer::families_of(const SearchSpace::Branch& branch) {
  std::vector<Family> list;
  for (std::size_t i = 0; i < branch.shardings.size(); ++i) {
    const SearchSpace::Sharding& sharding = branch.shardings[i];
    auto found = std::find_if(list.begin(), list.end(), [&](const Family& family) {
      return family.zero_stage == sharding.zero_stage && family.offload == sharding.offload &&
             family.compression == sharding.compression;
    });
    if (found == list.end()) {
      found = list.insert(list.end(), {sharding.zero_stage, sharding.offload, sharding.compression, {}, 0});
    }
    found->shardings.push_back(i);
    found->num_endings += std::ssize(sharding.aggregations);
  }
  return list;
}

SpaceExplorer::Bodies& SpaceExplorer::bodies_of(const Class& kind, const Strategy& closed,
                                                std::vector<Bodies>& bodies) {
  const auto found =
      std::find_if(bodies.begin(), bodies.end(), [&](const Bodies& one) { return one.kind == kind; });
  return found != bodies.end() ? *found
                               : bodies.emplace_back(Bodies{kind, closed_form_.body(closed), std::nullopt});
}

double SpaceExplorer::value_bound(const ClosedForm::Body& body) const {
  return value_bound(body.step_time(), body.busy());
}

double SpaceExplorer::value_bound(Seconds step_time, Seconds computes) const {
  const DeviceSpec& device = scenario_.hardware.device;
  const double gpus = static_cast<double>(scenario_.num_gpus);
  switch (scenario_.objective) {
    case Objective::kTime:
      return step_time.value;
    case Objective::kMemory:
      return 0;
    case Objective::kEnergy: {
      const Joules busy = (device.power_busy.value - device.power_idle.value) * computes;
      return ((device.power_idle.value * step_time + busy) * gpus).value;
    }
    case Objective::kCost:
      return scenario_.hardware.price_per_gpu_hour.value * gpus * step_time.value / 3600;
  }
  return 0;
}

SpaceExplorer::Value SpaceExplorer::evaluate(const Strategy& s) {
  const Hardware& hardware = scenario_.hardware;
  if (scenario_.objective == Objective::kTime || scenario_.objective == Objective::kMemory) {
    const ClosedForm::Outcome outcome = closed_form_.outcome(s);
    if (outcome.host_memory * hardware.gpus_per_node <= hardware.host_memory.value ||
        hardware.host_memory.value == Bytes(0)) {
      return {scenario_.objective == Objective::kTime ? outcome.step_time.value
                                                      : static_cast<double>(outcome.peak_memory.value),
              outcome.peak_memory, outcome.peak_memory <= there_};
    }
  }
  const Estimate estimate = closed_form_.evaluate(s);
  return {objective_value(scenario_.objective, estimate), estimate.peak_memory,
          estimate.peak_memory <= there_ && !find_memory_rejection(scenario_, estimate)};
}

std::optional<RankedPlace> SpaceExplorer::complete_quickly(const SearchSpace::Branch& branch,
                                                           const SpaceNode& node) {
  const SearchSpace::Pipeline& pipeline = branch.pipelines[node.pipeline];
  for (std::size_t r = 0; r < pipeline.recomputes.size(); ++r) {
    const auto* recompute = std::get_if<Recompute>(&pipeline.recomputes[r]);
    if (recompute == nullptr || recompute->is_open() || recompute->layers_per_group > 1) {
      continue;
    }
    Strategy s = space_.strategy(branch, pipeline, *recompute);
    for (std::size_t i = 0; i < branch.shardings.size(); ++i) {
      const SearchSpace::Sharding& sharding = branch.shardings[i];
      if (sharding.zero_group != 0 || sharding.offload != Offload::kNone || sharding.aggregations.empty()) {
        continue;
      }
      SearchSpace::put(sharding, sharding.aggregations.front(), s);
      if (find_rejection(scenario_, s)) {
        continue;
      }
      const Value value = evaluate(s);
      if (value.fits) {
        return RankedPlace{value.objective, {node.branch, node.pipeline, to32(r), to32(i), 0}};
      }
    }
  }
  return std::nullopt;
}

void SpaceExplorer::explore(const SearchSpace::Branch& branch, SpacePlace place, BestPlaces& best,
                            NodeOutcome& outcome) {
  const SearchSpace::Pipeline& pipeline = branch.pipelines[place.pipeline];
  const Strategy s = space_.strategy(branch, pipeline, pipeline.recomputes[place.recompute]);
  Strategy closed = s;
  if (s.recompute.is_open()) {
    closed.recompute = {};  // it recomputes nothing at best
  } else if (s.recompute.layers_per_group > 1) {
    closed.recompute.layers_per_group = 1;  // groups run again all that single layers do, and more
  }
  std::vector<Bodies> bodies;
  for (const Family& family : families_of(branch)) {
    const Class kind{family.zero_stage, offloads_activations(family.offload)};
    kind.put(closed);
    if (const auto rejection = find_rejection(scenario_, closed)) {
      outcome.rejected(rejection->reason) += family.num_endings;
      continue;
    }
    Bodies& of_kind = bodies_of(kind, closed, bodies);
    if (value_bound(of_kind.bounding) > std::min(limit_, best.limit())) {
      outcome.rejected(RejectReason::kBound) += family.num_endings;
      continue;
    }
    if (!of_kind.own) {
      Strategy own = s;
      kind.put(own);
      const bool grouped = own.recompute.layers_per_group > 1;
      Strategy smallest = own;  // states divided over all ranks
      smallest.offload = family.offload;
      if (grouped && closed_form_.least_memory_of_groups(smallest, of_kind.bounding) > there_) {
        place.sharding = to32(family.shardings.front());
        outcome.note_too_large(Bytes(std::numeric_limits<std::int64_t>::max() - 1), place,
                               family.num_endings);
        continue;
      }
      of_kind.own = grouped ? closed_form_.body(own) : of_kind.bounding;
    }
    const bool open = s.recompute.is_open();
    if (!open &&
        value_bound(of_kind.own->own_step_time(), of_kind.own->busy()) > std::min(limit_, best.limit())) {
      outcome.rejected(RejectReason::kBound) += family.num_endings;
      continue;
    }
    std::optional<RankedPlace> found;
    for (const std::size_t i : family.shardings) {
      place.sharding = to32(i);
      const double limit = std::min(limit_, best.limit());
      explore(branch.shardings[i], s, *of_kind.own, place, limit, found, outcome);
    }
    if (found) {
      best.add(*found);
    }
  }
}

void SpaceExplorer::explore(const SearchSpace::Sharding& sharding, Strategy s, const ClosedForm::Body& body,
                            SpacePlace place, double limit, std::optional<RankedPlace>& best,
                            NodeOutcome& outcome) {
  const bool open = s.recompute.is_open();
  bool chosen = false;
  for (std::size_t i = 0; i < sharding.aggregations.size(); ++i) {
    SearchSpace::put(sharding, sharding.aggregations[i], s);
    place.aggregation = to32(i);
    if (const auto rejection = find_rejection(scenario_, s)) {
      ++outcome.rejected(rejection->reason);
      continue;
    }
    if (open && !chosen) {  // once for all sums, on which memory does not depend
      if (value_bound(closed_form_.least_time(s, body), body.busy()) > limit ||
          value_bound(closed_form_.least_time_that_fits(s, body), body.busy()) > limit) {
        outcome.rejected(RejectReason::kBound) +=
            std::ssize(sharding.aggregations) - static_cast<std::int64_t>(i);
        return;
      }
      Strategy plain = s;
      plain.gradient_aggregation = sharding.aggregations.front();
      plain.recompute.optimal->spare += spare_;
      s.recompute = closed_form_.optimal_recompute(plain, kSearchTolerance);
      chosen = true;
    }
    const Bytes least = open ? Bytes(0) : closed_form_.least_memory(s, body);
    if (!open && least <= there_ && value_bound(closed_form_.least_time(s, body), body.busy()) > limit) {
      ++outcome.rejected(RejectReason::kBound);
      continue;
    }
    Value value;
    if (least <= there_) {
      value = evaluate(s);
      ++outcome.num_evaluated;
    } else {
      value.memory = least;
    }
    if (!value.fits) {
      outcome.note_too_large(value.memory, place, 1);
      continue;
    }
    ++outcome.num_fitting;
    const RankedPlace found{value.objective, place};
    if (!best || found < *best) {
      best = found;
    }
  }
}

}  // namespace portolan
