#include "study/trace_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "catalog/words.h"
#include "study/median.h"
#include "study/product_scale.h"

namespace portolan {

namespace {

constexpr std::size_t kFewestShapesOfAFit = 20;
constexpr std::size_t kFewestWeightGradients = 3;
constexpr std::size_t kFewestLengths = 3;

/// Those of a precision that the device has; the others are noted. A trace has the kernels' own time: with
/// the launch it is what the planner predicts.
std::vector<GemmRow> with_peak(const std::vector<GemmRow>& rows, const DeviceSpec& device,
                               std::vector<std::string>& notes) {
  std::vector<GemmRow> kept;
  std::map<Precision, std::int64_t> unknown;
  for (const GemmRow& row : rows) {
    if (device.peak.contains(row.precision)) {
      kept.push_back(row);
      kept.back().time += device.kernel_launch.value;
    } else {
      ++unknown[row.precision];
    }
  }
  for (const auto& [precision, count] : unknown) {
    notes.push_back(
        fmt::format("{} products in {}: the hardware file has no peak for it", count, word_of(precision)));
  }
  return kept;
}

void fit_products(TracedRows& traced, const DeviceSpec& device, std::optional<std::int64_t> multiprocessors,
                  TraceFit& fit) {
  const std::vector<GemmRow> rows = with_peak(traced.products, device, fit.notes);
  if (rows.empty()) {
    traced.leave_out(TimeKind::kGemm, "the hardware file has no peak for its precision");
    return;
  }
  if (!multiprocessors && device.gemm_tiles) {
    multiprocessors = device.gemm_tiles->multiprocessors.value;
  }
  DeviceSpec fitted = device;
  if (rows.size() >= kFewestShapesOfAFit && multiprocessors) {
    if (const Result<GemmFit> tiles = fit_gemm_tiles(rows, device, *multiprocessors)) {
      fit.tiles = *tiles;
      fitted.gemm_tiles = tiles->tiles;
    }
  }
  double factor = 1;
  if (!fit.tiles) {
    fit.products = ProductScale(rows, device).fit();
    factor = fit.products->factor;
  }
  const std::vector<GemmRow> gradients = with_peak(traced.weight_gradients, device, fit.notes);
  if (gradients.size() >= kFewestWeightGradients && fitted.gemm_tiles) {
    const ProductScale scale(gradients, fitted);
    std::vector<double> rates;
    for (const GemmRow& row : gradients) {
      rates.push_back(scale.factor(row) / factor);
    }
    fit.weight_gradient_rate = std::min(median_of(std::move(rates)), 1.0);
  }
}

/// Share of peak for long sequences that a kernel's rate comes to.
double efficiency_of(const AttentionRow& row, double mask_overhead, FlopsPerSecond peak) {
  return row.rate / peak * (row.causal ? 1 + mask_overhead / static_cast<double>(row.sequence) : 1);
}

TracedAttentionFit scaled_attention(const std::vector<AttentionRow>& rows, std::int64_t version,
                                    const DeviceSpec& device, FlopsPerSecond peak) {
  const auto known = std::find_if(device.flash_attention.begin(), device.flash_attention.end(),
                                  [&](const FlashAttention& one) { return one.version == version; });
  TracedAttentionFit fit{
      .constants = {.version = version, .efficiency = {}, .mask_overhead = {0, "none known"}},
      .num_rows = std::ssize(rows),
      .fitted = {},
      .held_back = {}};
  if (known != device.flash_attention.end()) {
    fit.constants.mask_overhead = known->mask_overhead;
  }
  std::vector<double> efficiencies, fitted;
  for (const AttentionRow& row : rows) {
    efficiencies.push_back(std::min(efficiency_of(row, fit.constants.mask_overhead.value, peak), 1.0));
  }
  const double efficiency = median_of(efficiencies);
  fit.constants.efficiency.value = efficiency;
  for (const double own : efficiencies) {
    fitted.push_back(100 * std::abs(own / efficiency - 1));
  }
  fit.fitted = error_of(std::move(fitted));
  fit.held_back = rows.size() > 1 ? held_back_error(efficiencies,
                                                    [&](std::size_t i, double others) {
                                                      return 100 * std::abs(efficiencies[i] / others - 1);
                                                    })
                                  : fit.fitted;
  return fit;
}

void fit_attention(TracedRows& traced, const DeviceSpec& device, TraceFit& fit) {
  const bool bf16 = device.peak.contains(Precision::kBf16);
  if (traced.attention.empty()) {
    return;
  }
  if (!bf16 && !device.peak.contains(Precision::kFp16)) {
    traced.leave_out(TimeKind::kAttention, "the hardware file has no peak for bf16 or fp16");
    return;
  }
  const FlopsPerSecond peak = device.peak.at(bf16 ? Precision::kBf16 : Precision::kFp16).value;
  std::map<std::int64_t, std::vector<AttentionRow>> versions;
  for (const AttentionRow& row : traced.attention) {
    versions[row.version].push_back(row);
  }
  for (const auto& [version, rows] : versions) {
    std::set<std::int64_t> lengths;
    for (const AttentionRow& row : rows) {
      if (row.causal) {
        lengths.insert(row.sequence);
      }
    }
    const auto whole = fit_flash_attention(rows, device);
    if (lengths.size() >= kFewestLengths && whole) {
      const AttentionFit& one = whole->front();
      fit.attention.push_back({one.constants, true, one.num_rows, one.fitted, one.held_back});
    } else {
      fit.attention.push_back(scaled_attention(rows, version, device, peak));
    }
  }
}

void fit_passes(const std::vector<TracedPass>& passes, const DeviceSpec& device, TraceFit& fit) {
  std::set<std::pair<KernelKind, std::int64_t>> known;
  for (const TracedPass& pass : passes) {
    if (known.insert({pass.kind, pass.elements}).second) {
      fit.kernel_rates.push_back({.kernel = std::string(kernel_name(pass.kind)),
                                  .elements = pass.elements,
                                  .rate = pass.bytes / (pass.time + device.kernel_launch.value)});
    }
  }
}

void leave_out_collectives(TracedRows& traced, const std::string& reason) {
  for (const TimeKind kind : {TimeKind::kAllReduce, TimeKind::kReduceScatter, TimeKind::kAllGather,
                              TimeKind::kBroadcast, TimeKind::kAllToAll}) {
    traced.leave_out(kind, reason);
  }
}

void fit_collectives(TracedRows& traced, const Hardware& hardware, TraceFit& fit) {
  std::map<std::pair<CollectiveKind, std::vector<std::int32_t>>, MeasuredCollective> groups;
  std::int64_t beyond = 0;
  for (const TracedCollective& one : traced.collectives) {
    if (*std::max_element(one.ranks.begin(), one.ranks.end()) >= hardware.num_gpus()) {
      ++beyond;
      continue;
    }
    MeasuredCollective& group = groups[{one.kind, one.ranks}];
    if (group.members.empty()) {
      std::set<std::int64_t> nodes;
      for (const std::int32_t rank : one.ranks) {
        group.members.push_back(rank);
        nodes.insert(rank / hardware.gpus_per_node);
      }
      group.kind = one.kind;
      group.num_nodes = std::ssize(nodes);
    }
    group.rows.push_back({one.size, one.time});
  }
  if (beyond > 0) {
    fit.notes.push_back(fmt::format("{} collectives of ranks that {} does not have ({} GPUs)", beyond,
                                    hardware.name, hardware.num_gpus()));
  }
  std::vector<MeasuredCollective> collectives;
  for (auto& [key, group] : groups) {
    collectives.push_back(std::move(group));
  }
  if (collectives.empty()) {
    leave_out_collectives(traced, "of ranks that the hardware does not have");
    return;
  }
  Result<LinkFit> links = fit_links(collectives, hardware);
  if (links) {
    fit.links = *std::move(links);
    fit.links->points.clear();  // beside compute, which slows them
  } else {
    leave_out_collectives(traced, links.error().message);
  }
}

}  // namespace

Result<TraceFit> fit_trace(TracedRows& rows, const Hardware& hardware,
                           std::optional<std::int64_t> multiprocessors) {
  TraceFit fit;
  fit_products(rows, hardware.device, multiprocessors, fit);
  fit_attention(rows, hardware.device, fit);
  fit_passes(rows.passes, hardware.device, fit);
  fit_collectives(rows, hardware, fit);
  if (!fit.tiles && !fit.products && fit.attention.empty() && fit.kernel_rates.empty() && !fit.links) {
    const std::string why = !fit.notes.empty() ? fit.notes.front()
                            : rows.left_out.empty()
                                ? "it has no kernels"
                                : rows.left_out.front().what + ": " + rows.left_out.front().reason;
    return bad_input(fmt::format("nothing of its kernels can be used ({})", why));
  }
  return fit;
}

}  // namespace portolan
