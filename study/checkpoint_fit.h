#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/measured/training_rows.h"
#include "study/validation.h"

namespace portolan {

/// SoftwareProfile::checkpoint_pause as the published steps of one source ask for it.
struct CheckpointFitOfSource {
  std::string source_family;
  std::int64_t num_rows = 0;
  Seconds pause;           ///< the least mean absolute error
  double without_pct = 0;  ///< mean absolute error without a pause,
  double fitted_pct = 0;   ///< with its own,
  double crossed_pct = 0;  ///< with the mean of the other sources'
};

struct CheckpointFit {
  std::vector<CheckpointFitOfSource> sources;  ///< in the order of the table
  Seconds pause;                               ///< the mean of the sources'
};

/// Of the rows whose software is one of `software` and that the source describes fully. Steps are predicted
/// for pauses up to 40 ms, and between them taken as linear. Errors (kBadInput): fewer than two sources, as a
/// constant of a framework must serve another source than the one that it was fitted to; those of files.
Result<CheckpointFit> fit_checkpoint_pause(std::span<const TrainingRow> rows,
                                           const std::vector<std::string>& software,
                                           const CatalogPaths& paths, const TaskPredictor& predict);

}  // namespace portolan
