#include "store/seal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstddef>

#include "base/sha256.h"
#include "store/hdf5_image.h"

namespace portolan {

namespace {

constexpr std::string_view kTitle = "portolan run file\n";
constexpr std::string_view kSizeKey = "payload_bytes ";
constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";

std::string seal_of(std::string_view payload) {
  std::string seal =
      fmt::format("{}{}{}\nsha256 {}\n", kTitle, kSizeKey, payload.size(), sha256_hex(payload));
  assert(seal.size() <= kUserBlockBytes);
  seal.resize(kUserBlockBytes, '\0');
  return seal;
}

/// What the seal says of the payload's size; 0 where it says nothing readable.
std::size_t promised_payload_bytes(std::string_view seal) {
  std::size_t size = 0;
  seal.remove_prefix(kTitle.size());
  if (seal.starts_with(kSizeKey)) {
    seal.remove_prefix(kSizeKey.size());
    std::from_chars(seal.data(), seal.data() + seal.size(), size);
  }
  return size;
}

}  // namespace

void seal_image(std::string& image) {
  assert(image.size() >= kUserBlockBytes);
  const std::string seal = seal_of(std::string_view(image).substr(kUserBlockBytes));
  std::copy(seal.begin(), seal.end(), image.begin());
}

Result<void> check_seal(std::string_view image, std::string_view name) {
  if (image.empty()) {
    return bad_input(fmt::format("{}: is empty, not a run file", name));
  }
  if (image.starts_with(kHdf5Signature)) {
    return bad_input(fmt::format("{}: an HDF5 file, but not a run file (it has no seal)", name));
  }
  if (!image.starts_with(kTitle)) {
    return bad_input(fmt::format("{}: not a run file", name));
  }
  if (image.size() <= kUserBlockBytes) {
    return bad_input(fmt::format("{}: truncated: {} bytes", name, image.size()));
  }
  const std::string_view seal = image.substr(0, kUserBlockBytes);
  const std::string_view payload = image.substr(kUserBlockBytes);
  if (const std::size_t promised = promised_payload_bytes(seal); promised > payload.size()) {
    return bad_input(fmt::format("{}: truncated: {} of {} bytes", name, payload.size(), promised));
  }
  if (seal != seal_of(payload)) {
    return bad_input(fmt::format("{}: damaged: its content is not what its SHA-256 says", name));
  }
  return {};
}

}  // namespace portolan
