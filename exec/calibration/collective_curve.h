#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "exec/calibration/sample.h"

namespace portolan {

/// Times of one communication between threads at one size.
struct TimedCommunication {
  std::string collective;  ///< "all_reduce", "send_receive"
  std::int64_t num_ranks = 2;
  Bytes size;
  Sample sample;
};

/// Sends and all-reduces between `num_ranks` threads, 4 KiB to 64 MiB, through the communicator that a run
/// uses, on memory that no cache holds. Times are those that a run reports: from when all are there. Errors
/// (kDevice).
Result<std::vector<TimedCommunication>> time_communication(std::int32_t num_ranks, Seconds budget);

}  // namespace portolan
