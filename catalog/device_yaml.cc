#include "catalog/device_yaml.h"

#include <string>
#include <vector>

#include "catalog/json/notated.h"

namespace portolan {

namespace {

constexpr WholeRange kCount{1, 1'000'000'000};

// Each read_... names the keys of one struct; the write_... beside it is its inverse.

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

JsonValue write_flash_attention(const FlashAttention& one, Notation notation) {
  return NotatedObject(notation)
      .set("version", one.version)
      .set("efficiency", one.efficiency)
      .set("mask_overhead", one.mask_overhead)
      .set("forward_rate", one.forward_rate)
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

}  // namespace

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
    inner.optional("forward_rate", one.forward_rate);    // default 1
    inner.finish();
  });
  section.required("memory_efficiency", device.memory_efficiency);
  section.optional("kernel_launch", device.kernel_launch);  // default 0 s
  section.optional_section(
      "gemm_tiles", [&](DocumentSection& inner) { read_gemm_tiles(inner, device.gemm_tiles.emplace()); });
  section.optional("multiprocessors", device.multiprocessors,
                   WholeRange{0, 1'000'000});  // default 0: unknown
  section.optional_list("gemm_points",
                        [&](const DocumentValue& item) { read_gemm_point(item, device.gemm_points); });
  section.optional_list("kernel_rates",
                        [&](const DocumentValue& item) { read_kernel_rate(item, device.kernel_rates); });
  section.optional("power_busy", device.power_busy);  // default 0 W: unknown
  section.optional("power_idle", device.power_idle);  // default 0 W: unknown
}

JsonValue to_json(const DeviceSpec& device, Notation notation) {
  NotatedObject object(notation);
  object.set("memory", device.memory)
      .set_json("peak", write_peak(device.peak, notation))
      .set("memory_bandwidth", device.memory_bandwidth)
      .set("gemm_efficiency", device.gemm_efficiency)
      .set("attention_gemm_efficiency", device.attention_gemm_efficiency)
      .set_json("flash_attention", write_list(device.flash_attention, &write_flash_attention, notation))
      .set("memory_efficiency", device.memory_efficiency)
      .set("kernel_launch", device.kernel_launch)
      .set("multiprocessors", device.multiprocessors);
  if (device.gemm_tiles) {
    object.set_json("gemm_tiles", write_gemm_tiles(*device.gemm_tiles, notation));
  }
  return object.set_json("gemm_points", write_list(device.gemm_points, &write_gemm_point, notation))
      .set_json("kernel_rates", write_list(device.kernel_rates, &write_kernel_rate, notation))
      .set("power_busy", device.power_busy)
      .set("power_idle", device.power_idle)
      .take();
}

}  // namespace portolan
