#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace portolan {

/// How gradients are made smaller before ranks sum them. All but kNone lose part of them.
enum class CompressionKind : std::uint8_t {
  kNone,
  /// The sum is that of elements rounded to bf16. Source: PyTorch, DDP communication hooks,
  /// bf16_compress_hook.
  kBf16,
  /// ... or to fp8, all ranks by the same scale. Source: FP8-LM, arXiv 2310.18313, section 2.1.
  kFp8,
  /// Whole numbers of 8 bits, or of 4, with a scale for each kQuantizationBlock of them: their sums would
  /// leave their range from hop to hop, so that ranks exchange parts of the vector and add them up wide.
  /// Source: ZeRO++, qgZ, arXiv 2306.10209.
  kInt8,
  kInt4,
  /// The elements of largest magnitude with their places; the others are kept and added to the next step's.
  /// Source: Aji and Heafield 2017, arXiv 1704.05021; Lin et al. 2018, arXiv 1712.01887.
  kTopK,
  /// Of each matrix two factors of a few columns, from one step of a power iteration; what they leave out is
  /// kept and added to the next step's. Source: PowerSGD, Vogels et al. 2019, arXiv 1905.13727.
  kPowerSgd,
};
inline constexpr int kNumCompressionKinds = static_cast<int>(CompressionKind::kPowerSgd) + 1;

/// Elements that share a scale in fp32. Source: Dettmers et al. 2022, arXiv 2110.02861, section 2.1.
inline constexpr std::int64_t kQuantizationBlock = 2048;
inline constexpr std::int32_t kMaxCompressionRank = 1024;

struct Compression {
  CompressionKind kind = CompressionKind::kNone;
  double share = 0;       ///< kTopK: of the elements that are sent, above 0 and below 1
  std::int32_t rank = 0;  ///< kPowerSgd: columns of each factor, 1 to kMaxCompressionRank

  bool is_none() const { return kind == CompressionKind::kNone; }
  /// Whether what a rank reads of the sum is not the sum of what ranks computed.
  bool is_lossy() const { return !is_none(); }
  bool is_quantized() const { return kind == CompressionKind::kInt8 || kind == CompressionKind::kInt4; }
  bool operator==(const Compression&) const = default;
};

/// "none", "bf16", "fp8", "int8", "int4", "topk:0.01", "powersgd:4", and back.
std::string compression_name(const Compression& compression);
std::optional<Compression> find_compression(std::string_view name);
/// For messages: what find_compression takes.
std::string_view allowed_compressions();

}  // namespace portolan
