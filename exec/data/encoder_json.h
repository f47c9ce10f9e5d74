#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// One `"symbol": id` of an `encoder.json`.
struct EncoderEntry {
  std::string symbol;    ///< as the file writes it, escapes resolved
  std::uint64_t id = 0;  ///< any whole number; the reader of the entries bounds it
  int line = 0;          ///< from 1
};

/// The entries of an `encoder.json` in the file's order, repeated symbols included. `place` is the file's
/// name in errors. Errors (kBadInput, with line): not JSON, not one object, an id that is not a whole
/// number from 0.
Result<std::vector<EncoderEntry>> parse_encoder_json(std::string_view text, std::string_view place);

}  // namespace portolan
