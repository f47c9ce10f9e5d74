#include "cli/calibrate_from.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "catalog/catalog_paths.h"
#include "catalog/hardware_yaml.h"
#include "catalog/measured/attention_rows.h"
#include "catalog/measured/gemm_rows.h"
#include "catalog/measured/training_rows.h"
#include "catalog/software_yaml.h"
#include "cli/calibrate_links.h"
#include "cli/calibrate_trace.h"
#include "cli/evaluation.h"
#include "cli/fit_json.h"
#include "report/fit_report.h"
#include "study/attention_fit.h"
#include "study/gemm_fit.h"
#include "study/step_fit.h"

namespace portolan {

namespace {

Result<Hardware> base_hardware(const Session& session, const std::string& hardware) {
  if (hardware.empty()) {
    return bad_input("--hardware is missing: --from fills in a hardware file that is there");
  }
  PORTOLAN_TRY(const CatalogPaths paths, session.catalog_paths());
  PORTOLAN_TRY(const std::filesystem::path path, session.find_hardware(hardware));
  return read_hardware(path, paths);
}

Result<std::int64_t> num_multiprocessors(const CalibrateFromArguments& arguments, const DeviceSpec& device) {
  if (arguments.multiprocessors) {
    return *arguments.multiprocessors;
  }
  if (device.gemm_tiles) {
    return device.gemm_tiles->multiprocessors.value;
  }
  if (device.multiprocessors.value > 0) {
    return device.multiprocessors.value;
  }
  return bad_input(
      "--multiprocessors is missing: how many of them the GPU has, which its hardware file does not say");
}

std::string source_of(const CalibrateFromArguments& arguments, std::int64_t num_rows, const char* what,
                      const FitError& held_back) {
  return fmt::format("fit to {} {} of {}: {:.1f} % mean error held back", num_rows, what,
                     std::filesystem::path(arguments.files.front()).filename().string(), held_back.mean_pct);
}

Error in_file(const CalibrateFromArguments& arguments, const Error& error) {
  return bad_input(fmt::format("{}: {}", arguments.files.front(), error.message));
}

/// Rows of other GPUs than those asked for go to the others.
template <typename Table>
void take_gpu(const CalibrateFromArguments& arguments, Table& table) {
  table.num_others += static_cast<std::int64_t>(
      std::erase_if(table.rows, [&](const auto& row) { return !row.gpu.starts_with(arguments.gpu); }));
}

Result<void> from_gemms(const Session& session, const CalibrateFromArguments& arguments, Hardware hardware,
                        const std::string& text) {
  PORTOLAN_TRY(const std::int64_t multiprocessors, num_multiprocessors(arguments, hardware.device));
  PORTOLAN_TRY(GemmTable table, read_gemm_rows(text, arguments.files.front()));
  take_gpu(arguments, table);
  const Result<GemmFit> fit = fit_gemm_tiles(table.rows, hardware.device, multiprocessors);
  if (!fit) {
    return in_file(arguments, fit.error());
  }
  GemmTiles tiles = fit->tiles;
  tiles.k_overhead.source = source_of(arguments, fit->num_rows, "products", fit->held_back);
  tiles.multiprocessors.source = "--multiprocessors";
  if (const std::optional<GemmTiles>& known = hardware.device.gemm_tiles) {
    tiles.weight_gradient_rate = known->weight_gradient_rate;
    tiles.multiprocessors = arguments.multiprocessors ? tiles.multiprocessors : known->multiprocessors;
  }
  hardware.device.gemm_tiles = std::move(tiles);
  PORTOLAN_CHECK_OK(write_file_atomically(arguments.out, write_hardware(hardware)));
  session.json() ? session.print_json(gemm_fit_json(*fit, table.num_others))
                 : session.print(gemm_fit_table(*fit, table.num_others, session.width()));
  return {};
}

Result<void> from_attention(const Session& session, const CalibrateFromArguments& arguments,
                            Hardware hardware, const std::string& text) {
  PORTOLAN_TRY(AttentionTable table, read_attention_rows(text, arguments.files.front()));
  take_gpu(arguments, table);
  const Result<std::vector<AttentionFit>> fits = fit_flash_attention(table.rows, hardware.device);
  if (!fits) {
    return in_file(arguments, fits.error());
  }
  for (const AttentionFit& fit : *fits) {
    FlashAttention constants = fit.constants;
    constants.efficiency.source = constants.mask_overhead.source =
        source_of(arguments, fit.num_rows, "kernels", fit.held_back);
    set_fitted(hardware.device.flash_attention, std::move(constants));
  }
  PORTOLAN_CHECK_OK(write_file_atomically(arguments.out, write_hardware(hardware)));
  session.json() ? session.print_json(attention_fit_json(*fits, table.num_others))
                 : session.print(attention_fit_table(*fits, table.num_others, session.width()));
  return {};
}

std::string mean_of_sources(const CalibrateFromArguments& arguments, const StepFit& fit) {
  return fmt::format("mean of what steps of {} sources in {} ask for", fit.sources.size(),
                     std::filesystem::path(arguments.files.front()).filename().string());
}

/// Prints the fit; `use` writes what it says.
template <typename Use>
Result<void> fit_steps(const Session& session, const CalibrateFromArguments& arguments,
                       const CatalogPaths& paths, std::vector<TrainingRow> rows, const StepConstant& constant,
                       const Use& use) {
  const TaskPredictor predict = make_task_predictor(
      Fidelity::kClosedForm, num_allowed_cores(), [&](std::size_t done, std::size_t total) {
        session.show_progress("predicting", static_cast<double>(done) / static_cast<double>(total));
      });
  const Result<StepFit> fit = fit_step_constant(rows, constant, paths, predict);
  session.end_progress();
  if (!fit) {
    return in_file(arguments, fit.error());
  }
  PORTOLAN_CHECK_OK(write_file_atomically(arguments.out, use(*fit)));
  session.json() ? session.print_json(step_fit_json(constant, *fit))
                 : session.print(step_fit_table(constant, *fit, session.width()));
  return {};
}

bool is_one_of(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<void> from_steps(const Session& session, const CalibrateFromArguments& arguments,
                        const std::string& text) {
  if (arguments.software.empty() == arguments.clusters.empty()) {
    return bad_input(
        "--software or --clusters: one of both is needed, names of software profiles or of hardware files "
        "whose steps are used");
  }
  PORTOLAN_TRY(const CatalogPaths paths, session.catalog_paths());
  PORTOLAN_TRY(std::vector<TrainingRow> rows, read_training_rows(text, arguments.files.front()));
  if (!arguments.software.empty()) {
    PORTOLAN_TRY(const std::filesystem::path path,
                 find_in_catalog(paths, "software", arguments.software.front()));
    PORTOLAN_TRY(SoftwareProfile profile, read_software(path));
    std::erase_if(rows, [&](const TrainingRow& row) { return !is_one_of(arguments.software, row.software); });
    return fit_steps(session, arguments, paths, rows, checkpoint_pause_constant(), [&](const StepFit& fit) {
      profile.checkpoint_pause = {Seconds(fit.value), mean_of_sources(arguments, fit)};
      return write_software(profile);
    });
  }
  PORTOLAN_TRY(Hardware hardware, base_hardware(session, arguments.clusters.front()));
  std::erase_if(rows, [&](const TrainingRow& row) { return !is_one_of(arguments.clusters, row.cluster); });
  return fit_steps(session, arguments, paths, rows, products_rate_constant(), [&](const StepFit& fit) {
    scale_products(hardware.device, fit.value);
    hardware.device.gemm_efficiency.source = mean_of_sources(arguments, fit);
    return write_hardware(hardware);
  });
}

/// A file of the kinds that hold one device's or one framework's measurements.
Result<void> from_one_file(const Session& session, const CalibrateFromArguments& arguments) {
  if (arguments.files.size() > 1) {
    return bad_input(
        fmt::format("--from {}: {} files (allowed: one)", arguments.kind, arguments.files.size()));
  }
  if (arguments.kind == "step-csv") {
    PORTOLAN_TRY(const std::string text, read_file(arguments.files.front()));
    return from_steps(session, arguments, text);
  }
  PORTOLAN_TRY(Hardware hardware, base_hardware(session, arguments.hardware));
  if (arguments.kind == "kineto" || arguments.kind == "nsys-sqlite") {
    return calibrate_from_trace(session, arguments, std::move(hardware));
  }
  if (arguments.kind == "collectives-csv") {
    return calibrate_from_collective_rows(session, arguments, std::move(hardware));
  }
  PORTOLAN_TRY(const std::string text, read_file(arguments.files.front()));
  return arguments.kind == "gemm-csv" ? from_gemms(session, arguments, std::move(hardware), text)
                                      : from_attention(session, arguments, std::move(hardware), text);
}

}  // namespace

Result<void> calibrate_from(const Session& session, const CalibrateFromArguments& arguments) {
  constexpr std::array<std::string_view, 7> kKinds = {
      "attention-csv", "collectives-csv", "gemm-csv", "kineto", "nccl-tests", "nsys-sqlite", "step-csv"};
  if (std::find(kKinds.begin(), kKinds.end(), arguments.kind) == kKinds.end()) {
    return bad_input(
        fmt::format("--from: \"{}\" is not known (allowed: {})", arguments.kind, fmt::join(kKinds, ", ")));
  }
  PORTOLAN_CHECK_OK(Session::check_out(arguments.out));
  if (arguments.kind == "nccl-tests") {
    PORTOLAN_TRY(Hardware hardware, base_hardware(session, arguments.hardware));
    PORTOLAN_CHECK_OK(calibrate_from_nccl_tests(session, arguments, std::move(hardware)));
  } else {
    PORTOLAN_CHECK_OK(from_one_file(session, arguments));
  }
  if (!session.json()) {
    const bool of_software = arguments.kind == "step-csv" && !arguments.software.empty();
    session.print(fmt::format("\n{}: {}\n", of_software ? "software" : "hardware", arguments.out));
  }
  return {};
}

}  // namespace portolan
