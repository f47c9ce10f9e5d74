#include "model/attended_pairs.h"

namespace portolan {

std::int64_t attended_pairs(const BlockOptions& options) {
  const std::int64_t tokens = options.sequence_length;
  return options.flash_skips_masked ? tokens * (tokens + 1) / 2 : tokens * tokens;
}

}  // namespace portolan
