#pragma once

#include "base/result.h"
#include "cli/calibrate_from.h"
#include "cli/session.h"
#include "topology/hardware.h"

namespace portolan {

/// `calibrate --from kineto|nsys-sqlite FILE`: kernels, and collectives where they were recorded, of one
/// trace. Errors (kBadInput): those of the file, nothing in it that can be used.
Result<void> calibrate_from_trace(const Session& session, const CalibrateFromArguments& arguments,
                                  Hardware hardware);

}  // namespace portolan
