#pragma once

#include "catalog/document/section.h"
#include "catalog/json/json_value.h"
#include "topology/hardware.h"

namespace portolan {

/// The keys of a device: `device` of a hardware file, a file in devices/ (docs/scenario-files.md).
void read_device(DocumentSection& section, DeviceSpec& device);
/// Its inverse.
JsonValue to_json(const DeviceSpec& device, Notation notation);

}  // namespace portolan
