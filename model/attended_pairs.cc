#include "model/attended_pairs.h"

#include <algorithm>
#include <cassert>

namespace portolan {

namespace {

/// Keys up to the diagonal that a query sees at most.
std::int64_t window_of(const BlockOptions& options) {
  const std::int64_t tokens = options.local_sequence();
  assert(options.flash_window == 0 || (options.flash_skips_masked && options.context_parallel == 1));
  return options.flash_window == 0 ? tokens : std::min(options.flash_window, tokens);
}

}  // namespace

std::int64_t attended_keys(const BlockOptions& options, std::int64_t step) {
  const std::int64_t tokens = options.local_sequence();
  return options.flash_skips_masked && step > 0 ? tokens / 2 : window_of(options);
}

std::int64_t attended_pairs(const BlockOptions& options, std::int64_t step) {
  const std::int64_t tokens = options.local_sequence();
  if (!options.flash_skips_masked || step > 0) {
    return tokens * attended_keys(options, step);
  }
  const std::int64_t window = window_of(options);
  return window * (window + 1) / 2 + (tokens - window) * window;
}

}  // namespace portolan
