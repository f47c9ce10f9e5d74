#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/file.h"
#include "base/parse_quantity.h"
#include "catalog/document/load.h"
#include "catalog/document/text_check.h"
#include "catalog/import/cluster_import.h"
#include "catalog/json/json_value.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace portolan {

namespace {

struct ImportArguments {
  std::optional<std::string> nccl_topo;
  std::optional<std::string> nvidia_smi;
  std::optional<std::string> slurm;
  std::optional<std::string> ibnetdiscover;
  std::string name;
  std::string out;
};

/// Reads `file` into `report` where it is given.
template <typename Report>
Result<void> read_report(const std::optional<std::string>& file,
                         Result<Report> (*read)(std::string_view, std::string_view),
                         std::optional<Report>& report) {
  if (!file) {
    return {};
  }
  PORTOLAN_TRY(const std::string text, read_regular_file(*file));
  PORTOLAN_TRY(report, read(text, *file));
  return {};
}

std::string shown(const std::optional<std::int64_t>& count) {
  return count ? std::to_string(*count) : std::string("unknown");
}
std::string shown(const std::optional<BytesPerSecond>& rate) {
  return rate ? format_bytes_per_second(*rate) : std::string("unknown");
}
JsonValue json_of(const std::optional<std::int64_t>& count) {
  return count ? JsonValue(*count) : JsonValue();
}
JsonValue json_of(const std::optional<BytesPerSecond>& rate) {
  return rate ? JsonValue(rate->value) : JsonValue();
}

/// Calls `visit(key, key of JSON, imported)` for everything that inputs may say.
template <typename Visit>
void visit_keys(const ImportedHardware& hardware, Visit visit) {
  visit("num_nodes", "num_nodes", hardware.num_nodes);
  visit("gpus_per_node", "gpus_per_node", hardware.gpus_per_node);
  visit("nics_per_node", "nics_per_node", hardware.nics_per_node);
  visit("nodes_per_pod", "nodes_per_pod", hardware.nodes_per_pod);
  visit("spines", "spines", hardware.spines);
  visit("nvlink.bandwidth", "nvlink_bandwidth_bytes_per_s", hardware.nvlink_bandwidth);
  visit("pcie.bandwidth", "pcie_bandwidth_bytes_per_s",
        hardware.pcie_bandwidth.value_or(Imported<BytesPerSecond>{
            .value = {}, .source = "no input says it: no pcie, never a bottleneck"}));
  visit("nic.bandwidth", "nic_bandwidth_bytes_per_s", hardware.nic_bandwidth);
  visit("trunk.bandwidth", "trunk_bandwidth_bytes_per_s", hardware.trunk_bandwidth);
}

std::string import_json(const ImportedHardware& hardware, const std::string& out) {
  JsonValue object = JsonValue::object().set("hardware_file", out).set("name", hardware.name);
  JsonValue sources = JsonValue::object();
  visit_keys(hardware, [&](std::string_view, std::string_view key, const auto& imported) {
    object.set(key, json_of(imported.value));
    sources.set(key, imported.source);
  });
  object.set("sources", std::move(sources))
      .set("unknown", json_list(unknown_keys(hardware)))
      .set("assumed", json_list(hardware.assumed));
  return write_json_line(object);
}

std::string import_table(const ImportedHardware& hardware, const std::string& out) {
  std::string text = fmt::format("{:<17} {:>11}  source\n", "key", "value");
  visit_keys(hardware, [&](std::string_view key, std::string_view, const auto& imported) {
    text += fmt::format("{:<17} {:>11}  {}\n", key, shown(imported.value), imported.source);
  });
  for (const std::string& line : hardware.assumed) {
    text += fmt::format("assumed: {}\n", line);
  }
  text += "still unknown:";
  for (const std::string& key : unknown_keys(hardware)) {
    text += " " + key;
  }
  return text + fmt::format("\nhardware: {} (docs/import.md says where to find what is unknown)\n", out);
}

Result<void> import_hardware(const Session& session, const ImportArguments& arguments) {
  ClusterReports reports;
  PORTOLAN_CHECK_OK(read_report(arguments.nccl_topo, &read_nccl_topology, reports.nccl));
  PORTOLAN_CHECK_OK(read_report(arguments.nvidia_smi, &read_nvidia_smi_topology, reports.nvidia_smi));
  PORTOLAN_CHECK_OK(read_report(arguments.slurm, &read_slurm_topology, reports.slurm));
  PORTOLAN_CHECK_OK(read_report(arguments.ibnetdiscover, &read_ibnetdiscover, reports.infiniband));
  PORTOLAN_CHECK_OK(check_is_text(arguments.name, "--name"));
  PORTOLAN_TRY(const ImportedHardware hardware, import_cluster(reports, arguments.name));
  PORTOLAN_CHECK_OK(Session::check_out(arguments.out));
  PORTOLAN_CHECK_OK(write_file_atomically(arguments.out, write_imported(hardware)));
  if (session.json()) {
    session.print_json(import_json(hardware, arguments.out));
  } else {
    session.print(import_table(hardware, arguments.out));
  }
  return {};
}

}  // namespace

void add_import_verb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App* verb = app.add_subcommand("import", "Make a hardware file of what a cluster says of itself");
  verb->footer(
      "Example: portolan import --nccl-topo topo.xml --ibnetdiscover fabric.txt --name my-cluster --out "
      "my-cluster.yaml");
  verb->add_option("--nccl-topo", arguments->nccl_topo, "What NCCL wrote to NCCL_TOPO_DUMP_FILE on a node")
      ->type_name("FILE");
  verb->add_option("--nvidia-smi", arguments->nvidia_smi, "What nvidia-smi topo -m printed on a node")
      ->type_name("FILE");
  verb->add_option("--slurm", arguments->slurm, "Slurm's topology.conf")->type_name("FILE");
  verb->add_option("--ibnetdiscover", arguments->ibnetdiscover, "What ibnetdiscover printed")
      ->type_name("FILE");
  verb->add_option("--name", arguments->name, "Name of the hardware")->type_name("NAME")->required();
  verb->add_option("--out", arguments->out, "Hardware file to write")->type_name("FILE")->required();
  session.add_common_options(*verb);
  verb->callback(
      [&session, arguments] { session.run([&] { return import_hardware(session, *arguments); }); });
}

}  // namespace portolan
