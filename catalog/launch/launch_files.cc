#include "catalog/launch/launch_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "catalog/json/json_value.h"
#include "catalog/json/strategy_json.h"
#include "plan/job_cluster.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

/// Axes along which there are several ranks, from the innermost; experts divide some of the data-parallel
/// ones.
std::vector<Axis> axes_in_use(const Strategy& s, const std::array<Axis, kNumAxes>& order) {
  const auto degree = [&](Axis axis) {
    switch (axis) {
      case Axis::kTensor:
        return s.tensor_parallel;
      case Axis::kContext:
        return s.context_parallel;
      case Axis::kExpert:
        return s.expert_parallel;
      case Axis::kData:
        return s.data_parallel / std::max(s.expert_parallel, 1);
      case Axis::kPipeline:
        return s.pipeline_parallel;
    }
    return 1;
  };
  std::vector<Axis> axes;
  std::copy_if(order.begin(), order.end(), std::back_inserter(axes), [&](Axis a) { return degree(a) > 1; });
  return axes;
}

/// The cluster's nodes that ranks fill, in their order.
NodeList nodes_of_ranks(const Plan& plan) {
  if (!plan.strategy.node_order.empty()) {
    return plan.strategy.node_order;
  }
  const Result<NodeList> nodes = nodes_of_job(plan.scenario);
  return nodes ? *nodes : plan.scenario.job_nodes;
}

/// As --strategy takes it; "default" where the strategy leaves it open.
std::string value_text(std::string_view field, const JsonValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.content())) {
    return *text;
  }
  if (const JsonValue::Array* items = value.as_array()) {
    std::string joined;
    for (const JsonValue& item : *items) {
      joined += (joined.empty() ? "" : field == "layers" ? ":" : "-") + value_text(field, item);
    }
    return joined;
  }
  return std::holds_alternative<std::monostate>(value.content()) ? "default" : write_json_line(value);
}

}  // namespace

LaunchFields::LaunchFields(const Strategy& strategy) {
  const JsonValue json = to_json(strategy);
  for (const auto& [field, value] : *json.as_object()) {
    fields_.push_back({field, value_text(field, value), {}, std::string(kFieldForgotten)});
  }
}

LaunchField& LaunchFields::find(std::string_view field) {
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const LaunchField& known) { return known.field == field; });
  assert(found != fields_.end() && found->why == kFieldForgotten);
  return *found;
}

void LaunchFields::maps(std::string_view field, std::string as) {
  LaunchField& found = find(field);
  found.as = std::move(as);
  found.why.clear();
}

void LaunchFields::cannot(std::string_view field, std::string why) { find(field).why = std::move(why); }

void LaunchFields::maps_unless(std::string_view field, std::string as, std::string why) {
  why.empty() ? maps(field, std::move(as)) : cannot(field, std::move(why));
}

void LaunchFields::maps_aggregation(CollectiveAlgorithm algorithm) {
  maps_unless("aggregation", algorithm == CollectiveAlgorithm::kTree ? "NCCL_ALGO=Tree" : "NCCL's own choice",
              algorithm == CollectiveAlgorithm::kHierarchical
                  ? "NCCL_ALGO has rings and trees; NCCL is left to choose"
                  : "");
}

void LaunchFields::maps_node_order() { maps("node_order", "the order of hosts in hostfile"); }

void LaunchFields::cannot_say(std::string field, std::string value, std::string why) {
  fields_.push_back({std::move(field), std::move(value), {}, std::move(why)});
}

bool lies_as(const Strategy& strategy, const std::array<Axis, kNumAxes>& order) {
  return axes_in_use(strategy, strategy.axis_order) == axes_in_use(strategy, order);
}

RanksOnNodes ranks_on_nodes(const Plan& plan) {
  const std::int64_t ranks = plan.strategy.num_ranks();
  const std::int64_t per_node = std::min(ranks, plan.scenario.hardware.gpus_per_node);
  return {.nodes = (ranks + per_node - 1) / per_node, .ranks_per_node = per_node};
}

std::vector<LaunchFile> node_files(const Plan& plan, const std::vector<std::string>& names) {
  const RanksOnNodes ranks = ranks_on_nodes(plan);
  const NodeList nodes = nodes_of_ranks(plan);
  const auto host = [&](std::int64_t node) {
    const auto index = static_cast<std::size_t>(nodes[static_cast<std::size_t>(node)]);
    return names.empty() ? fmt::format("node-{}", index) : names[index];
  };
  std::string hosts;
  for (std::int64_t node = 0; node < ranks.nodes; ++node) {
    hosts += fmt::format("{} slots={}\n", host(node), ranks.ranks_per_node);
  }
  const Placement placement = placement_of(plan.strategy);
  const std::int64_t per_node = plan.scenario.hardware.gpus_per_node;
  std::string tasks;
  std::string table = "rank,node,gpu";
  for (const Axis axis : kAllAxes) {
    table += fmt::format(",{}", axis_name(axis));
  }
  table += '\n';
  for (std::int32_t rank = 0; rank < placement.num_ranks(); ++rank) {
    const std::int64_t node = rank / per_node;
    tasks += host(node) + '\n';
    table += fmt::format("{},{},{}", rank,
                         names.empty() ? std::to_string(nodes[static_cast<std::size_t>(node)]) : host(node),
                         rank % per_node);
    for (const std::int32_t coordinate : placement.coordinates_of(rank)) {
      table += fmt::format(",{}", coordinate);
    }
    table += '\n';
  }
  return {{.name = "hostfile", .content = std::move(hosts)},
          {.name = "task_hosts", .content = std::move(tasks)},
          {.name = "ranks.csv", .content = std::move(table)}};
}

std::vector<LaunchFile> with_node_files(const Plan& plan, std::vector<LaunchFile> files) {
  std::vector<LaunchFile> listed = node_files(plan);
  std::move(listed.begin(), listed.end(), std::back_inserter(files));
  return files;
}

std::string launch_title(const Plan& plan) {
  std::string title = fmt::format("{}: {} (program {})", plan.scenario.name, short_name(plan.strategy),
                                  plan.hash.substr(0, 12));
  std::replace_if(
      title.begin(), title.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return title;
}

}  // namespace portolan
