#pragma once

#include "base/result.h"
#include "cli/calibrate_from.h"
#include "cli/session.h"
#include "topology/hardware.h"

namespace portolan {

/// `calibrate --from nccl-tests FILE...`: links of `hardware` and steps of its rings. Errors (kBadInput):
/// those of the files, ranks unlike the hardware's nodes, nothing that can be fitted.
Result<void> calibrate_from_nccl_tests(const Session& session, const CalibrateFromArguments& arguments,
                                       Hardware hardware);

/// `calibrate --from collectives-csv FILE`: the same of a table of times, of which the rows of `--gpu` and,
/// between nodes, of `--inter-link` count. Errors (kBadInput): those of the table, nothing that can be
/// fitted.
Result<void> calibrate_from_collective_rows(const Session& session, const CalibrateFromArguments& arguments,
                                            Hardware hardware);

}  // namespace portolan
