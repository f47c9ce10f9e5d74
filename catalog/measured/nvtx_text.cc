#include "catalog/measured/nvtx_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

constexpr std::size_t kMostNvtxInputs = 64;
constexpr std::size_t kMostNvtxDims = 8;
constexpr std::size_t kLongestPayload = std::size_t{64} << 10U;

/// "[4096, 1024], [1024, 512], []]": lists at the first level; deeper ones are lists of tensors.
std::vector<std::vector<std::int64_t>> sizes_in(std::string_view text) {
  std::vector<std::vector<std::int64_t>> sizes;
  int depth = 1;
  for (std::size_t at = 0; at < text.size() && depth > 0 && sizes.size() < kMostNvtxInputs;) {
    const char c = text[at];
    if (c == '[') {
      if (++depth == 2) {
        sizes.emplace_back();
      }
      ++at;
    } else if (c == ']') {
      --depth;
      ++at;
    } else if (c >= '0' && c <= '9') {
      const std::size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
      const Result<std::int64_t> size = parse_integer(text.substr(at, end - at));
      if (depth == 2 && size && *size < (std::int64_t{1} << 40) && sizes.back().size() < kMostNvtxDims) {
        sizes.back().push_back(*size);
      }
      at = end;
    } else {
      ++at;
    }
  }
  if (depth > 1 && !sizes.empty()) {
    sizes.pop_back();  // cut within it
  }
  return sizes;
}

std::optional<std::int64_t> whole_number(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) {
    return std::nullopt;
  }
  if (found->is_number_integer()) {
    return found->get<std::int64_t>();
  }
  if (!found->is_string()) {
    return std::nullopt;
  }
  std::string digits = found->get<std::string>();
  std::erase(digits, ',');
  const Result<std::int64_t> value = parse_integer(digits);
  return value ? std::optional(*value) : std::nullopt;
}

}  // namespace

NvtxOperation parse_nvtx_operation(std::string_view text) {
  NvtxOperation operation;
  const std::size_t sequence = text.find(", seq = "), id = text.find(", op_id = ");
  const std::size_t sizes = text.find(", sizes = [");
  operation.name = text.substr(0, std::min({sequence, id, sizes}));
  operation.has_sequence = sequence != std::string_view::npos;
  if (sizes != std::string_view::npos) {
    operation.dims = sizes_in(text.substr(sizes + 11));
  }
  return operation;
}

NcclPayload parse_nccl_payload(std::string_view json) {
  NcclPayload payload;
  if (json.size() > kLongestPayload) {
    return payload;
  }
  const nlohmann::json object = nlohmann::json::parse(json, nullptr, false);
  if (!object.is_object()) {
    return payload;
  }
  const auto communicator = object.find("NCCL communicator ID");
  if (communicator != object.end()) {
    payload.communicator = communicator->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  }
  payload.num_ranks = whole_number(object, "No. of ranks");
  payload.bytes = whole_number(object, "Message size [bytes]");
  return payload;
}

}  // namespace portolan
