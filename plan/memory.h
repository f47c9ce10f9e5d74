#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "plan/buffer_walk.h"
#include "plan/estimate.h"
#include "plan/program.h"

namespace portolan {

/// Live bytes of one rank's device by BufferKind.
using BytesByKind = std::array<std::int64_t, 6>;

/// What is live on each rank of a stage where most is, in the order of its compute lane.
struct LivePeak {
  BytesByKind bytes{};
  std::int32_t slot = 0;  ///< of the order list, the first of several
  std::int64_t host = 0;  ///< bytes on the host where most are there
};
/// By the lifetimes of `walks`, which are template_walks(stage).
LivePeak live_peak(const Stage& stage, const std::vector<TemplateWalk>& walks);

/// The same as an estimate has it; `reserved` is what is allocated.
StageMemory stage_peak_memory(const Stage& stage);
StageMemory stage_memory_of(const LivePeak& peak);

/// Saved activations of one layer for one microbatch, from a formula on sizes alone and independent of the
/// Program, after Korthikanti et al. 2022 (arXiv 2205.05198), equations 1 and 2, with the terms that the
/// formula leaves out there: norm statistics, grouped-query attention, SwiGLU, ReLU, norms of heads, latent
/// attention, parallel residual, no dropout, flash attention. Not counted: attention's part of a parallel
/// sum, kept where the MLP is recomputed with the sum (whole groups, or for the sum's dropout mask) and
/// attention's projection is not. Of a layer with experts, as model/experts.h says: balanced.
/// Of layers that are recomputed together the first keeps this, its input, and the others nothing.
Bytes saved_layer_activations(const TransformerConfig& model, const BlockOptions& options,
                              const RecomputeSet& recompute, LayerKind kind = LayerKind::kDense);

}  // namespace portolan
