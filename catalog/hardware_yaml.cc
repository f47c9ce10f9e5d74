#include "catalog/hardware_yaml.h"

#include "catalog/device_yaml.h"
#include "catalog/document/load.h"
#include "catalog/document/section.h"
#include "catalog/document/yaml_parser.h"
#include "catalog/impairment_text.h"
#include "catalog/json/notated.h"
#include "catalog/named_file.h"

namespace portolan {

namespace {

constexpr std::string_view kUnknownHint = "fill it in, there or with hardware_overrides";
/// Of a machine by itself.
constexpr std::string_view kUnknownOfHostHint =
    "fill it in, there or with hardware_overrides (of the host device: run \"portolan calibrate --device "
    "host "
    "--out FILE\" and pass --hardware FILE)";
constexpr WholeRange kLinks{1, 1000};

// Each read_... names the keys of one struct; the write_... beside it is its inverse.

void read_link(DocumentSection& section, LinkSpec& link) {
  section.required("bandwidth", link.bandwidth);    // quantity, one direction of one link
  section.optional("latency", link.latency);        // time of one traversal, default 0 s
  section.required("efficiency", link.efficiency);  // share of bandwidth that large payloads reach
}

JsonValue write_link(const LinkSpec& link, Notation notation) {
  return NotatedObject(notation)
      .set("bandwidth", link.bandwidth)
      .set("latency", link.latency)
      .set("efficiency", link.efficiency)
      .take();
}

void read_collective_point(const DocumentValue& item, std::vector<CollectivePoint>& points) {
  DocumentSection section(item);
  CollectivePoint point;
  section.required("collective", point.collective);  // all_reduce, send_receive, ...
  section.optional("num_ranks", point.num_ranks, WholeRange{2, 1'000'000'000});  // default 2
  section.required("size", point.size);
  section.required("time", point.time);
  section.finish();
  points.push_back(std::move(point));
}

JsonValue write_collective_point(const CollectivePoint& point, Notation notation) {
  return NotatedObject(notation)
      .set("collective", point.collective)
      .set("num_ranks", point.num_ranks)
      .set("size", point.size)
      .set("time", point.time)
      .take();
}

void read_impairment(const DocumentValue& item, Condition& condition) {
  std::string text;
  if (!item.read(text)) {
    return;
  }
  if (Result<Impairment> impairment = parse_impairment(text)) {
    condition.push_back(*std::move(impairment));
  } else {
    item.refuse(impairment.error());
  }
}

JsonValue write_impairment(const Impairment& impairment, Notation) {
  return JsonValue(impairment_text(impairment));
}

/// What describes the network stands alone or, where it has a source of its own, as a figure.
template <typename T, typename... Rules>
void read_count(DocumentSection& section, std::string_view key, T& count, Hardware& hardware,
                const Rules&... rules) {
  Sourced<T> figure{count, ""};
  if (section.optional(key, figure, rules...)) {
    count = figure.value;
    if (find_entry(section.node(), key)->value.kind == DocumentNode::Kind::kMapping) {
      hardware.count_sources[std::string(key)] = {figure.source, figure.unvalidated};
    }
  }
}

template <typename T>
void write_count(NotatedObject& object, std::string_view key, const T& count, const Hardware& hardware) {
  if (const auto known = hardware.count_sources.find(std::string(key));
      known != hardware.count_sources.end()) {
    object.set(key, Sourced<T>{count, known->second.source, known->second.unvalidated});
  } else {
    object.set(key, count);
  }
}

void read_network(DocumentSection& section, Hardware& hardware) {
  constexpr WholeRange kAny{0, 1'000'000};
  read_count(section, "nics_per_node", hardware.nics_per_node, hardware, kAny);        // default 0
  read_count(section, "rails", hardware.rails, hardware);                              // default true
  read_count(section, "nodes_per_pod", hardware.nodes_per_pod, hardware, kAny);        // default num_nodes
  read_count(section, "spines", hardware.spines, hardware, kAny);                      // default 0: one tier
  read_count(section, "links_per_trunk", hardware.links_per_trunk, hardware, kLinks);  // default 1
  read_count(section, "pods_per_group", hardware.pods_per_group, hardware, kAny);      // default 0: all
  read_count(section, "core_switches", hardware.core_switches, hardware, kAny);  // default 0: no third tier
  read_count(section, "links_per_core_trunk", hardware.links_per_core_trunk, hardware, kLinks);  // default 1
}

void write_network(NotatedObject& object, const Hardware& hardware) {
  write_count(object, "nics_per_node", hardware.nics_per_node, hardware);
  write_count(object, "rails", hardware.rails, hardware);
  write_count(object, "nodes_per_pod", hardware.nodes_per_pod, hardware);
  write_count(object, "spines", hardware.spines, hardware);
  write_count(object, "links_per_trunk", hardware.links_per_trunk, hardware);
  write_count(object, "pods_per_group", hardware.pods_per_group, hardware);
  write_count(object, "core_switches", hardware.core_switches, hardware);
  write_count(object, "links_per_core_trunk", hardware.links_per_core_trunk, hardware);
}

void read_cluster(DocumentSection& section, Hardware& hardware) {
  section.required("name", hardware.name);
  section.required("num_nodes", hardware.num_nodes, WholeRange{1, 1'000'000});
  section.required("gpus_per_node", hardware.gpus_per_node, WholeRange{1, 1'000'000});
  hardware.nodes_per_pod = hardware.num_nodes;
  read_network(section, hardware);
  section.section("device", [&](DocumentSection& inner) { read_device(inner, hardware.device); });
  section.optional_value("device_overrides", [](const DocumentValue& value) {
    value.refuse("is not allowed here (allowed: beside device, in YAML)");
  });
  section.section("nvlink", [&](DocumentSection& inner) { read_link(inner, hardware.nvlink); });
  section.optional_section("pcie",
                           [&](DocumentSection& inner) { read_link(inner, hardware.pcie.emplace()); });
  section.optional("host_memory", hardware.host_memory);  // default 0 B: unknown
  section.optional_section("nic", [&](DocumentSection& inner) { read_link(inner, hardware.nic); });
  section.optional_section("trunk", [&](DocumentSection& inner) { read_link(inner, hardware.trunk); });
  section.optional_section("core_trunk",
                           [&](DocumentSection& inner) { read_link(inner, hardware.core_trunk); });
  section.optional("collective_base", hardware.collective_base);  // default 0 s
  section.optional("intra_node_step", hardware.intra_node_step);  // default 0 s
  section.optional("inter_node_step", hardware.inter_node_step);  // default 0 s
  section.optional_list("collective_points", [&](const DocumentValue& item) {
    read_collective_point(item, hardware.collective_points);
  });
  section.optional("price_per_gpu_hour", hardware.price_per_gpu_hour);  // default 0: unknown
  section.optional_list("condition",
                        [&](const DocumentValue& item) { read_impairment(item, hardware.condition); });
}

}  // namespace

JsonValue to_json(const Hardware& hardware, Notation notation) {
  NotatedObject object(notation);
  object.set("name", hardware.name)
      .set("num_nodes", hardware.num_nodes)
      .set("gpus_per_node", hardware.gpus_per_node);
  write_network(object, hardware);
  object.set_json("device", to_json(hardware.device, notation))
      .set_json("nvlink", write_link(hardware.nvlink, notation));
  if (hardware.pcie) {
    object.set_json("pcie", write_link(*hardware.pcie, notation));
  }
  object.set("host_memory", hardware.host_memory)
      .set_json("nic", write_link(hardware.nic, notation))
      .set_json("trunk", write_link(hardware.trunk, notation))
      .set_json("core_trunk", write_link(hardware.core_trunk, notation))
      .set("collective_base", hardware.collective_base)
      .set("intra_node_step", hardware.intra_node_step)
      .set("inter_node_step", hardware.inter_node_step)
      .set_json("collective_points",
                write_list(hardware.collective_points, &write_collective_point, notation))
      .set("price_per_gpu_hour", hardware.price_per_gpu_hour);
  if (!hardware.condition.empty()) {
    object.set_json("condition", write_list(hardware.condition, &write_impairment, notation));
  }
  return object.take();
}

Result<Hardware> hardware_from(const DocumentNode& root) {
  Hardware hardware;
  PORTOLAN_CHECK_OK(read_document(
      root, [&](DocumentSection& section) { read_cluster(section, hardware); },
      find_entry(root, "nic") == nullptr ? kUnknownOfHostHint : kUnknownHint));
  if (const auto problem = find_problem(hardware)) {
    return problem_at(root, problem->key, problem->message);
  }
  return hardware;
}

Result<Hardware> read_hardware_text(std::string_view text, std::string_view file, const CatalogPaths& paths) {
  PORTOLAN_TRY(DocumentNode root, parse_yaml(text, file));
  PORTOLAN_CHECK_OK(write_out_device(root, paths));
  return hardware_from(root);
}

Result<Hardware> read_hardware(const std::filesystem::path& path, const CatalogPaths& paths) {
  PORTOLAN_TRY(const std::string text, read_regular_file(path));
  return read_hardware_text(text, path.string(), paths);
}

std::string write_hardware(const Hardware& hardware) {
  return write_yaml(to_json(hardware, Notation::kUnits));
}

}  // namespace portolan
