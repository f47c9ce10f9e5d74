#include "catalog/json/strategy_json.h"

#include <fmt/format.h>

#include "catalog/json/notated.h"
#include "catalog/node_list_value.h"
#include "catalog/strategy_text.h"

namespace portolan {

namespace {

constexpr WholeRange kStrategyDegree{1, 1'000'000};

/// The text of a strategy word's value as --strategy would have it.
std::optional<std::string> word_text(const DocumentValue& value, std::string_view word) {
  const DocumentNode& node = value.node();
  if (node.kind == DocumentNode::Kind::kScalar) {
    const bool is_bare_size = word == "bucket" && node.origin->notation == Notation::kNumbers;
    return is_bare_size ? node.scalar + " B" : node.scalar;
  }
  if (node.kind != DocumentNode::Kind::kSequence || (word != "layers" && word != "axis_order")) {
    value.refuse("is not a value as --strategy takes it");
    return std::nullopt;
  }
  std::string joined;
  for (const DocumentNode& item : node.items) {
    if (item.kind != DocumentNode::Kind::kScalar) {
      value.refuse("is not a list of words or numbers");
      return std::nullopt;
    }
    joined += (joined.empty() ? "" : word == "layers" ? ":" : "-") + item.scalar;
  }
  return joined;
}

template <typename T>
void set_fixed(NotatedObject& object, std::string_view key, const std::optional<T>& field) {
  if (field) {
    object.set(key, *field);
  }
}

/// Reads the value as --strategy takes it; what is wrong with it is recorded.
template <typename T>
void read_parsed(DocumentSection& section, std::string_view key, T& target,
                 Result<T> (*parse)(std::string_view)) {
  section.optional_value(key, [&](const DocumentValue& value) {
    const std::optional<std::string> text = word_text(value, key);
    if (!text) {
      return;
    }
    if (Result<T> parsed = parse(*text)) {
      target = std::move(*parsed);
    } else {
      value.refuse(parsed.error());
    }
  });
}

/// The rule behind what is recomputed, where there is one.
RecomputeChoice recompute_choice(const Strategy& strategy) {
  const std::optional<RecomputeBlock> block = find_recompute_block(strategy);
  return block ? RecomputeChoice(*block) : RecomputeChoice(strategy.recompute);
}

JsonValue axis_list(const std::array<Axis, kNumAxes>& order) {
  JsonValue list = JsonValue::array();
  for (Axis axis : order) {
    list.append(word_of(axis));
  }
  return list;
}

}  // namespace

JsonValue to_json(const Strategy& strategy) {
  return NotatedObject(Notation::kNumbers)
      .set("tp", strategy.tensor_parallel)
      .set("pp", strategy.pipeline_parallel)
      .set("dp", strategy.data_parallel)
      .set("cp", strategy.context_parallel)
      .set("ep", strategy.expert_parallel)
      .set("virtual_stages", strategy.virtual_stages)
      .set("sequence_parallel", strategy.sequence_parallel)
      .set("microbatch", strategy.microbatch_size)
      .set("schedule", strategy.schedule)
      .set("zero", strategy.zero_stage)
      .set("zero_group", strategy.zero_group)
      .set("recompute", write_recompute(recompute_choice(strategy)))
      .set("aggregation", strategy.gradient_aggregation.algorithm)
      .set("bucket", strategy.gradient_aggregation.bucket.value)
      .set("overlap", strategy.gradient_aggregation.overlap)
      .set("compression", compression_name(strategy.gradient_aggregation.compression))
      .set_json("axis_order", axis_list(strategy.axis_order))
      .set("precision", strategy.precision)
      .set("offload", strategy.offload)
      .set_json("layers",
                strategy.layers_per_stage.empty() ? JsonValue() : json_list(strategy.layers_per_stage))
      .set_json("node_order",
                strategy.node_order.empty() ? JsonValue() : JsonValue(format_node_list(strategy.node_order)))
      .take();
}

void read_strategy(DocumentSection& section, Strategy& strategy, std::int64_t num_layers) {
  section.required("tp", strategy.tensor_parallel, kStrategyDegree);
  section.required("pp", strategy.pipeline_parallel, kStrategyDegree);
  section.required("dp", strategy.data_parallel, kStrategyDegree);
  section.optional("cp", strategy.context_parallel, kStrategyDegree);
  section.optional("ep", strategy.expert_parallel, kStrategyDegree);
  section.optional("virtual_stages", strategy.virtual_stages, WholeRange{1, 1000});
  section.optional("sequence_parallel", strategy.sequence_parallel);
  section.required("microbatch", strategy.microbatch_size, kStrategyDegree);
  section.required("schedule", strategy.schedule);
  section.optional("zero", strategy.zero_stage, WholeRange{0, 3});
  section.optional("zero_group", strategy.zero_group, WholeRange{0, kStrategyDegree.most});
  RecomputeChoice recompute;
  read_parsed(section, "recompute", recompute, &parse_recompute);
  section.optional("aggregation", strategy.gradient_aggregation.algorithm);
  section.optional("bucket", strategy.gradient_aggregation.bucket.value,
                   WholeRange{0, std::int64_t{1} << 48});
  section.optional("overlap", strategy.gradient_aggregation.overlap);
  read_parsed(section, "compression", strategy.gradient_aggregation.compression, &parse_compression);
  read_parsed(section, "axis_order", strategy.axis_order, &parse_axis_order);
  section.required("precision", strategy.precision);
  section.optional("offload", strategy.offload);
  section.optional_list("layers", [&](const DocumentValue& item) {
    std::int32_t layers = 0;
    item.read(layers, WholeRange{0, kStrategyDegree.most});
    strategy.layers_per_stage.push_back(layers);
  });
  section.optional_value("node_order",
                         [&](const DocumentValue& value) { read_node_list(value, strategy.node_order); });
  if (const auto* sets = std::get_if<Recompute>(&recompute); sets != nullptr && sets->is_open()) {
    section.optional_value("recompute", [&](const DocumentValue& value) {
      value.refuse_value("is for scenarios (allowed here: what each layer recomputes)");
    });
  }
  const auto stages = find_layers_of_stages(num_layers, strategy);
  if (stages || std::holds_alternative<Recompute>(recompute)) {
    strategy.recompute = recompute_of(recompute, stages.value_or(std::vector<std::int32_t>{}));
  } else {
    section.optional_value("recompute", [&](const DocumentValue& value) {
      value.refuse_value(fmt::format("needs stages that make up the model's {} layers", num_layers));
    });
  }
}

JsonValue to_json(const StrategyConstraints& constraints, Notation notation) {
  NotatedObject object(notation);
  set_fixed(object, "tp", constraints.tensor_parallel);
  set_fixed(object, "pp", constraints.pipeline_parallel);
  set_fixed(object, "dp", constraints.data_parallel);
  set_fixed(object, "cp", constraints.context_parallel);
  set_fixed(object, "ep", constraints.expert_parallel);
  set_fixed(object, "virtual_stages", constraints.virtual_stages);
  set_fixed(object, "sequence_parallel", constraints.sequence_parallel);
  set_fixed(object, "microbatch", constraints.microbatch_size);
  set_fixed(object, "schedule", constraints.schedule);
  set_fixed(object, "zero", constraints.zero_stage);
  set_fixed(object, "zero_group", constraints.zero_group);
  if (constraints.recompute) {
    object.set("recompute", write_recompute(*constraints.recompute));
  }
  set_fixed(object, "aggregation", constraints.aggregation);
  if (constraints.bucket) {
    object.set_json("bucket", notated(*constraints.bucket, notation));
  }
  set_fixed(object, "overlap", constraints.overlap);
  if (constraints.compression) {
    object.set("compression", compression_name(*constraints.compression));
  }
  if (constraints.axis_order) {
    object.set_json("axis_order", axis_list(*constraints.axis_order));
  }
  set_fixed(object, "precision", constraints.precision);
  set_fixed(object, "offload", constraints.offload);
  if (constraints.layers_per_stage) {
    object.set_json("layers", json_list(*constraints.layers_per_stage));
  }
  return object.take();
}

void read_constraints(DocumentSection& section, StrategyConstraints& constraints) {
  section.each([&](std::string_view word, const DocumentValue& value) {
    const std::optional<std::string> text = word_text(value, word);
    if (!text) {
      return;
    }
    if (const auto done = set_strategy_word(constraints, word, *text); !done) {
      value.refuse(done.error());
    } else if (const auto checked = check_degrees(constraints); !checked) {
      value.refuse(checked.error());
    }
  });
}

}  // namespace portolan
