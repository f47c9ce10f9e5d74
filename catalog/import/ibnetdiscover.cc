#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "catalog/document/node.h"
#include "catalog/import/infiniband_fabric.h"
#include "catalog/import/link_rates.h"
#include "catalog/import/source_text.h"

namespace portolan {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20U;
constexpr std::size_t kMaxDevices = 250'000;
constexpr std::size_t kMaxPorts = 2'000'000;
constexpr std::size_t kMaxName = 256;
constexpr std::int64_t kMaxPortNumber = 255;  // the architecture's field has 8 bits
constexpr std::array<std::int64_t, 5> kWidths = {1, 2, 4, 8, 12};

/// Takes what is between `open` and `close` off the front of `text`; nothing where it does not begin so.
std::optional<std::string_view> take_between(std::string_view& text, char open, char close) {
  text = trimmed(text);
  const std::size_t end = text.size() > 1 && text[0] == open ? text.find(close, 1) : std::string_view::npos;
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view inside = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  return inside;
}

/// "4xHDR"
std::optional<BytesPerSecond> parse_rate(std::string_view word) {
  const std::size_t x = word.find('x');
  if (x == std::string_view::npos) {
    return std::nullopt;
  }
  const auto width = parse_count(word.substr(0, x), kWidths.back());
  if (!width || std::ranges::find(kWidths, *width) == kWidths.end()) {
    return std::nullopt;
  }
  return infiniband_rate(*width, word.substr(x + 1));
}

class IbnetdiscoverReader {
 public:
  IbnetdiscoverReader(std::string_view text, std::string_view file) : lines_(text, file), file_(file) {}

  Result<InfinibandFabric> read() {
    fabric_.file = file_name_of(file_);
    while (lines_.next()) {
      const std::string_view line = trimmed(lines_.line());
      if (line.starts_with('[')) {
        PORTOLAN_CHECK_OK(add_port(line));
      } else if (const auto kind = kind_of(line)) {
        PORTOLAN_CHECK_OK(add_device(*kind, line));
      } else if (!is_passed_over(line)) {
        return lines_.error(fmt::format(
            "\"{}\" is not known (allowed: what ibnetdiscover prints: lines of Switch, Ca, Rt, [PORT])",
            printable(line)));
      }
    }
    if (fabric_.devices.empty()) {
      return bad_input(fmt::format("{}: names no switch and no adapter", file_));
    }
    PORTOLAN_CHECK_OK(join_ports());
    return std::move(fabric_);
  }

 private:
  static std::optional<InfinibandKind> kind_of(std::string_view line) {
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    return word == "Switch" ? std::optional(InfinibandKind::kSwitch)
           : word == "Ca"   ? std::optional(InfinibandKind::kAdapter)
           : word == "Rt"   ? std::optional(InfinibandKind::kRouter)
                            : std::nullopt;
  }

  /// Comments, "vendid=0x2c9" and its like, headings of groups.
  static bool is_passed_over(std::string_view line) {
    constexpr std::array<std::string_view, 7> kStarts = {
        "#", "vendid=", "devid=", "sysimgguid=", "caguid=", "switchguid=", "chassisguid="};
    constexpr std::array<std::string_view, 4> kHeadings = {"Chassis ", "Non-Chassis Nodes",
                                                           "rtguid=", "Hostname: "};
    const auto starts = [&](std::string_view start) { return line.starts_with(start); };
    return line.empty() || std::ranges::any_of(kStarts, starts) || std::ranges::any_of(kHeadings, starts);
  }

  /// Switch	40 "S-0002c902004b0f80"		# "leaf1" enhanced port 0 lid 1 lmc 0
  Result<void> add_device(InfinibandKind kind, std::string_view line) {
    std::string_view rest = trimmed(line.substr(std::min(line.find_first_of(" \t"), line.size())));
    const std::size_t digits = std::min(rest.find_first_of(" \t\""), rest.size());
    const auto num_ports = parse_count(rest.substr(0, digits), kMaxPortNumber);
    rest.remove_prefix(digits);
    const auto id = take_between(rest, '"', '"');
    if (!num_ports || !id || id->empty() || id->size() > kMaxName) {
      return lines_.error(fmt::format(
          "\"{}\" is not a device (allowed: such as Ca 1 \"H-0002c903000e0b72\" # \"node1 mlx5_0\")",
          printable(line)));
    }
    rest = trimmed(rest);
    rest.remove_prefix(rest.starts_with('#') ? 1 : 0);
    const std::string_view description = take_between(rest, '"', '"').value_or("");
    if (fabric_.devices.size() == kMaxDevices) {
      return lines_.error(fmt::format("more than {} devices", kMaxDevices));
    }
    const auto [known, is_new] = places_.emplace(*id, fabric_.devices.size());
    if (!is_new) {
      return lines_.error(fmt::format("\"{}\" is there twice (first in line {})", printable(*id),
                                      fabric_.devices[known->second].line));
    }
    fabric_.devices.push_back({.kind = kind,
                               .id = printable(*id),
                               .description = printable(trimmed(description)),
                               .line = lines_.number(),
                               .ports = {}});
    peers_.emplace_back();
    return {};
  }

