#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/measured/training_rows.h"
#include "study/validation.h"

namespace portolan {

/// A constant that published steps are asked for, where no benchmark of its own has it.
struct StepConstant {
  std::string name;
  double from = 0;         ///< steps are predicted with this value,
  double between = 0;      ///< with values so far apart,
  std::int32_t count = 2;  ///< so many, and taken as linear between them
  double resolution = 0;
  double without = 0;  ///< the value as if it were not there
  std::function<void(Scenario&, double)> set;
  std::function<std::string(double)> text;
};

/// SoftwareProfile::checkpoint_pause, in seconds, up to 40 ms.
StepConstant checkpoint_pause_constant();
/// The rate of matrix products of linear layers, 0.6 to 1.2 of what the device's file says.
StepConstant products_rate_constant();
/// The device with products so much faster.
void scale_products(DeviceSpec& device, double rate);

/// As the published steps of one source ask for it.
struct StepFitOfSource {
  std::string source_family;
  std::int64_t num_rows = 0;
  double value = 0;        ///< the least mean absolute error
  double without_pct = 0;  ///< mean absolute error without the constant,
  double fitted_pct = 0;   ///< with its own,
  double crossed_pct = 0;  ///< with the mean of the other sources'
};

struct StepFit {
  std::vector<StepFitOfSource> sources;  ///< in the order of the table
  double value = 0;                      ///< the mean of the sources'
};

/// Of the rows that the source describes fully. Errors (kBadInput): fewer than two sources, as a constant
/// must serve another source than the one that it was fitted to; those of files.
Result<StepFit> fit_step_constant(std::span<const TrainingRow> rows, const StepConstant& constant,
                                  const CatalogPaths& paths, const TaskPredictor& predict);

}  // namespace portolan
