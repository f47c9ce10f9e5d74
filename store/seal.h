#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan {

/// A file's first kUserBlockBytes say what follows: "portolan run file", its length and its SHA-256. A damaged
/// file is told from a sound one before HDF5 parses it: HDF5 does not promise to survive damaged metadata.
/// It guards against accidents, not against someone who makes a file on purpose.

/// Writes the seal over the first kUserBlockBytes. Precondition: image.size() >= kUserBlockBytes.
void seal_image(std::string& image);

/// Errors (kBadInput), led by `name`: not a run file, truncated, changed since it was sealed.
Result<void> check_seal(std::string_view image, std::string_view name);

}  // namespace portolan
