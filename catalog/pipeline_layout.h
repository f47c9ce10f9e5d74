#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// Whether a text speaks of layers in letters ("Et|t|tL") and not in numbers ("1:1:1").
bool looks_like_pipeline_layout(std::string_view text);

/// Layers of each virtual stage from a layout as Megatron-Core writes it, "Et*3|(tt|)*29|L": E the embedding,
/// t a transformer layer, L the loss (here: the head); "|" ends a stage; "x*3" repeats a letter, "(...)*3" a
/// group; commas and spaces are there to be read only. Stages are in the order of the forward pass: all
/// pipeline ranks' first chunks, then all their second chunks.
/// Source: Megatron-Core user guide, "Custom Pipeline Model Parallel Layout",
/// --pipeline-model-parallel-layout.
///
/// The embedding must come first in the first stage and the loss last in the last one; either may be alone
/// there, which is a stage of 0 layers. Errors (kBadInput), one line, without a place: also where the layout
/// is sound and this version has no plan for it (m, multi-token prediction; empty stages).
Result<std::vector<std::int32_t>> parse_pipeline_layout(std::string_view text);

/// The layout that parse_pipeline_layout reads to `layers`: "Et*3|t*4|t*3L". Precondition: not empty.
std::string write_pipeline_layout(const std::vector<std::int32_t>& layers);

}  // namespace portolan
