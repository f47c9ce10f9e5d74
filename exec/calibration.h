#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/quantity.h"
#include "base/result.h"
#include "topology/hardware.h"

namespace portolan {

struct CalibrationOptions {
  /// Cores to keep busy, one thread each; none: all that the process may use.
  std::optional<std::int32_t> num_cores;
  /// About how long the measurement may take.
  Seconds budget{18};
  /// Small sizes and few repeats, in a second or two: figures of everything, good for nothing but trying
  /// things out.
  bool rough = false;
  std::uint64_t seed = 1;
  /// Called with the share that is done, 0 to 1, and what is being measured.
  std::function<void(double share, const std::string& what)> on_progress = {};
};

struct HostCalibration {
  Hardware hardware;
  /// Median over everything measured of the repeats' median absolute deviation, in per cent: what no
  /// prediction can undercut.
  double noise_pct = 0;
  /// Wall over processor time while measuring; above 1.1 other work was on the cores and the rates are too
  /// low.
  double stretch = 1;
};

/// Measures this machine as a training run would use it: all cores busy with the same work, values of a size
/// that training has, weights and saved activations out of the caches.
///
/// Kernels are timed in place, within small training programs of several sizes and both model families that
/// run as any other; matrix products also on a grid of shapes; sends and all-reduces between threads by size.
/// Rates are FLOPs and bytes as model/ counts them over time, so that a prediction divides by what was
/// multiplied. Errors (kDevice): not enough memory, a rank failed.
Result<HostCalibration> calibrate_host(const CalibrationOptions& options);

}  // namespace portolan
