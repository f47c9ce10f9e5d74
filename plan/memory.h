#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "plan/estimate.h"
#include "plan/program.h"

namespace portolan {

/// Live bytes of one rank by BufferKind.
using BytesByKind = std::array<std::int64_t, 6>;

/// Whether compute op `op` begins only when communication op `communication` of the slot `slots_back` before
/// its own (0: of its own) is over, by what it says that it waits for.
bool waits_for_communication(const Op& op, std::int32_t slots_back, std::int32_t communication);

/// Peak of live buffers of each rank of `stage`, in the order of its compute lane, and what is live there.
/// A buffer lives from just before its first step until just after its last; one last used by a
/// communication op until a compute op begins that waits for it, or to the end of the step. `reserved` adds
/// `framework_memory`.
StageMemory stage_peak_memory(const Stage& stage, Bytes framework_memory);

/// Which buffers begin and end their lives around each step of a template: what the sweep and the executor's
/// arena both walk.
struct StepBuffers {
  std::vector<std::int32_t> begin;  ///< allocated before the step
  std::vector<std::int32_t> end;    ///< freed after it
};
/// Per op, per kernel (communication ops have one step).
using TemplateLifetimes = std::vector<std::vector<StepBuffers>>;
std::vector<TemplateLifetimes> buffer_lifetimes(const Stage& stage);

/// Saved activations of one layer for one microbatch, from a formula on sizes alone and independent of the
/// Program, after Korthikanti et al. 2022 (arXiv 2205.05198), equations 1 and 2, with the terms that the
/// formula leaves out there: norm statistics, grouped-query attention, SwiGLU, ReLU, norms of heads, latent
/// attention, parallel residual, no dropout, flash attention. Not counted: attention's part of a parallel
/// sum, kept where the MLP is recomputed with the sum (whole groups, or for the sum's dropout mask) and
/// attention's projection is not. Of a layer with experts, as model/experts.h says: balanced.
Bytes saved_layer_activations(const TransformerConfig& model, const BlockOptions& options,
                              const RecomputeSet& recompute, LayerKind kind = LayerKind::kDense);

}  // namespace portolan
