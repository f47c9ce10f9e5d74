#include "cli/fit_json.h"

#include <nlohmann/json.hpp>

namespace portolan {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

namespace {

Json fit_error_json(const FitError& error) {
  return {{"mean", error.mean_pct}, {"median", error.median_pct}, {"p90", error.p90_pct}};
}

Json tiles_json(const GemmTiles& tiles) {
  Json list = Json::array();
  for (const GemmTile& tile : tiles.sizes) {
    list.push_back({{"m", tile.m}, {"n", tile.n}, {"efficiency", tile.efficiency}});
  }
  return list;
}

}  // namespace

std::string step_fit_json(const StepConstant& constant, const StepFit& fit) {
  Json sources = Json::array();
  for (const StepFitOfSource& source : fit.sources) {
    sources.push_back({{"source_family", source.source_family},
                       {"rows", source.num_rows},
                       {"value", source.value},
                       {"error_pct",
                        {{"without", source.without_pct},
                         {"fitted", source.fitted_pct},
                         {"crossed", source.crossed_pct}}}});
  }
  return Json{{"constant", constant.name}, {"value", fit.value}, {"sources", sources}}.dump(2);
}

std::string attention_fit_json(const std::vector<AttentionFit>& fits, std::int64_t num_others) {
  Json versions = Json::array();
  for (const AttentionFit& fit : fits) {
    versions.push_back(
        {{"version", fit.constants.version},
         {"rows", fit.num_rows},
         {"efficiency", fit.constants.efficiency.value},
         {"mask_overhead", fit.constants.mask_overhead.value},
         {"error_pct",
          {{"fitted", fit_error_json(fit.fitted)}, {"held_back", fit_error_json(fit.held_back)}}}});
  }
  return Json{{"left_out", num_others}, {"flash_attention", versions}}.dump(2);
}

std::string gemm_fit_json(const GemmFit& fit, std::int64_t num_others) {
  const Json object = {{"gemm_points", fit.num_rows},
                       {"gemm_shapes", fit.num_shapes},
                       {"left_out", fit.num_small + num_others},
                       {"k_overhead", fit.tiles.k_overhead.value},
                       {"gemm_tiles", tiles_json(fit.tiles)},
                       {"error_pct",
                        {{"fitted", fit_error_json(fit.fitted)},
                         {"held_back", fit_error_json(fit.held_back)},
                         {"one_share", fit_error_json(fit.one_share)}}}};
  return object.dump(2);
}

namespace {

Json links_json(const LinkFit& fit) {
  Json constants = Json::array(), collectives = Json::array();
  for (const LinkConstant& constant : fit.constants) {
    constants.push_back({{"figure", constant.figure},
                         {"before", constant.before},
                         {"value", constant.value},
                         {"rows", constant.num_rows},
                         {"is_set", constant.is_set},
                         {"is_at_limit", constant.is_at_limit}});
  }
  const auto errors = [](const FitError& fitted, const FitError& held_back) {
    return Json{{"fitted", fit_error_json(fitted)}, {"held_back", fit_error_json(held_back)}};
  };
  for (const CollectiveFitError& one : fit.collectives) {
    collectives.push_back({{"collective", collective_name(one.kind)},
                           {"num_ranks", one.num_ranks},
                           {"num_nodes", one.num_nodes},
                           {"rows", one.num_rows},
                           {"error_pct", errors(one.fitted, one.held_back)}});
  }
  return {{"rows", fit.num_rows},
          {"constants", constants},
          {"collective_points", fit.points.size()},
          {"collectives", collectives},
          {"error_pct", errors(fit.fitted, fit.held_back)}};
}

Json products_json(const TraceFit& fit) {
  if (fit.tiles) {
    return {{"rows", fit.tiles->num_rows},
            {"factor", nullptr},
            {"k_overhead", fit.tiles->tiles.k_overhead.value},
            {"gemm_tiles", tiles_json(fit.tiles->tiles)},
            {"error_pct",
             {{"before", nullptr},
              {"fitted", fit_error_json(fit.tiles->fitted)},
              {"held_back", fit_error_json(fit.tiles->held_back)}}}};
  }
  if (!fit.products) {
    return nullptr;
  }
  return {{"rows", fit.products->num_rows},
          {"factor", fit.products->factor},
          {"k_overhead", nullptr},
          {"gemm_tiles", Json::array()},
          {"error_pct",
           {{"before", fit_error_json(fit.products->before)},
            {"fitted", fit_error_json(fit.products->fitted)},
            {"held_back", fit_error_json(fit.products->held_back)}}}};
}

Json shares_json(const TracedRows& rows) {
  Json kinds = Json::array(), left_out = Json::array();
  for (const TracedShare& share : rows.shares) {
    kinds.push_back(
        {{"kind", time_kind_name(share.kind)}, {"time_s", share.time.value}, {"used_s", share.used.value}});
  }
  for (const TracedLeftOut& one : rows.left_out) {
    left_out.push_back(
        {{"what", one.what}, {"reason", one.reason}, {"kernels", one.launches}, {"time_s", one.time.value}});
  }
  return {{"kernels", rows.num_launches},
          {"time_s", rows.time.value},
          {"used_s", rows.used.value},
          {"by_kind", kinds},
          {"left_out", left_out}};
}

}  // namespace

std::string link_fit_json(const LinkFit& fit, std::int64_t num_malformed) {
  Json object = links_json(fit);
  object["left_out"] = num_malformed;
  return object.dump(2);
}

std::string trace_fit_json(const TracedRows& rows, const TraceFit& fit) {
  Json attention = Json::array(), rates = Json::array();
  for (const TracedAttentionFit& one : fit.attention) {
    attention.push_back(
        {{"version", one.constants.version},
         {"rows", one.num_rows},
         {"efficiency", one.constants.efficiency.value},
         {"mask_overhead", one.constants.mask_overhead.value},
         {"mask_is_fitted", one.mask_is_fitted},
         {"error_pct",
          {{"fitted", fit_error_json(one.fitted)}, {"held_back", fit_error_json(one.held_back)}}}});
  }
  for (const KernelRate& rate : fit.kernel_rates) {
    rates.push_back(
        {{"kernel", rate.kernel}, {"elements", rate.elements}, {"rate_bytes_per_s", rate.rate.value}});
  }
  const Json object = {
      {"trace", shares_json(rows)},
      {"products", products_json(fit)},
      {"weight_gradient_rate", fit.weight_gradient_rate ? Json(*fit.weight_gradient_rate) : Json(nullptr)},
      {"flash_attention", attention},
      {"kernel_rates", rates},
      {"links", fit.links ? links_json(*fit.links) : Json(nullptr)},
      {"notes", fit.notes}};
  return object.dump(2);
}

}  // namespace portolan
