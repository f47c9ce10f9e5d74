#include "catalog/document/load.h"

#include <fmt/format.h>

#include "base/file.h"
#include "catalog/document/yaml_parser.h"

namespace portolan {

Result<std::string> read_regular_file(const std::filesystem::path& path) {
  std::error_code code;
  const std::filesystem::file_status status = std::filesystem::status(path, code);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
      !std::filesystem::is_directory(status)) {
    return bad_input(fmt::format("{}: is not a regular file", printable(path.string())));
  }
  Result<std::string> text = read_file(path);
  return text ? std::move(text) : bad_input(printable(text.error().message));
}

Result<DocumentNode> load_yaml(const std::filesystem::path& path) {
  PORTOLAN_TRY(const std::string text, read_regular_file(path));
  return parse_yaml(text, path.string());
}

DocumentNode rooted_at(const DocumentNode& node, std::string_view prefix, std::string_view mount) {
  DocumentOrigin origin = *node.origin;
  origin.prefix += origin.prefix.empty() || prefix.empty() ? "" : ".";
  origin.prefix += prefix;
  origin.mount = mount;
  DocumentNode root = node;
  set_origin(root, std::make_shared<DocumentOrigin>(std::move(origin)));
  return root;
}

Result<void> read_document(const DocumentNode& root, const std::function<void(DocumentSection&)>& read,
                           std::string_view unknown_hint) {
  Findings findings;
  findings.unknown_hint = unknown_hint;
  const DocumentValue value(root, findings);
  DocumentSection section(value);
  if (!findings.first()) {
    read(section);
    section.finish();
  }
  if (const std::optional<Error> error = findings.first()) {
    return *error;
  }
  return {};
}

Error problem_at(const DocumentNode& root, std::string_view dotted_path, std::string_view message) {
  return bad_input(place_message(find_nearest(root, dotted_path), dotted_path, message));
}

}  // namespace portolan
