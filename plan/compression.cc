#include "plan/compression.h"

#include <fmt/format.h>

#include "base/parse_quantity.h"
#include "plan/name_table.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, kNumCompressionKinds> kCompressions = {
    "none", "bf16", "fp8", "int8", "int4", "topk", "powersgd"};

std::string_view word_of_kind(CompressionKind kind) { return kCompressions[static_cast<std::size_t>(kind)]; }

}  // namespace

std::string compression_name(const Compression& compression) {
  const std::string_view word = word_of_kind(compression.kind);
  switch (compression.kind) {
    case CompressionKind::kTopK:
      return fmt::format("{}:{}", word, compression.share);
    case CompressionKind::kPowerSgd:
      return fmt::format("{}:{}", word, compression.rank);
    default:
      return std::string(word);
  }
}

std::optional<Compression> find_compression(std::string_view name) {
  const std::size_t colon = name.find(':');
  const auto kind = find_name<CompressionKind>(kCompressions, name.substr(0, colon));
  const bool has_figure = kind == CompressionKind::kTopK || kind == CompressionKind::kPowerSgd;
  if (!kind || has_figure == (colon == std::string_view::npos)) {
    return std::nullopt;
  }
  Compression found{.kind = *kind};
  if (!has_figure) {
    return found;
  }
  const std::string_view figure = name.substr(colon + 1);
  if (*kind == CompressionKind::kTopK) {
    const Result<double> share = parse_number(figure);
    found.share = share ? *share : 0;
    return found.share > 0 && found.share < 1 ? std::optional(found) : std::nullopt;
  }
  const Result<std::int64_t> rank = parse_integer(figure);
  if (!rank || *rank < 1 || *rank > kMaxCompressionRank) {
    return std::nullopt;
  }
  found.rank = static_cast<std::int32_t>(*rank);
  return found;
}

std::string_view allowed_compressions() {
  return "none, bf16, fp8, int8, int4, topk:SHARE with a share above 0 and below 1, powersgd:RANK with a "
         "rank of 1 to 1024";
}

}  // namespace portolan
