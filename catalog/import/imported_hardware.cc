#include "catalog/import/imported_hardware.h"

#include <fmt/format.h>

#include <string_view>
#include <variant>

#include "catalog/document/node.h"
#include "catalog/json/json_value.h"
#include "catalog/json/notated.h"

namespace portolan {

namespace {

constexpr std::string_view kUnknown = "unknown";
constexpr std::string_view kMeasured =
    "no input says it; calibrate, or published measurements of such a machine";

JsonValue figure(JsonValue value, std::string_view source) {
  return JsonValue::object().set("value", std::move(value)).set("source", source);
}

JsonValue unknown_figure(std::string_view source) { return figure(kUnknown, source); }

JsonValue count(const Imported<std::int64_t>& imported) {
  return imported.value ? JsonValue(*imported.value) : JsonValue(kUnknown);
}

JsonValue link(const Imported<BytesPerSecond>& bandwidth) {
  return JsonValue::object()
      .set("bandwidth", bandwidth.value
                            ? figure(notated(*bandwidth.value, Notation::kUnits), bandwidth.source)
                            : unknown_figure(bandwidth.source))
      .set("latency", unknown_figure(kMeasured))
      .set("efficiency", unknown_figure(kMeasured));
}

JsonValue device() {
  constexpr std::string_view kDatasheet = "no input says it; the GPU's datasheet";
  return JsonValue::object()
      .set("memory", unknown_figure(kDatasheet))
      .set("peak",
           JsonValue::object().set("bf16", unknown_figure("no input says it; the GPU's datasheet, without "
                                                          "sparsity; more precisions may be added")))
      .set("memory_bandwidth", unknown_figure(kDatasheet))
      .set("gemm_efficiency", unknown_figure(kMeasured))
      .set("attention_gemm_efficiency", unknown_figure(kMeasured))
      .set("memory_efficiency", unknown_figure(kMeasured))
      .set("kernel_launch", unknown_figure(kMeasured));
}

/// The keys of a hardware file. A key that inputs learn to say is one line here and one field of
/// ImportedHardware.
JsonValue document_of(const ImportedHardware& hardware) {
  JsonValue document = JsonValue::object();
  document.set("name", hardware.name)
      .set("num_nodes", count(hardware.num_nodes))
      .set("gpus_per_node", count(hardware.gpus_per_node))
      .set("nics_per_node", count(hardware.nics_per_node))
      .set("nodes_per_pod", count(hardware.nodes_per_pod))
      .set("spines", count(hardware.spines))
      .set("device", device())
      .set("nvlink", link(hardware.nvlink_bandwidth));
  if (hardware.pcie_bandwidth) {
    document.set("pcie", link(*hardware.pcie_bandwidth));
  }
  if (hardware.nics_per_node.value != 0) {
    document.set("nic", link(hardware.nic_bandwidth));
  }
  if (hardware.spines.value != 0) {
    document.set("trunk", link(hardware.trunk_bandwidth));
  }
  return document.set("intra_node_step", unknown_figure(kMeasured))
      .set("inter_node_step", unknown_figure(kMeasured));
}

bool is_unknown(const JsonValue& value) {
  const auto* text = std::get_if<std::string>(&value.content());
  return text != nullptr && *text == kUnknown;
}

/// Depth is that of document_of().
void collect_unknown(const JsonValue::Object& object, const std::string& prefix,
                     std::vector<std::string>& keys) {
  for (const auto& [key, value] : object) {
    const JsonValue::Object* inner = value.as_object();
    if (inner == nullptr) {
      if (is_unknown(value) && !(prefix.empty() && key == "name")) {
        keys.push_back(prefix + key);
      }
    } else if (inner->front().first == "value") {
      if (is_unknown(inner->front().second)) {
        keys.push_back(prefix + key);
      }
    } else {
      collect_unknown(*inner, prefix + key + ".", keys);
    }
  }
}

}  // namespace

std::string write_imported(const ImportedHardware& hardware) {
  std::string text =
      "# Written by portolan import. What says unknown no input says: give it a value and a source.\n";
  const auto comment = [&](std::string_view key, const Imported<std::int64_t>& imported) {
    text += fmt::format("# {}: {}\n", key, printable(imported.source));
  };
  comment("num_nodes", hardware.num_nodes);
  comment("gpus_per_node", hardware.gpus_per_node);
  comment("nics_per_node", hardware.nics_per_node);
  comment("nodes_per_pod", hardware.nodes_per_pod);
  comment("spines", hardware.spines);
  for (const std::string& line : hardware.assumed) {
    text += fmt::format("# assumed: {}\n", printable(line));
  }
  return text + write_yaml(document_of(hardware));
}

std::vector<std::string> unknown_keys(const ImportedHardware& hardware) {
  std::vector<std::string> keys;
  collect_unknown(*document_of(hardware).as_object(), "", keys);
  return keys;
}

}  // namespace portolan
