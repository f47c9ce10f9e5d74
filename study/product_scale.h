#pragma once

#include <cstdint>
#include <vector>

#include "catalog/measured/gemm_rows.h"
#include "study/fit_error.h"
#include "topology/hardware.h"

namespace portolan {

/// One factor on what the hardware file has, for measurements too few for a fit of their own.
struct ScaleFit {
  double factor = 1;  ///< on efficiencies
  std::int64_t num_rows = 0;
  FitError before;     ///< with the file's constants
  FitError fitted;     ///< with the factor
  FitError held_back;  ///< each row with the factor of the others; of one row: as before
};

/// Measured products against what a hardware file says of them: its tiles, or gemm_efficiency.
class ProductScale {
 public:
  /// Precondition: `device` has a peak for each row's precision; both outlive this.
  ProductScale(const std::vector<GemmRow>& rows, const DeviceSpec& device) : rows_(rows), device_(device) {}

  /// How much faster than the file says a row was, launch apart.
  double factor(const GemmRow& row) const;
  /// The median over rows; no more than brings an efficiency to 1. Precondition: there are rows.
  ScaleFit fit() const;

 private:
  Seconds arithmetic(const GemmRow& row) const;
  double error_pct(const GemmRow& row, double factor) const;
  double most() const;

  const std::vector<GemmRow>& rows_;
  const DeviceSpec& device_;
};

}  // namespace portolan
