#include "cli/calibrate_trace.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/file.h"
#include "catalog/hardware_yaml.h"
#include "catalog/measured/kineto_events.h"
#include "catalog/measured/nsys_events.h"
#include "catalog/measured/sqlite_database.h"
#include "catalog/measured/text_stream.h"
#include "catalog/measured/traced_rows.h"
#include "cli/fit_json.h"
#include "report/trace_fit_report.h"
#include "study/trace_fit.h"

namespace portolan {

namespace {

Result<TraceEvents> read_events(const std::string& kind, const std::string& file) {
  if (kind == "nsys-sqlite") {
    PORTOLAN_TRY(const SqliteDatabase database, SqliteDatabase::open(file));
    return read_nsys_operations(database);
  }
  PORTOLAN_TRY(const std::unique_ptr<TextStream> stream, TextStream::open(file));
  Result<TraceEvents> events = read_kineto_operations(*stream, file);
  PORTOLAN_CHECK_OK(stream->check());
  return events;
}

}  // namespace

Result<void> calibrate_from_trace(const Session& session, const CalibrateFromArguments& arguments,
                                  Hardware hardware) {
  const std::string& file = arguments.files.front();
  PORTOLAN_TRY(const TraceEvents events, read_events(arguments.kind, file));
  TracedRows rows = traced_rows(events);
  const Result<TraceFit> fit = fit_trace(rows, hardware, arguments.multiprocessors);
  if (!fit) {
    return bad_input(fmt::format("{}: {}", file, fit.error().message));
  }
  set_trace_fit(*fit, fmt::format("a trace ({})", std::filesystem::path(file).filename().string()), hardware);
  PORTOLAN_CHECK_OK(write_file_atomically(arguments.out, write_hardware(hardware)));
  session.json() ? session.print_json(trace_fit_json(rows, *fit))
                 : session.print(trace_fit_table(rows, *fit, session.width()));
  return {};
}

}  // namespace portolan
