#include "study/ablation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

namespace portolan {

namespace {

/// Enough to take no time beside anything else, and no infinity to divide by.
constexpr double kFast = 1e6;

void leave_out_launches(Scenario& s) {
  s.hardware.device.kernel_launch.value = Seconds(0);
  s.software.host_launch.value = Seconds(0);
}

void leave_out_host(Scenario& s) { s.software.host_launch.value = Seconds(0); }

void leave_out_tiles(Scenario& s) {
  s.hardware.device.gemm_tiles.reset();
  s.hardware.device.gemm_points.clear();
}

void leave_out_passes_over_memory(Scenario& s) {
  DeviceSpec& device = s.hardware.device;
  device.memory_bandwidth.value = device.memory_bandwidth.value * kFast;
  device.kernel_rates.clear();
}

void leave_out_unfused_passes(Scenario& s) {
  SoftwareProfile& software = s.software;
  for (Sourced<bool>* fused :
       {&software.fused_softmax, &software.fused_norms, &software.fused_activation,
        &software.fused_dropout_add, &software.fused_rotary, &software.fused_residual_gradient,
        &software.fused_logits_conversion, &software.fused_gradient_accumulation}) {
    fused->value = true;
  }
  software.cross_entropy_passes.value = 2;
}

void leave_out_dropout(Scenario& s) { s.software.dropout.value = false; }

void leave_out_overlap(Scenario& s) {
  s.software.tensor_overlap.value = false;
  s.software.gather_prefetch.value = 0;
  s.software.receive_prefetch.value = 0;
  s.software.parameter_gather_overlap.value = false;
}

void leave_out_latency(Scenario& s) {
  Hardware& h = s.hardware;
  for (LinkSpec* link : {&h.nvlink, &h.nic, &h.trunk, &h.core_trunk}) {
    link->latency.value = Seconds(0);
  }
  h.collective_base.value = h.intra_node_step.value = h.inter_node_step.value = Seconds(0);
}

void leave_out_link_efficiency(Scenario& s) {
  Hardware& h = s.hardware;
  for (LinkSpec* link : {&h.nvlink, &h.nic, &h.trunk, &h.core_trunk}) {
    link->efficiency.value = 1;
  }
  h.collective_points.clear();
}

void leave_out_switches(Scenario& s) {
  for (LinkSpec* link : {&s.hardware.trunk, &s.hardware.core_trunk}) {
    link->bandwidth.value = link->bandwidth.value * kFast;
  }
}

void leave_out_network(Scenario& s) {
  leave_out_switches(s);
  leave_out_latency(s);
  for (LinkSpec* link : {&s.hardware.nvlink, &s.hardware.nic}) {
    link->bandwidth.value = link->bandwidth.value * kFast;
  }
  s.hardware.collective_points.clear();
}

void leave_out_blocking_sends(Scenario& s) {
  s.software.blocking_sends.value = false;
  s.software.receive_prefetch.value = std::max<std::int64_t>(s.software.receive_prefetch.value, 1);
}

void leave_out_checkpoint_pause(Scenario& s) { s.software.checkpoint_pause.value = Seconds(0); }

constexpr std::array kTerms = {
    PhysicsTerm{"launch", "gaps between kernels, and what the host takes for each", leave_out_launches},
    PhysicsTerm{"host", "what the host takes for each kernel", leave_out_host},
    PhysicsTerm{"tile_quantisation", "tiles of products: all reach one share of peak", leave_out_tiles},
    PhysicsTerm{"memory_bound", "passes over memory", leave_out_passes_over_memory},
    PhysicsTerm{"unfused", "passes that fused kernels do without", leave_out_unfused_passes},
    PhysicsTerm{"dropout", "masks of dropout", leave_out_dropout},
    PhysicsTerm{"overlap", "communication beside compute", leave_out_overlap},
    PhysicsTerm{"blocking_sends", "waiting for sends and receives of stages", leave_out_blocking_sends},
    PhysicsTerm{"latency", "latency of links and of steps of rings", leave_out_latency},
    PhysicsTerm{"link_efficiency", "what links do not reach of their bandwidth", leave_out_link_efficiency},
    PhysicsTerm{"contention", "contention between switches", leave_out_switches},
    PhysicsTerm{"network", "all communication but its order", leave_out_network},
    PhysicsTerm{"checkpoint_pause", "what a layer that recomputes loses", leave_out_checkpoint_pause}};

}  // namespace

std::span<const PhysicsTerm> physics_terms() { return kTerms; }

Result<std::vector<PhysicsTerm>> parse_physics_terms(std::string_view names) {
  std::vector<PhysicsTerm> terms;
  while (true) {
    const std::size_t comma = names.find(',');
    const std::string_view name = names.substr(0, comma);
    const auto found = std::find_if(kTerms.begin(), kTerms.end(),
                                    [&](const PhysicsTerm& term) { return term.name == name; });
    if (found == kTerms.end()) {
      std::string allowed;
      for (const PhysicsTerm& term : kTerms) {
        allowed += (allowed.empty() ? "" : ", ") + std::string(term.name);
      }
      return bad_input(fmt::format("\"{}\" is no term (allowed: {})", name, allowed));
    }
    terms.push_back(*found);
    if (comma == std::string_view::npos) {
      return terms;
    }
    names.remove_prefix(comma + 1);
  }
}

TaskPredictor without_terms(std::vector<PhysicsTerm> terms, TaskPredictor predict) {
  if (terms.empty()) {
    return predict;
  }
  return [terms = std::move(terms), predict = std::move(predict)](std::span<const PredictionTask> tasks) {
    std::deque<Scenario> scenarios;  // tasks refer to them
    std::vector<PredictionTask> without;
    const Scenario* last = nullptr;
    for (const PredictionTask& task : tasks) {
      if (&task.scenario != last) {
        last = &task.scenario;
        scenarios.push_back(task.scenario);
        for (const PhysicsTerm& term : terms) {
          term.leave_out(scenarios.back());
        }
      }
      without.push_back({scenarios.back(), task.strategy});
    }
    return predict(without);
  };
}

}  // namespace portolan
