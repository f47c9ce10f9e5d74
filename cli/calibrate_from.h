#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/session.h"

namespace portolan {

/// `calibrate --from KIND FILE`: what others measured, into a hardware file or a software profile.
struct CalibrateFromArguments {
  std::string kind;  ///< "attention-csv", "collectives-csv", "gemm-csv", "kineto", "nccl-tests",
                     ///< "nsys-sqlite", "step-csv"
  std::vector<std::string> files;  ///< one; several of nccl-tests
  std::string hardware;            ///< name or file: what the measurements do not say stays as it is there
  std::string gpu;                 ///< only rows whose GPU's name begins so; empty: all
  std::string inter_link;          ///< of collectives between nodes only rows whose network's name begins so
  std::optional<std::int64_t> multiprocessors;
  // Of step-csv one of both: whose steps are used; the first is filled in.
  std::vector<std::string> software;  ///< profiles
  std::vector<std::string> clusters;  ///< hardware files
  std::string out;
};

/// Errors (kBadInput): those of files, an unknown kind, nothing that can be fitted.
Result<void> calibrate_from(const Session& session, const CalibrateFromArguments& arguments);

}  // namespace portolan
