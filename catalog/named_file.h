#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/document/node.h"

namespace portolan {

/// What a document may name instead of writing it out: its key ("model") and the catalog folder of its names
/// ("models").
struct NamedPart {
  std::string_view key;
  std::string_view folder;
};
inline constexpr NamedPart kModelPart{"model", "models"};
inline constexpr NamedPart kHardwarePart{"hardware", "hardware"};
inline constexpr NamedPart kSoftwarePart{"software", "software"};
inline constexpr NamedPart kDevicePart{"device", "devices"};

/// The document that `named`, the value of the part's key, names: by a path from the folder of the file that
/// says so, or by a name in the catalog. `load` reads it. Errors point to the value or into the file,
/// whichever is wrong.
Result<DocumentNode> load_named(const DocumentNode& named, const NamedPart& part, const CatalogPaths& paths,
                                Result<DocumentNode> (*load)(const std::filesystem::path&));

/// The mapping at `part`_overrides of `document`, or nullptr without the key. Error: it is no mapping.
Result<const DocumentNode*> find_overrides(const DocumentNode& document, const NamedPart& part);

/// Writes the device of a hardware document out: the one that it names in its place, `device_overrides` laid
/// over it. A device that is written out stays as it is. What machines write names none.
Result<void> write_out_device(DocumentNode& hardware, const CatalogPaths& paths);

}  // namespace portolan
