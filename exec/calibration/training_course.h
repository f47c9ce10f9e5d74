#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "exec/calibration/sample.h"
#include "model/kernel.h"
#include "model/transformer.h"

namespace portolan {

/// A small training program that kernels are timed in.
struct TrainingCourse {
  TransformerConfig model;
  std::int64_t sequence_length = 0;
  std::int64_t microbatch_size = 1;
};

/// Courses of both model families, from a working set that fits a second-level cache to one that fits none.
std::vector<TrainingCourse> training_courses();

/// One of each family, over in a blink.
std::vector<TrainingCourse> rough_courses();

/// A kernel and how long it took each time.
struct TimedKernel {
  Kernel kernel;
  Sample sample;
};

struct CourseResult {
  std::vector<TimedKernel> kernels;
  double stretch = 1;  ///< median wall over processor time; 1 where it could not be read
};

struct CourseOptions {
  std::int32_t num_cores = 1;  ///< each trains on its own share of the batch
  Seconds budget;
  std::uint64_t seed = 1;
};

/// Trains for about `budget` and returns every kernel's times on all cores, the first step left out.
Result<CourseResult> run_course(const TrainingCourse& course, const CourseOptions& options);

}  // namespace portolan
