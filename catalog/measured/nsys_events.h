#pragma once

#include "base/result.h"
#include "catalog/measured/sqlite_database.h"
#include "catalog/measured/trace_events.h"

namespace portolan {

/// The SQLite export of a report of Nsight Systems (nsys export --type sqlite): kernels, copies and fills,
/// the calls of CUDA that launched them, and NVTX ranges: of PyTorch (torch.autograd.profiler.emit_nvtx),
/// which have the sizes of operations with record_shapes=True, and of NCCL, which have the sizes of
/// collectives where it was built with payloads. Groups are known by their number of ranks alone: that of the
/// largest communicator is taken for the number of all. Columns that a version does not have are done
/// without. Errors (kBadInput), one line: no database, no kernels, no operation with its sizes. Source:
/// Nsight Systems User Guide, "SQLite Schema Reference".
Result<TraceEvents> read_nsys_operations(const SqliteDatabase& database);

}  // namespace portolan
