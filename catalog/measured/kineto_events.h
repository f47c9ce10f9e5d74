#pragma once

#include <istream>
#include <string>

#include "base/result.h"
#include "catalog/measured/trace_events.h"

namespace portolan {

/// Reads Chrome trace-event JSON as Kineto writes it (pytorch/kineto, libkineto/src/output_json.cpp), event
/// by event. Errors (kBadInput), one line with `file`: no JSON, cut off, no list of events.
Result<TraceEvents> read_kineto_events(std::istream& stream, const std::string& file,
                                       const TraceEventsOptions& options = {});

/// The trace of torch.profiler, recorded with record_shapes=True. Errors (kBadInput), one line: those of
/// read_kineto_events(), no kernels, no operation with its sizes.
Result<TraceEvents> read_kineto_operations(std::istream& stream, const std::string& file);

}  // namespace portolan
