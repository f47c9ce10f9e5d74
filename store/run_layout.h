#pragma once

#include <cstdint>

#include "plan/run_record.h"
#include "store/hdf5_layout.h"

namespace portolan {

/// Where each field of a run stands in its HDF5 file, written once: with an Hdf5Writer it writes a const
/// value, with an Hdf5Reader it fills one. docs/run-file.md is the same list for people; a change of either
/// is a new format version.
inline constexpr std::int32_t kRunFormatVersion = 3;
inline constexpr const char* kRunFormatVersionName = "format_version";

template <typename Archive, typename Value>
void visit_strategy(Archive& archive, Value& strategy) {
  archive.attribute("tensor_parallel", strategy.tensor_parallel);
  archive.attribute("pipeline_parallel", strategy.pipeline_parallel);
  archive.attribute("data_parallel", strategy.data_parallel);
  archive.attribute("context_parallel", strategy.context_parallel);
  archive.attribute("expert_parallel", strategy.expert_parallel);
  archive.attribute("virtual_stages", strategy.virtual_stages);
  archive.attribute("sequence_parallel", strategy.sequence_parallel);
  archive.attribute("microbatch_size", strategy.microbatch_size);
  archive.attribute("schedule", strategy.schedule);
  archive.attribute("zero_stage", strategy.zero_stage);
  archive.attribute("zero_group", strategy.zero_group);
  archive.attribute("recompute_all_layers", strategy.recompute.all_layers);
  archive.column("recompute_per_layer", strategy.recompute.per_layer);
  archive.attribute("recompute_layers_per_group", strategy.recompute.layers_per_group);
  archive.attribute("aggregation_algorithm", strategy.gradient_aggregation.algorithm);
  archive.attribute("aggregation_bucket_bytes", strategy.gradient_aggregation.bucket);
  archive.attribute("aggregation_overlap", strategy.gradient_aggregation.overlap);
  archive.attribute("aggregation_compression", strategy.gradient_aggregation.compression);
  archive.attribute("precision", strategy.precision);
  archive.attribute("offload", strategy.offload);
  archive.column("layers_per_stage", strategy.layers_per_stage);
  archive.column("axis_order", strategy.axis_order);
  archive.column("node_order", strategy.node_order);
}

template <typename Archive, typename Value>
void visit_breakdown(Archive& archive, Value& breakdown) {
  archive.attribute("compute_s", breakdown.compute);
  archive.attribute("recompute_s", breakdown.recompute);
  archive.attribute("exposed_tensor_s", breakdown.exposed_tensor);
  archive.attribute("exposed_pipeline_s", breakdown.exposed_pipeline);
  archive.attribute("exposed_data_s", breakdown.exposed_data);
  archive.attribute("exposed_context_s", breakdown.exposed_context);
  archive.attribute("exposed_expert_s", breakdown.exposed_expert);
  archive.attribute("offload_s", breakdown.offload);
  archive.attribute("bubble_s", breakdown.bubble);
  archive.attribute("optimizer_s", breakdown.optimizer);
  archive.attribute("other_s", breakdown.other);
}

template <typename Archive, typename Value>
void visit_estimate(Archive& archive, Value& estimate) {
  archive.attribute("step_time_s", estimate.step_time);
  archive.attribute("peak_memory_bytes", estimate.peak_memory);
  archive.attribute("mfu_pct", estimate.mfu_pct);
  archive.attribute("hfu_pct", estimate.hfu_pct);
  archive.attribute("tokens_per_s", estimate.tokens_per_s);
  archive.attribute("energy_j", estimate.energy);
  archive.attribute("cost", estimate.cost);
  archive.attribute("program_hash", estimate.program_hash);
  archive.group("strategy", [&] { visit_strategy(archive, estimate.strategy); });
  archive.group("breakdown", [&] { visit_breakdown(archive, estimate.breakdown); });
  archive.group("stage_memory", [&] {
    archive.table(estimate.stage_memory, Column{"allocated_bytes", &StageMemory::allocated},
                  Column{"reserved_bytes", &StageMemory::reserved},
                  Column{"parameters_bytes", &StageMemory::parameters},
                  Column{"gradients_bytes", &StageMemory::gradients},
                  Column{"optimizer_states_bytes", &StageMemory::optimizer_states},
                  Column{"activations_bytes", &StageMemory::activations},
                  Column{"workspace_bytes", &StageMemory::workspace},
                  Column{"communication_bytes", &StageMemory::communication},
                  Column{"host_bytes", &StageMemory::host});
  });
}

template <typename Archive, typename Value>
void visit_timeline(Archive& archive, Value& timeline) {
  archive.attribute("makespan_s", timeline.makespan);
  archive.table(timeline.entries, Column{"op_id", &TimelineEntry::op_id},
                Column{"rank", &TimelineEntry::rank}, Column{"start_s", &TimelineEntry::start},
                Column{"end_s", &TimelineEntry::end});
}

template <typename Archive, typename Value>
void visit_measured(Archive& archive, Value& run) {
  archive.column("step_times_s", run.step_times);
  archive.column("losses", run.losses);
  archive.column("heldout_losses", run.heldout_losses);
  archive.group("timeline", [&] { visit_timeline(archive, run.measured_timeline); });
  archive.group("by_kind", [&] {
    archive.table(run.by_kind, Column{"kind", &KindTime::kind}, Column{"predicted_s", &KindTime::predicted},
                  Column{"measured_s", &KindTime::measured});
  });
  archive.group("memory", [&] {
    archive.table(run.memory, Column{"rank", &RankMemory::rank},
                  Column{"predicted_live_bytes", &RankMemory::predicted_live},
                  Column{"live_bytes", &RankMemory::live}, Column{"arena_bytes", &RankMemory::arena},
                  Column{"rss_bytes", &RankMemory::rss});
  });
}

template <typename Archive, typename Value>
void visit_provenance(Archive& archive, Value& provenance) {
  archive.attribute("command", provenance.command);
  archive.attribute("version", provenance.version);
  archive.attribute("machine", provenance.machine);
  archive.attribute("scenario_hash", provenance.scenario_hash);
  archive.attribute("seed", provenance.seed);
}

/// All of it but the format version, which stands before.
template <typename Archive, typename Value>
void visit_run(Archive& archive, Value& run) {
  archive.attribute("program_hash", run.program_hash);
  archive.attribute("device", run.device);
  archive.attribute("ranks_as", run.ranks_as);
  archive.attribute("valid", run.valid);
  archive.attribute("invalid_reason", run.invalid_reason);
  archive.bytes("plan_json", run.plan_json);
  archive.group("provenance", [&] { visit_provenance(archive, run.provenance); });
  archive.group("predicted", [&] {
    visit_estimate(archive, run.predicted);
    archive.group("timeline", [&] { visit_timeline(archive, run.predicted_timeline); });
  });
  archive.group("measured", [&] { visit_measured(archive, run); });
}

}  // namespace portolan
