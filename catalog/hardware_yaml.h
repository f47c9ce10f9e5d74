#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/document/node.h"
#include "catalog/json/json_value.h"
#include "topology/hardware.h"

namespace portolan {

/// A hardware file (docs/scenario-files.md lists its keys with units and defaults). Errors (kBadInput), one
/// line: what parse_yaml finds; unknown, missing and repeated keys; a value that is no quantity; what
/// find_problem(hardware) finds, at the line of its key; a figure left "unknown" (a template for
/// calibration).
Result<Hardware> read_hardware(const std::filesystem::path& path);
/// The same from text; `file` is the name in messages and of plain figures' sources.
Result<Hardware> read_hardware_text(std::string_view text, std::string_view file);
/// YAML that read_hardware_text reads back to an equal value (memory sizes up to 2^53 bytes).
std::string write_hardware(const Hardware& hardware);

Result<Hardware> hardware_from(const DocumentNode& root);
JsonValue to_json(const Hardware& hardware, Notation notation = Notation::kNumbers);

}  // namespace portolan
