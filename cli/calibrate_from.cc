#include "cli/calibrate_from.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "base/file.h"
#include "catalog/catalog_paths.h"
#include "catalog/hardware_yaml.h"
#include "catalog/measured/gemm_rows.h"
#include "cli/json_output.h"
#include "report/fit_report.h"
#include "study/gemm_fit.h"

namespace portolan {

namespace {

Result<Hardware> base_hardware(const Session& session, const std::string& hardware) {
  if (hardware.empty()) {
    return bad_input("--hardware is missing: --from fills in a hardware file that is there");
  }
  if (is_path(hardware)) {
    return read_hardware(hardware);
  }
  PORTOLAN_TRY(const CatalogPaths paths, session.catalog_paths());
  PORTOLAN_TRY(const std::filesystem::path path, find_in_catalog(paths, "hardware", hardware));
  return read_hardware(path);
}

Result<std::int64_t> num_multiprocessors(const CalibrateFromArguments& arguments, const DeviceSpec& device) {
  if (arguments.multiprocessors) {
    return *arguments.multiprocessors;
  }
  if (device.gemm_tiles) {
    return device.gemm_tiles->multiprocessors.value;
  }
  return bad_input(
      "--multiprocessors is missing: how many of them the GPU has, which its hardware file does not say");
}

}  // namespace

Result<void> calibrate_from(const Session& session, const CalibrateFromArguments& arguments) {
  if (arguments.kind != "gemm-csv") {
    return bad_input(fmt::format("--from: \"{}\" is not known (allowed: gemm-csv)", arguments.kind));
  }
  PORTOLAN_CHECK_OK(Session::check_out(arguments.out));
  PORTOLAN_TRY(Hardware hardware, base_hardware(session, arguments.hardware));
  PORTOLAN_TRY(const std::int64_t multiprocessors, num_multiprocessors(arguments, hardware.device));
  PORTOLAN_TRY(const std::string text, read_file(arguments.file));
  PORTOLAN_TRY(GemmTable table, read_gemm_rows(text, arguments.file));
  table.num_others += static_cast<std::int64_t>(
      std::erase_if(table.rows, [&](const GemmRow& row) { return !row.gpu.starts_with(arguments.gpu); }));
  Result<GemmFit> fit = fit_gemm_tiles(table.rows, hardware.device, multiprocessors);
  if (!fit) {
    return bad_input(fmt::format("{}: {}", arguments.file, fit.error().message));
  }
  const std::string source =
      fmt::format("fit to {} products of {}: {:.1f} % mean error held back", fit->num_rows,
                  std::filesystem::path(arguments.file).filename().string(), fit->held_back.mean_pct);
  const bool known = hardware.device.gemm_tiles.has_value();
  GemmTiles tiles = fit->tiles;
  tiles.k_overhead.source = source;
  if (known) {
    tiles.weight_gradient_rate = hardware.device.gemm_tiles->weight_gradient_rate;
  }
  tiles.multiprocessors = known && !arguments.multiprocessors
                              ? hardware.device.gemm_tiles->multiprocessors
                              : Sourced<std::int64_t>{multiprocessors, "--multiprocessors"};
  hardware.device.gemm_tiles = std::move(tiles);
  PORTOLAN_CHECK_OK(write_file_atomically(arguments.out, write_hardware(hardware)));
  if (session.json()) {
    session.print_json(gemm_fit_json(*fit, table.num_others));
    return {};
  }
  session.print(gemm_fit_table(*fit, table.num_others, session.width()));
  session.print(fmt::format("\nhardware: {}\n", arguments.out));
  return {};
}

}  // namespace portolan