  /// [1]	"H-0002c903000e0b72"[1](2c903000e0b73) 		# "node1 mlx5_0" lid 2 4xHDR
  Result<void> add_port(std::string_view line) {
    if (fabric_.devices.empty()) {
      return lines_.error("a port before the first device");
    }
    std::string_view rest = line;
    const auto number = take_between(rest, '[', ']');
    const auto own = number ? parse_count(*number, kMaxPortNumber) : std::nullopt;
    // [ext 5]: a plug of a chassis.
    rest = trimmed(rest);
    if (rest.starts_with("[ext")) {
      take_between(rest, '[', ']');
      rest = trimmed(rest);
    }
    if (rest.starts_with('(')) {
      take_between(rest, '(', ')');
    }
    const auto peer = take_between(rest, '"', '"');
    const auto peer_port = take_between(rest, '[', ']');
    const auto peer_number = peer_port ? parse_count(*peer_port, kMaxPortNumber) : std::nullopt;
    if (!own || !peer || !peer_number) {
      return lines_.error(
          fmt::format("\"{}\" is not a port (allowed: such as [1] \"S-0002c902004b0f80\"[7] # "
                      "... 4xHDR)",
                      printable(line)));
    }
    InfinibandPort port{.number = *own,
                        .peer = 0,
                        .peer_number = *peer_number,
                        .rate_word = {},
                        .rate = {},
                        .line = lines_.number()};
    if (!find_rate(rest, port)) {
      return lines_.error(
          fmt::format("port {} has no width and speed (allowed: 1x, 2x, 4x, 8x, 12x with SDR, "
                      "DDR, QDR, FDR10, FDR, EDR, HDR, NDR, XDR)",
                      port.number));
    }
    if (++num_ports_ > kMaxPorts) {
      return lines_.error(fmt::format("more than {} ports", kMaxPorts));
    }
    fabric_.devices.back().ports.push_back(std::move(port));
    peers_.back().push_back(*peer);
    return {};
  }

  /// The last word of the comment, after the description of the peer, that is a width and speed.
  static bool find_rate(std::string_view comment, InfinibandPort& port) {
    const auto words = words_between_spaces(comment.substr(std::min(comment.find('#'), comment.size())));
    for (auto word = words.rbegin(); word != words.rend() && !word->ends_with('"'); ++word) {
      if (const auto rate = parse_rate(*word)) {
        port.rate = *rate;
        port.rate_word = *word;
        return true;
      }
    }
    return false;
  }

  Result<void> join_ports() {
    for (std::size_t i = 0; i < fabric_.devices.size(); ++i) {
      std::vector<InfinibandPort>& ports = fabric_.devices[i].ports;
      for (std::size_t p = 0; p < ports.size(); ++p) {
        const auto peer = places_.find(peers_[i][p]);
        if (peer == places_.end()) {
          return error_at(file_, ports[p].line,
                          fmt::format("\"{}\" is described nowhere", printable(peers_[i][p])));
        }
        ports[p].peer = peer->second;
      }
      std::ranges::sort(ports, {},
                        [](const InfinibandPort& port) { return std::pair(port.number, port.line); });
      const auto twice = std::ranges::adjacent_find(ports, {}, &InfinibandPort::number);
      if (twice != ports.end()) {
        return error_at(file_, std::next(twice)->line, fmt::format("port {} is there twice", twice->number));
      }
    }
    for (std::size_t i = 0; i < fabric_.devices.size(); ++i) {
      for (const InfinibandPort& port : fabric_.devices[i].ports) {
        PORTOLAN_CHECK_OK(check_other_end(i, port));
      }
    }
    return {};
  }

  Result<void> check_other_end(std::size_t device, const InfinibandPort& port) const {
    const InfinibandDevice& peer = fabric_.devices[port.peer];
    const auto end = std::ranges::lower_bound(peer.ports, port.peer_number, {}, &InfinibandPort::number);
    if (end == peer.ports.end() || end->number != port.peer_number || end->peer != device ||
        end->peer_number != port.number) {
      return error_at(file_, port.line,
                      fmt::format("port {} leads to \"{}\" port {}, which does not lead back", port.number,
                                  peer.id, port.peer_number));
    }
    if (end->rate != port.rate) {
      return error_at(file_, port.line,
                      fmt::format("port {} runs at {}, its other end in line {} at {}", port.number,
                                  port.rate_word, end->line, end->rate_word));
    }
    return {};
  }

  SourceLines lines_;
  std::string_view file_;
  InfinibandFabric fabric_;
  std::map<std::string_view, std::size_t> places_;
  std::vector<std::vector<std::string_view>> peers_;  ///< beside the ports of fabric_
  std::size_t num_ports_ = 0;
};

}  // namespace

Result<InfinibandFabric> read_ibnetdiscover(std::string_view text, std::string_view file) {
  PORTOLAN_CHECK_OK(check_source(text, file, kMaxBytes));
  return IbnetdiscoverReader(text, file).read();
}

}  // namespace portolan
