#include "store/seal.h"

#include <fmt/format.h>

#include <cassert>
#include <charconv>
#include <cstddef>

#include "base/sha256.h"

namespace portolan {

namespace {

constexpr std::string_view kTitle = "portolan run file\n";
constexpr std::string_view kSizeKey = "payload_bytes ";
constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";

std::string seal_of(std::string_view payload) {
  std::string text =
      fmt::format("{}{}{}\nsha256 {}\n", kTitle, kSizeKey, payload.size(), sha256_hex(payload));
  assert(text.size() <= kSealBytes);
  text.resize(kSealBytes, '\0');
  return text;
}

/// What the seal says of the payload's size; 0 where it says nothing readable.
std::size_t promised_payload_bytes(std::string_view text) {
  std::size_t size = 0;
  text.remove_prefix(kTitle.size());
  if (text.starts_with(kSizeKey)) {
    text.remove_prefix(kSizeKey.size());
    std::from_chars(text.data(), text.data() + text.size(), size);
  }
  return size;
}

}  // namespace

std::string seal(std::string_view payload) {
  std::string content = seal_of(payload);
  content += payload;
  return content;
}

Result<std::string_view> open_seal(std::string_view content, std::string_view name) {
  if (content.empty()) {
    return bad_input(fmt::format("{}: is empty, not a run file", name));
  }
  if (content.starts_with(kHdf5Signature)) {
    return bad_input(fmt::format("{}: an HDF5 file, but not a run file (it has no seal)", name));
  }
  if (!content.starts_with(kTitle)) {
    return bad_input(fmt::format("{}: not a run file", name));
  }
  if (content.size() <= kSealBytes) {
    return bad_input(fmt::format("{}: truncated: {} bytes", name, content.size()));
  }
  const std::string_view found = content.substr(0, kSealBytes);
  const std::string_view payload = content.substr(kSealBytes);
  if (const std::size_t promised = promised_payload_bytes(found); promised > payload.size()) {
    return bad_input(fmt::format("{}: truncated: {} of {} bytes", name, payload.size(), promised));
  }
  if (found != seal_of(payload)) {
    return bad_input(fmt::format("{}: damaged: its content is not what its SHA-256 says", name));
  }
  return payload;
}

}  // namespace portolan
