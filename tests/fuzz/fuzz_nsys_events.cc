// Any bytes as the SQLite export of a report of Nsight Systems, and as texts in it: one line of error, or
// events that rows can be made of.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catalog/measured/nsys_events.h"
#include "catalog/measured/nvtx_text.h"
#include "catalog/measured/sqlite_database.h"
#include "catalog/measured/traced_operation.h"
#include "catalog/measured/traced_rows.h"

namespace {

void check(const portolan::Error& error) {
  if (!error.message.starts_with("fuzz.sqlite: ") || error.message.find('\n') != std::string::npos) {
    std::abort();
  }
}

void check_text(std::string_view text) {
  const portolan::NvtxOperation operation = portolan::parse_nvtx_operation(text);
  for (const auto& dims : operation.dims) {
    for (const std::int64_t size : dims) {
      if (size < 0) {
        std::abort();
      }
    }
  }
  portolan::parse_nccl_payload(text);
  portolan::causal_in_name(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_text(bytes);
  const auto database = portolan::SqliteDatabase::from_bytes(bytes, "fuzz.sqlite");
  if (!database) {
    check(database.error());
    return 0;
  }
  const auto events = portolan::read_nsys_operations(*database);
  if (!events) {
    check(events.error());
    return 0;
  }
  const portolan::TracedRows rows = portolan::traced_rows(*events);
  if (!(rows.used.value <= rows.time.value * (1 + 1e-9) + 1e-12)) {
    std::abort();
  }
  return 0;
}
