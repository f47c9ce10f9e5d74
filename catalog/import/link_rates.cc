#include "catalog/import/link_rates.h"

#include <array>
#include <utility>

namespace portolan {

namespace {

constexpr double kBitsPerByte = 8;
constexpr double kGiga = 1e9;

template <typename Key, std::size_t size>
std::optional<double> look_up(const std::array<std::pair<Key, double>, size>& table, const Key& key) {
  for (const auto& [known, value] : table) {
    if (known == key) {
      return value;
    }
  }
  return std::nullopt;
}

/// Gbit/s of data on one lane.
constexpr std::array<std::pair<std::string_view, double>, 9> kInfinibandLanes = {{
    {"SDR", 2.5 * 8 / 10},
    {"DDR", 5.0 * 8 / 10},
    {"QDR", 10.0 * 8 / 10},
    {"FDR10", 10.3125 * 64 / 66},
    {"FDR", 14.0625 * 64 / 66},
    {"EDR", 25.78125 * 64 / 66},
    {"HDR", 50},
    {"NDR", 100},
    {"XDR", 200},
}};

/// Share of the transfers that is data.
constexpr std::array<std::pair<double, double>, 6> kPcieCodes = {{
    {2.5, 8.0 / 10},
    {5, 8.0 / 10},
    {8, 128.0 / 130},
    {16, 128.0 / 130},
    {32, 128.0 / 130},
    {64, 242.0 / 256},
}};

/// GB/s of one link, one direction: 160 / 4 / 2, 300 / 6 / 2, 100 / 2 / 2, 600 / 12 / 2, 112.5 / 4 / 2,
/// 900 / 18 / 2, 1800 / 18 / 2.
constexpr std::array<std::pair<std::int64_t, double>, 8> kNvlinks = {{
    {60, 20},
    {70, 25},
    {75, 25},
    {80, 25},
    {86, 14.0625},
    {90, 25},
    {100, 50},
    {103, 50},
}};

}  // namespace

std::optional<BytesPerSecond> infiniband_rate(std::int64_t width, std::string_view speed) {
  const std::optional<double> lane = look_up(kInfinibandLanes, speed);
  if (!lane) {
    return std::nullopt;
  }
  return BytesPerSecond(*lane * static_cast<double>(width) * kGiga / kBitsPerByte);
}

std::optional<BytesPerSecond> pcie_rate(double gigatransfers, std::int64_t width) {
  const std::optional<double> share = look_up(kPcieCodes, gigatransfers);
  if (!share || width < 1) {
    return std::nullopt;
  }
  return BytesPerSecond(gigatransfers * *share * static_cast<double>(width) * kGiga / kBitsPerByte);
}

std::optional<BytesPerSecond> nvlink_rate(std::int64_t sm) {
  const std::optional<double> link = look_up(kNvlinks, sm);
  return link ? std::optional(BytesPerSecond(*link * kGiga)) : std::nullopt;
}

}  // namespace portolan
