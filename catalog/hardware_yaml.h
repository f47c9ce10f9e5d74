#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/document/node.h"
#include "catalog/json/json_value.h"
#include "topology/hardware.h"

namespace portolan {

/// A hardware file (docs/scenario-files.md lists its keys with units and defaults). Errors (kBadInput), one
/// line: what parse_yaml finds; unknown, missing and repeated keys; a value that is no quantity; what
/// find_problem(hardware) finds, at the line of its key; a figure left "unknown" (a template for
/// calibration); what is wrong with the device that it names, or in its file.
Result<Hardware> read_hardware(const std::filesystem::path& path, const CatalogPaths& paths);
/// The same from text; `file` is the name in messages and of plain figures' sources, and a device's path
/// starts from its folder.
Result<Hardware> read_hardware_text(std::string_view text, std::string_view file,
                                    const CatalogPaths& paths = {});
/// YAML with the device written out, which read_hardware_text reads back to an equal value (memory sizes up
/// to 2^53 bytes).
std::string write_hardware(const Hardware& hardware);

/// Of a document with the device written out (named_file.h).
Result<Hardware> hardware_from(const DocumentNode& root);
JsonValue to_json(const Hardware& hardware, Notation notation = Notation::kNumbers);

}  // namespace portolan
