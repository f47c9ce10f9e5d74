#include "catalog/hardware_yaml.h"

#include "catalog/document/load.h"
#include "catalog/document/section.h"
#include "catalog/document/yaml_parser.h"
#include "catalog/json/notated.h"

namespace portolan {

namespace {

constexpr std::string_view kUnknownHint =
    "fill it in, there or with hardware_overrides (of the host device: run \"portolan calibrate --device "
    "host "
    "--out FILE\" and pass --hardware FILE)";
constexpr WholeRange kCount{1, 1'000'000'000};
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

void read_peak(DocumentSection& section, std::map<Precision, Sourced<FlopsPerSecond>>& peak) {
  for (std::size_t i = 0; i < words<Precision>().size(); ++i) {
    Sourced<FlopsPerSecond> rate;
    if (section.optional(words<Precision>()[i], rate)) {
      peak[static_cast<Precision>(i)] = rate;
    }
  }
}

JsonValue write_peak(const std::map<Precision, Sourced<FlopsPerSecond>>& peak, Notation notation) {
  NotatedObject object(notation);
  for (const auto& [precision, rate] : peak) {
    object.set(word_of(precision), rate);
  }
  return object.take();
}

void read_gemm_tiles(DocumentSection& section, GemmTiles& tiles) {
  section.required("multiprocessors", tiles.multiprocessors, WholeRange{1, 1'000'000});
  section.required("k_overhead", tiles.k_overhead);                      // elements of K
  section.optional("weight_gradient_rate", tiles.weight_gradient_rate);  // default 1
  section.optional_list("sizes", [&](const DocumentValue& item) {
    DocumentSection inner(item);
    GemmTile tile;
    inner.required("m", tile.m, kCount);
    inner.required("n", tile.n, kCount);
    inner.required("efficiency", tile.efficiency);
    inner.finish();
    tiles.sizes.push_back(tile);
  });
}

JsonValue write_gemm_tile(const GemmTile& tile, Notation notation) {
  return NotatedObject(notation).set("m", tile.m).set("n", tile.n).set("efficiency", tile.efficiency).take();
}

void read_gemm_point(const DocumentValue& item, std::vector<GemmPoint>& points) {
  DocumentSection section(item);
  GemmPoint point;
  section.required("layout", point.layout);
  section.optional("batch", point.batch, kCount);  // default 1
  section.required("m", point.m, kCount);
  section.required("n", point.n, kCount);
  section.required("k", point.k, kCount);
  section.required("rate", point.rate);
  section.finish();
  points.push_back(point);
}

JsonValue write_gemm_point(const GemmPoint& point, Notation notation) {
  return NotatedObject(notation)
      .set("layout", point.layout)
      .set("batch", point.batch)
      .set("m", point.m)
      .set("n", point.n)
      .set("k", point.k)
      .set("rate", point.rate)
      .take();
}

void read_kernel_rate(const DocumentValue& item, std::vector<KernelRate>& rates) {
  DocumentSection section(item);
  KernelRate rate;
  KernelKind kind{};
  if (section.optional("kernel", kind)) {  // a word of model/kernel.h
    rate.kernel = word_of(kind);
  } else {
    section.required("kernel", kind);
  }
  section.required("elements", rate.elements, WholeRange{1, std::int64_t{1} << 48});
  section.required("rate", rate.rate);
  section.optional("source", rate.source);
  section.optional("unvalidated", rate.unvalidated);  // default false
  section.finish();
  rates.push_back(std::move(rate));
}

JsonValue write_kernel_rate(const KernelRate& rate, Notation notation) {
  NotatedObject object(notation);
  object.set("kernel", rate.kernel).set("elements", rate.elements).set("rate", rate.rate);
  if (!rate.source.empty()) {
    object.set("source", rate.source);
  }
  if (rate.unvalidated) {
    object.set("unvalidated", true);
  }
  return object.take();
}

void read_collective_point(const DocumentValue& item, std::vector<CollectivePoint>& points) {
  DocumentSection section(item);
  CollectivePoint point;
  section.required("collective", point.collective);  // all_reduce, send_receive, ...
  section.optional("num_ranks", point.num_ranks, WholeRange{2, kCount.most});  // default 2
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

void read_device(DocumentSection& section, DeviceSpec& device) {
  section.required("memory", device.memory);
  section.section("peak", [&](DocumentSection& inner) { read_peak(inner, device.peak); });
  section.required("memory_bandwidth", device.memory_bandwidth);
  section.required("gemm_efficiency", device.gemm_efficiency);
  section.required("attention_gemm_efficiency", device.attention_gemm_efficiency);
  section.optional_list("flash_attention", [&](const DocumentValue& item) {  // others: as above
    DocumentSection inner(item);
    FlashAttention& one = device.flash_attention.emplace_back();
    inner.required("version", one.version, kCount);
    inner.required("efficiency", one.efficiency);
    inner.optional("mask_overhead", one.mask_overhead);  // tokens, default 0
    inner.finish();
  });
  section.required("memory_efficiency", device.memory_efficiency);
  section.optional("kernel_launch", device.kernel_launch);  // default 0 s
  section.optional_section(
      "gemm_tiles", [&](DocumentSection& inner) { read_gemm_tiles(inner, device.gemm_tiles.emplace()); });
  section.optional_list("gemm_points",
                        [&](const DocumentValue& item) { read_gemm_point(item, device.gemm_points); });
  section.optional_list("kernel_rates",
                        [&](const DocumentValue& item) { read_kernel_rate(item, device.kernel_rates); });
  section.optional("power_busy", device.power_busy);  // default 0 W: unknown
  section.optional("power_idle", device.power_idle);  // default 0 W: unknown
}

template <typename T>
JsonValue write_list(const std::vector<T>& list, JsonValue (*write)(const T&, Notation), Notation notation) {
  JsonValue array = JsonValue::array();
  for (const T& item : list) {
    array.append(write(item, notation));
  }
  return array;
}

JsonValue write_flash_attention(const FlashAttention& one, Notation notation) {
  return NotatedObject(notation)
      .set("version", one.version)
      .set("efficiency", one.efficiency)
      .set("mask_overhead", one.mask_overhead)
      .take();
}

JsonValue write_gemm_tiles(const GemmTiles& tiles, Notation notation) {
  return NotatedObject(notation)
      .set("multiprocessors", tiles.multiprocessors)
      .set("k_overhead", tiles.k_overhead)
      .set("weight_gradient_rate", tiles.weight_gradient_rate)
      .set_json("sizes", write_list(tiles.sizes, &write_gemm_tile, notation))
      .take();
}

JsonValue write_device(const DeviceSpec& device, Notation notation) {
  NotatedObject object(notation);
  object.set("memory", device.memory)
      .set_json("peak", write_peak(device.peak, notation))
      .set("memory_bandwidth", device.memory_bandwidth)
      .set("gemm_efficiency", device.gemm_efficiency)
      .set("attention_gemm_efficiency", device.attention_gemm_efficiency)
      .set_json("flash_attention", write_list(device.flash_attention, &write_flash_attention, notation))
      .set("memory_efficiency", device.memory_efficiency)
      .set("kernel_launch", device.kernel_launch);
  if (device.gemm_tiles) {
    object.set_json("gemm_tiles", write_gemm_tiles(*device.gemm_tiles, notation));
  }
  return object.set_json("gemm_points", write_list(device.gemm_points, &write_gemm_point, notation))
      .set_json("kernel_rates", write_list(device.kernel_rates, &write_kernel_rate, notation))
      .set("power_busy", device.power_busy)
      .set("power_idle", device.power_idle)
      .take();
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
  section.section("nvlink", [&](DocumentSection& inner) { read_link(inner, hardware.nvlink); });
  section.optional_section("pcie",
                           [&](DocumentSection& inner) { read_link(inner, hardware.pcie.emplace()); });
  section.optional("host_memory", hardware.host_memory);  // default 0 B: unknown
  section.optional_section("nic", [&](DocumentSection& inner) { read_link(inner, hardware.nic); });
  section.optional_section("trunk", [&](DocumentSection& inner) { read_link(inner, hardware.trunk); });
  section.optional_section("core_trunk",
                           [&](DocumentSection& inner) { read_link(inner, hardware.core_trunk); });
  section.optional("intra_node_step", hardware.intra_node_step);  // default 0 s
  section.optional("inter_node_step", hardware.inter_node_step);  // default 0 s
  section.optional_list("collective_points", [&](const DocumentValue& item) {
    read_collective_point(item, hardware.collective_points);
  });
  section.optional("price_per_gpu_hour", hardware.price_per_gpu_hour);  // default 0: unknown
}

}  // namespace

JsonValue to_json(const Hardware& hardware, Notation notation) {
  NotatedObject object(notation);
  object.set("name", hardware.name)
      .set("num_nodes", hardware.num_nodes)
      .set("gpus_per_node", hardware.gpus_per_node);
  write_network(object, hardware);
  object.set_json("device", write_device(hardware.device, notation))
      .set_json("nvlink", write_link(hardware.nvlink, notation));
  if (hardware.pcie) {
    object.set_json("pcie", write_link(*hardware.pcie, notation));
  }
  return object.set("host_memory", hardware.host_memory)
      .set_json("nic", write_link(hardware.nic, notation))
      .set_json("trunk", write_link(hardware.trunk, notation))
      .set_json("core_trunk", write_link(hardware.core_trunk, notation))
      .set("intra_node_step", hardware.intra_node_step)
      .set("inter_node_step", hardware.inter_node_step)
      .set_json("collective_points",
                write_list(hardware.collective_points, &write_collective_point, notation))
      .set("price_per_gpu_hour", hardware.price_per_gpu_hour)
      .take();
}

Result<Hardware> hardware_from(const DocumentNode& root) {
  Hardware hardware;
  PORTOLAN_CHECK_OK(read_document(
      root, [&](DocumentSection& section) { read_cluster(section, hardware); }, kUnknownHint));
  if (const auto problem = find_problem(hardware)) {
    return problem_at(root, problem->key, problem->message);
  }
  return hardware;
}

Result<Hardware> read_hardware_text(std::string_view text, std::string_view file) {
  PORTOLAN_TRY(const DocumentNode root, parse_yaml(text, file));
  return hardware_from(root);
}

Result<Hardware> read_hardware(const std::filesystem::path& path) {
  PORTOLAN_TRY(const std::string text, read_regular_file(path));
  return read_hardware_text(text, path.string());
}

std::string write_hardware(const Hardware& hardware) {
  return write_yaml(to_json(hardware, Notation::kUnits));
}

}  // namespace portolan
