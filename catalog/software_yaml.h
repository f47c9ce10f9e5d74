#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/document/node.h"
#include "catalog/json/json_value.h"
#include "plan/software_profile.h"

namespace portolan {

/// A software profile (docs/scenario-files.md lists its keys): what a training framework fuses, overlaps,
/// pads and keeps, each feature with its source. Errors (kBadInput), one line: as for hardware files.
Result<SoftwareProfile> read_software(const std::filesystem::path& path);
Result<SoftwareProfile> read_software_text(std::string_view text, std::string_view file);
/// YAML that read_software_text reads back to an equal value.
std::string write_software(const SoftwareProfile& software);

Result<SoftwareProfile> software_from(const DocumentNode& root);
JsonValue to_json(const SoftwareProfile& software, Notation notation = Notation::kNumbers);

}  // namespace portolan
