#include "catalog/scenario_yaml.h"

#include <fmt/format.h>

#include "catalog/document/load.h"
#include "catalog/document/section.h"
#include "catalog/document/yaml_parser.h"
#include "catalog/hardware_yaml.h"
#include "catalog/json/notated.h"
#include "catalog/json/strategy_json.h"
#include "catalog/model_yaml.h"
#include "catalog/node_list_value.h"
#include "catalog/scenario_files.h"
#include "catalog/software_yaml.h"
#include "catalog/training_run_yaml.h"
#include "plan/job_cluster.h"

namespace portolan {

namespace {

constexpr WholeRange kBatch{1, std::int64_t{1} << 32};

void read_training(DocumentSection& section, TrainingOptions& training) {
  constexpr NumberRange kPositive{1e-300, 1e6};
  constexpr NumberRange kBelowOne{0, 0.999999999};
  section.optional("learning_rate", training.learning_rate, kPositive);
  section.optional("adam_beta1", training.adam_beta1, kBelowOne);
  section.optional("adam_beta2", training.adam_beta2, kBelowOne);
  section.optional("adam_epsilon", training.adam_epsilon, kPositive);
  section.optional("weight_decay", training.weight_decay, NumberRange{0, 1e6});
  section.optional("seed", training.seed);
  section.optional("heldout_batches", training.heldout_batches, WholeRange{0, 1'000'000});
}

JsonValue write_training(const TrainingOptions& training) {
  return NotatedObject(Notation::kNumbers)
      .set("learning_rate", training.learning_rate)
      .set("adam_beta1", training.adam_beta1)
      .set("adam_beta2", training.adam_beta2)
      .set("adam_epsilon", training.adam_epsilon)
      .set("weight_decay", training.weight_decay)
      .set("seed", training.seed)
      .set("heldout_batches", training.heldout_batches)
      .take();
}

/// All keys but the three parts, which load_part reads.
void read_question(DocumentSection& section, Scenario& scenario) {
  for (const char* part :
       {"model", "model_overrides", "hardware", "hardware_overrides", "software", "software_overrides"}) {
    section.optional_value(part, [](const DocumentValue& /*value*/) {});
  }
  section.optional("name", scenario.name);  // default: the file's name
  section.required("sequence_length", scenario.sequence_length, WholeRange{1, std::int64_t{1} << 24});
  section.required("global_batch", scenario.global_batch, kBatch);
  section.optional("num_gpus", scenario.num_gpus, WholeRange{1, 1'000'000});  // default: all of the hardware
  section.optional_value("job_nodes",
                         [&](const DocumentValue& value) { read_node_list(value, scenario.job_nodes); });
  section.optional("precision", scenario.precision);              // default bf16
  section.optional("objective", scenario.objective);              // default time
  section.optional("lossy_gradients", scenario.lossy_gradients);  // default false
  section.optional_section("strategy",
                           [&](DocumentSection& inner) { read_constraints(inner, scenario.constraints); });
  section.optional_section("training",
                           [&](DocumentSection& inner) { read_training(inner, scenario.training); });
  section.optional_section("training_run", [&](DocumentSection& inner) {
    read_training_run(inner, scenario.training_run.emplace());
  });
}

/// Figures that are fine by themselves but not together.
Result<void> cross_check(const DocumentNode& root, const Scenario& scenario) {
  if (scenario.model.position == PositionEncoding::kLearned &&
      scenario.sequence_length > scenario.model.max_positions) {
    return problem_at(
        root, "sequence_length",
        fmt::format("\"{}\" is longer than the learned positions of model {} (allowed: 1 to {})",
                    scenario.sequence_length, printable(scenario.model.name), scenario.model.max_positions));
  }
  if (scenario.num_gpus > scenario.hardware.num_gpus()) {
    return problem_at(root, "num_gpus",
                      fmt::format("\"{}\" is more than hardware {} has (allowed: 1 to {})", scenario.num_gpus,
                                  printable(scenario.hardware.name), scenario.hardware.num_gpus()));
  }
  if (const std::string problem = find_node_problem(scenario.job_nodes, scenario.hardware.num_nodes);
      !problem.empty()) {
    return problem_at(root, "job_nodes",
                      fmt::format("{} in hardware {}", problem, printable(scenario.hardware.name)));
  }
  if (const Result<NodeList> nodes = nodes_of_job(scenario); !nodes) {
    const std::string& message = nodes.error().message;
    const std::size_t key = message.find(": ");
    return problem_at(root, message.substr(0, key), message.substr(key + 2));
  }
  const auto& peaks = scenario.hardware.device.peak;
  const auto check_precision = [&](const char* key, Precision precision) -> Result<void> {
    if (peaks.contains(precision)) {
      return {};
    }
    std::string known;
    for (const auto& [each, rate] : peaks) {
      known += known.empty() ? "" : ", ";
      known += precision_name(each);
    }
    return problem_at(root, key,
                      fmt::format("\"{}\" has no peak in hardware {} (allowed: {})",
                                  precision_name(precision), printable(scenario.hardware.name), known));
  };
  PORTOLAN_CHECK_OK(check_precision("precision", scenario.precision));
  if (scenario.constraints.precision) {
    return check_precision("strategy.precision", *scenario.constraints.precision);
  }
  return {};
}

/// The override as a document of its own: a mapping for each step of its key.
DocumentNode document_of(const ScenarioOverride& override) {
  DocumentNode node;
  node.kind = DocumentNode::Kind::kScalar;
  node.scalar = override.value;
  for (std::string_view key = override.key; !key.empty();) {
    const std::size_t dot = key.rfind('.');
    DocumentNode outer;
    outer.kind = DocumentNode::Kind::kMapping;
    outer.entries.push_back({std::string(key.substr(dot + 1)), 0, std::move(node)});
    node = std::move(outer);
    key = key.substr(0, dot == std::string_view::npos ? 0 : dot);
  }
  set_origin(node, std::make_shared<DocumentOrigin>(DocumentOrigin{.file = override.option, .prefix = ""}));
  return node;
}

/// Whether `document` changes something within a part rather than naming another.
bool is_within_part(const DocumentNode& document) {
  const DocumentEntry& entry = document.entries.front();
  return entry.value.kind == DocumentNode::Kind::kMapping &&
         (entry.key == kModelPart.key || entry.key == kHardwarePart.key || entry.key == kSoftwarePart.key);
}

Result<Scenario> resolve(const DocumentNode& root, const ScenarioSources& sources, Scenario scenario) {
  PORTOLAN_CHECK_OK(read_document(root, [&](DocumentSection& section) { read_question(section, scenario); }));
  PORTOLAN_TRY(const DocumentNode model, load_part(root, kModelPart, sources));
  // A model written out in the scenario needs no name of its own.
  PORTOLAN_TRY(scenario.model, model_from(model, model.origin->prefix.empty() ? "" : scenario.name));
  PORTOLAN_TRY(const DocumentNode hardware, load_part(root, kHardwarePart, sources));
  PORTOLAN_TRY(scenario.hardware, hardware_from(hardware));
  PORTOLAN_TRY(const DocumentNode software, load_part(root, kSoftwarePart, sources));
  PORTOLAN_TRY(scenario.software, software_from(software));
  if (scenario.num_gpus == 0) {
    const auto num_listed = std::ssize(scenario.job_nodes);
    const Result<NodeList> usable = num_listed > 0 ? scenario.job_nodes : nodes_of_job(scenario);
    scenario.num_gpus = usable ? std::ssize(*usable) * scenario.hardware.gpus_per_node : 0;
  }
  PORTOLAN_CHECK_OK(cross_check(root, scenario));
  return scenario;
}

}  // namespace

JsonValue to_json(const Scenario& scenario, Notation notation) {
  NotatedObject object(notation);
  object.set("name", scenario.name)
      .set("sequence_length", scenario.sequence_length)
      .set("global_batch", scenario.global_batch)
      .set("num_gpus", scenario.num_gpus);
  if (!scenario.job_nodes.empty()) {
    object.set("job_nodes", format_node_list(scenario.job_nodes));
  }
  object.set("precision", scenario.precision)
      .set("objective", scenario.objective)
      .set("lossy_gradients", scenario.lossy_gradients)
      .set_json("strategy", to_json(scenario.constraints, notation))
      .set_json("training", write_training(scenario.training));
  if (scenario.training_run) {
    object.set_json("training_run", to_json(*scenario.training_run, notation));
  }
  return object.set_json("model", to_json(scenario.model))
      .set_json("hardware", to_json(scenario.hardware, notation))
      .set_json("software", to_json(scenario.software, notation))
      .take();
}

Result<Scenario> scenario_from(const DocumentNode& root) { return resolve(root, {}, {}); }

Result<Scenario> read_scenario_text(std::string_view text, const std::filesystem::path& file,
                                    const CatalogPaths& paths,
                                    const std::optional<std::filesystem::path>& hardware_file,
                                    const std::vector<ScenarioOverride>& overrides) {
  PORTOLAN_TRY(DocumentNode root, parse_yaml(text, file.string()));
  ScenarioSources sources{.paths = paths, .hardware_file = hardware_file};
  for (const ScenarioOverride& override : overrides) {
    DocumentNode document = document_of(override);
    if (is_within_part(document)) {
      sources.laid_over.push_back(std::move(document));
    } else if (root.kind == DocumentNode::Kind::kMapping) {
      merge_overrides(root, document);
    }
  }
  Scenario scenario;
  scenario.name = file.stem().string();
  return resolve(root, sources, std::move(scenario));
}

Result<Scenario> read_scenario(const std::filesystem::path& path, const CatalogPaths& paths,
                               const std::optional<std::filesystem::path>& hardware_file,
                               const std::vector<ScenarioOverride>& overrides) {
  PORTOLAN_TRY(const std::string text, read_regular_file(path));
  return read_scenario_text(text, path, paths, hardware_file, overrides);
}

std::string write_scenario(const Scenario& scenario) {
  return write_yaml(to_json(scenario, Notation::kUnits));
}

}  // namespace portolan
