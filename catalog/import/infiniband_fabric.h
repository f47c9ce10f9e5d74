#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"

namespace portolan {

/// One end of a cable.
struct InfinibandPort {
  std::int64_t number = 0;
  std::size_t peer = 0;  ///< place of the other end's device in InfinibandFabric::devices
  std::int64_t peer_number = 0;
  std::string rate_word;  ///< "4xHDR"
  BytesPerSecond rate;    ///< of data, one direction
  int line = 0;
};

enum class InfinibandKind : std::uint8_t { kSwitch, kAdapter, kRouter };

struct InfinibandDevice {
  InfinibandKind kind = InfinibandKind::kSwitch;
  std::string id;           ///< "S-0002c902004b0f80"
  std::string description;  ///< "node1 mlx5_0"
  int line = 0;
  std::vector<InfinibandPort> ports;  ///< those with a cable, ascending

  /// For people.
  const std::string& name() const { return description.empty() ? id : description; }
};

/// Everything on one InfiniBand subnet, in the file's order. Each cable is known from both ends.
struct InfinibandFabric {
  std::string file;  ///< its name, without folders
  std::vector<InfinibandDevice> devices;
};

/// Reads what ibnetdiscover prints, grouped by chassis (-g) or not. Errors (kBadInput), one line with the
/// place: over 64 MiB, 250,000 devices or 2,000,000 ports, a line that has another form, a width or speed
/// that is none, a device or port that is there twice, a cable that leads nowhere or that its other end does
/// not know or runs at another rate.
Result<InfinibandFabric> read_ibnetdiscover(std::string_view text, std::string_view file);

}  // namespace portolan
