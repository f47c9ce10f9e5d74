#include "model/attended_pairs.h"

namespace portolan {

std::int64_t attended_keys(const BlockOptions& options, std::int64_t step) {
  const std::int64_t tokens = options.local_sequence();
  return options.flash_skips_masked && step > 0 ? tokens / 2 : tokens;
}

std::int64_t attended_pairs(const BlockOptions& options, std::int64_t step) {
  const std::int64_t tokens = options.local_sequence();
  return options.flash_skips_masked && step == 0 ? tokens * (tokens + 1) / 2
                                                 : tokens * attended_keys(options, step);
}

}  // namespace portolan
