#include "catalog/prediction_errors_yaml.h"

#include <fmt/format.h>

#include "base/file.h"
#include "catalog/document/load.h"
#include "catalog/document/section.h"
#include "catalog/document/yaml_parser.h"
#include "catalog/json/notated.h"

namespace portolan {

namespace {

constexpr double kLargestError = 100;

void read_source_errors(const DocumentValue& item, std::vector<SourceErrors>& list) {
  DocumentSection section(item);
  SourceErrors source;
  section.required("source_family", source.source_family);
  section.required("hardware", source.of.hardware);
  section.required("software", source.of.software);
  section.required("software_family", source.of.software_family);
  section.required("measured_device", source.of.measured_device);
  section.required("rows", source.rows, WholeRange{1, 1'000'000'000});
  section.list("errors", [&](const DocumentValue& value) {
    double error = 0;
    if (value.read(error, NumberRange{0, kLargestError})) {
      if (!source.errors.empty() && error < source.errors.back()) {
        value.refuse(fmt::format("{} is not ascending (allowed: {} or more)", error, source.errors.back()));
      }
      source.errors.push_back(error);
    }
  });
  section.finish();
  list.push_back(std::move(source));
}

JsonValue source_errors_json(const SourceErrors& source, Notation notation) {
  JsonValue errors = JsonValue::array();
  for (const double error : source.errors) {
    errors.append(error);
  }
  return NotatedObject(notation)
      .set("source_family", source.source_family)
      .set("hardware", source.of.hardware)
      .set("software", source.of.software)
      .set("software_family", source.of.software_family)
      .set("measured_device", source.of.measured_device)
      .set("rows", source.rows)
      .set_json("errors", std::move(errors))
      .take();
}

}  // namespace

Result<PredictionErrors> read_prediction_errors_text(std::string_view text, std::string_view file) {
  PORTOLAN_TRY(const DocumentNode root, parse_yaml(text, file));
  PredictionErrors errors;
  PORTOLAN_CHECK_OK(read_document(root, [&](DocumentSection& section) {
    section.optional_list("step_time",
                          [&](const DocumentValue& item) { read_source_errors(item, errors.step_time); });
    section.optional_list("memory",
                          [&](const DocumentValue& item) { read_source_errors(item, errors.memory); });
  }));
  return errors;
}

Result<PredictionErrors> read_prediction_errors(const std::filesystem::path& path) {
  PORTOLAN_TRY(const std::string text, read_regular_file(path));
  return read_prediction_errors_text(text, path.string());
}

std::string write_prediction_errors(const PredictionErrors& errors) {
  NotatedObject object(Notation::kUnits);
  object.set_json("step_time", write_list(errors.step_time, &source_errors_json, Notation::kUnits))
      .set_json("memory", write_list(errors.memory, &source_errors_json, Notation::kUnits));
  return write_yaml(object.take());
}

Result<PredictionErrors> find_prediction_errors(const CatalogPaths& paths) {
  const auto file = find_in_catalog(paths, "errors", "published");
  return file ? read_prediction_errors(*file) : PredictionErrors{};
}

}  // namespace portolan
