#include "catalog/plan_json.h"

#include <fmt/format.h>

#include "base/parse_quantity.h"
#include "catalog/document/json_parser.h"
#include "catalog/document/load.h"
#include "catalog/json/program_json.h"
#include "catalog/json/strategy_json.h"
#include "catalog/scenario_yaml.h"
#include "catalog/strategy_text.h"

namespace portolan {

namespace {

constexpr std::string_view kFormat = "portolan plan 1";

void read_format(DocumentSection& section) {
  std::string format;
  section.required("format", format);
  if (!format.empty() && format != kFormat) {
    section.optional_value("format", [](const DocumentValue& value) {
      value.refuse_value(fmt::format("is not a format that this version reads (allowed: \"{}\")", kFormat));
    });
  }
}

/// Before the scenario is read and checked: 0 where it does not say, or no model has as many.
std::int64_t layers_of_model(const DocumentNode& root) {
  constexpr std::int64_t kMost = 100'000;
  const Result<std::int64_t> layers = parse_integer(find_nearest(root, "scenario.model.num_layers").scalar);
  return layers && *layers > 0 && *layers <= kMost ? *layers : 0;
}

void read_parts(DocumentSection& section, std::int64_t num_layers, Plan& plan) {
  read_format(section);
  std::string stored_hash;
  section.optional("hash", stored_hash);
  section.section("strategy", [&](DocumentSection& inner) {
    read_strategy(inner, plan.strategy, num_layers);
    if (const auto checked = check_degrees(constraints_of(plan.strategy)); !checked) {
      inner.value().refuse(checked.error().message);
    }
  });
  section.section("program", [&](DocumentSection& inner) { read_program(inner, plan.program); });
  section.section("scenario", [](DocumentSection& inner) { inner.allow_other_keys(); });
}

}  // namespace

std::string write_plan(const Plan& plan) {
  return write_json(JsonValue::object()
                        .set("format", kFormat)
                        .set("hash", plan.hash)
                        .set("scenario", to_json(plan.scenario))
                        .set("strategy", to_json(plan.strategy))
                        .set("program", to_json(plan.program)));
}

Result<Plan> read_plan(std::string_view text, std::string_view file_name) {
  PORTOLAN_TRY(const DocumentNode root, parse_json(text, file_name, Notation::kNumbers));
  Plan plan;
  PORTOLAN_CHECK_OK(read_document(
      root, [&](DocumentSection& section) { read_parts(section, layers_of_model(root), plan); }));
  PORTOLAN_TRY(plan.scenario, scenario_from(rooted_at(find_entry(root, "scenario")->value, "scenario")));
  if (const auto checked = check_plan(plan); !checked) {
    const std::string& message = checked.error().message;
    const std::size_t part = message.find(": ");
    return problem_at(root, message.substr(0, part), message.substr(part + 2));
  }
  plan.hash = program_hash(plan.program);
  return plan;
}

}  // namespace portolan
