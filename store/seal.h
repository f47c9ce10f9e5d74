#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan {

/// A sealed file begins with kSealBytes that say what follows: "portolan run file", its length and its
/// SHA-256. A damaged file is told from a sound one before HDF5 parses it: HDF5 does not promise to survive
/// damaged metadata. It guards against accidents, not against someone who makes a file on purpose. HDF5 looks
/// for its signature at 0, 512, 1024, ... and leaves what stands before it to others (a "user block").
inline constexpr std::size_t kSealBytes = 512;

/// The seal of `payload`, then `payload`.
std::string seal(std::string_view payload);

/// The payload, a part of `content`. Errors (kBadInput), led by `name`: not a run file, truncated, changed
/// since it was sealed.
Result<std::string_view> open_seal(std::string_view content, std::string_view name);

}  // namespace portolan
