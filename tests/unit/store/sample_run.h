#pragma once

#include <cstddef>
#include <string>

#include "plan/run_record.h"

namespace portolan {

/// A small run in which no field has its default value and no two numbers of a row are equal. A field that is
/// added to a structure of the record stops its compilation: run_layout.h must keep the field too.
RunRecord sample_run();
/// It as a run file.
const std::string& sample_image();

/// A run of 8 ranks whose measured timeline has `num_entries` entries, times as noisy as measured ones.
RunRecord run_with_timeline(std::size_t num_entries);

}  // namespace portolan
