#include "store/run_file.h"

#include <fmt/format.h>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/file.h"
#include "store/hdf5_image.h"
#include "store/hdf5_reader.h"
#include "store/hdf5_writer.h"
#include "store/run_layout.h"
#include "store/seal.h"

namespace portolan {

namespace {

/// What read_file reads (base/file.h).
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;

/// Placement's precondition, which a reader of the file must be able to trust.
bool names_each_axis_once(const std::array<Axis, kNumAxes>& order) {
  std::bitset<kNumAxes> seen;
  for (const Axis axis : order) {
    seen.set(static_cast<std::size_t>(axis));
  }
  return seen.all();
}

Error wrong_axis_order(std::string_view name) {
  return bad_input(fmt::format("{}: /predicted/strategy/axis_order: an axis is named twice", name));
}

}  // namespace

Result<std::string> format_run(const RunRecord& run, std::string_view name) {
  const SilencedHdf5Errors silenced;
  if (!names_each_axis_once(run.predicted.strategy.axis_order)) {
    return wrong_axis_order(name);
  }
  PORTOLAN_TRY(FileHandle file, create_hdf5_image());
  Hdf5Writer writer(std::move(file), std::string(name));
  writer.attribute(kRunFormatVersionName, kRunFormatVersion);
  visit_run(writer, run);
  PORTOLAN_TRY(const std::string image, std::move(writer).finish());
  return seal(image);
}

Result<RunRecord> parse_run(std::string_view content, std::string_view name) {
  PORTOLAN_TRY(const std::string_view payload, open_seal(content, name));
  const SilencedHdf5Errors silenced;
  PORTOLAN_TRY(FileHandle file, open_hdf5_image(payload, name));
  Hdf5Reader reader(std::move(file), std::string(name), payload.size());
  std::int32_t version = 0;
  reader.attribute(kRunFormatVersionName, version);
  if (reader.is_good() && version != kRunFormatVersion) {
    reader.fail(kRunFormatVersionName,
                fmt::format("is {}, this program reads {}", version, kRunFormatVersion));
  }
  RunRecord run;
  visit_run(reader, run);
  PORTOLAN_CHECK_OK(reader.state());
  if (!names_each_axis_once(run.predicted.strategy.axis_order)) {
    return wrong_axis_order(name);
  }
  return run;
}

Result<void> write_run(const std::filesystem::path& path, const RunRecord& run) {
  PORTOLAN_TRY(const std::string content, format_run(run, path.string()));
  if (content.size() > kMaxFileBytes) {
    return bad_input(fmt::format("{}: the run takes {} bytes, and a file over 1 GiB would not be read",
                                 path.string(), content.size()));
  }
  return write_file_atomically(path, content);
}

Result<RunRecord> read_run(const std::filesystem::path& path) {
  PORTOLAN_TRY(const std::string content, read_file(path));
  return parse_run(content, path.string());
}

}  // namespace portolan
