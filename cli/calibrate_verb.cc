#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/file.h"
#include "base/parse_quantity.h"
#include "catalog/hardware_yaml.h"
#include "cli/calibrate_from.h"
#include "cli/json_output.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "exec/calibration.h"

namespace portolan {

namespace {

constexpr int kMostFiles = 10000;

struct CalibrateArguments {
  std::string device = "host";
  std::string out;
  std::vector<std::string> from;  ///< kind and files; empty: this machine is measured
  CalibrateFromArguments tables;
};

Result<void> calibrate(const Session& session, const CalibrateArguments& arguments) {
  if (!arguments.from.empty()) {
    CalibrateFromArguments tables = arguments.tables;
    tables.kind = arguments.from[0];
    tables.files.assign(arguments.from.begin() + 1, arguments.from.end());
    tables.out = arguments.out;
    return calibrate_from(session, tables);
  }
  if (arguments.device != "host") {
    const std::string message = fmt::format("--device: \"{}\" (allowed: host)", arguments.device);
    return arguments.device == "cuda" ? infeasible(message) : bad_input(message);
  }
  PORTOLAN_CHECK_OK(Session::check_out(arguments.out));
  CalibrationOptions options;
  options.on_progress = [&](double share, const std::string& what) { session.show_progress(what, share); };
  PORTOLAN_TRY(const HostCalibration calibration, calibrate_host(options));
  session.end_progress();
  const Hardware& hardware = calibration.hardware;
  PORTOLAN_CHECK_OK(write_file_atomically(arguments.out, write_hardware(hardware)));
  const CalibrationOutput output{.gemm_points = hardware.device.gemm_points.size(),
                                 .collective_points = hardware.collective_points.size(),
                                 .noise_pct = calibration.noise_pct};
  if (session.json()) {
    session.print_json(calibration_json(output));
    return {};
  }
  session.print(fmt::format("{} ranks of one core each, {} a core at best, {} memory a core\n",
                            hardware.gpus_per_node,
                            format_flops_per_second(hardware.device.peak.begin()->second.value),
                            format_bytes(hardware.device.memory.value)));
  session.print(fmt::format(
      "{} matrix products, {} rates of other kernels, {} collectives and sends; noise {:.1f}%\n",
      output.gemm_points, hardware.device.kernel_rates.size(), output.collective_points, output.noise_pct));
  if (calibration.stretch > 1.1) {
    session.print(fmt::format(
        "WARNING: wall over processor time was {:.2f}: other work was on the cores, the rates are too low\n",
        calibration.stretch));
  }
  session.print(fmt::format("hardware: {}\n", arguments.out));
  return {};
}

}  // namespace

void add_calibrate_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<CalibrateArguments>();
  CLI::App* verb = app.add_subcommand(
      "calibrate", "Measure this machine, or read what others measured, into a hardware file");
  verb->footer(
      "Example: portolan calibrate --device host --out build/this-machine.yaml\n"
      "         portolan calibrate --from gemm-csv products.csv --hardware my-cluster.yaml --out new.yaml\n"
      "         portolan calibrate --from nccl-tests *_perf.txt --hardware my-cluster.yaml --out new.yaml");
  verb->add_option("--device", arguments->device, "host")->type_name("NAME");
  verb->add_option("--out", arguments->out, "Hardware file, or software profile, to write")
      ->type_name("FILE")
      ->required();
  verb->add_option(
          "--from", arguments->from,
          "nccl-tests, collectives-csv, kineto, nsys-sqlite, gemm-csv, attention-csv or step-csv, and a file "
          "(of nccl-tests several): what others measured (docs/calibrate.md)")
      ->expected(2, kMostFiles + 1)
      ->type_name("KIND FILE...");
  verb->add_option("--hardware", arguments->tables.hardware, "With --from: the hardware file to fill in")
      ->type_name("NAME|FILE");
  verb->add_option(
          "--software", arguments->tables.software,
          "With --from step-csv: profiles whose steps are used; the first is filled in (or --clusters)")
      ->delimiter(',')
      ->type_name("NAME,...");
  verb->add_option("--clusters", arguments->tables.clusters,
                   "With --from step-csv: hardware files whose steps are used; the first is filled in")
      ->delimiter(',')
      ->type_name("NAME,...");
  verb->add_option("--gpu", arguments->tables.gpu, "With --from: only rows whose gpu begins so")
      ->type_name("TEXT");
  verb->add_option("--inter-link", arguments->tables.inter_link,
                   "With --from collectives-csv: between nodes only rows whose inter_link begins so")
      ->type_name("TEXT");
  verb->add_option(
          "--multiprocessors", arguments->tables.multiprocessors,
          "With --from gemm-csv, kineto or nsys-sqlite: of the GPU, where the hardware file does not say")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000));
  session.add_common_options(*verb);
  verb->callback([&session, arguments] { session.run([&] { return calibrate(session, *arguments); }); });
}

}  // namespace portolan
