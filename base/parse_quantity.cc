#include "base/parse_quantity.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace portolan {

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array kByteUnits{Unit{"B", 1},        Unit{"kB", 1e3},     Unit{"MB", 1e6},
                                Unit{"GB", 1e9},     Unit{"TB", 1e12},    Unit{"KiB", 0x1p10},
                                Unit{"MiB", 0x1p20}, Unit{"GiB", 0x1p30}, Unit{"TiB", 0x1p40}};
constexpr std::array kTimeUnits{Unit{"s", 1},    Unit{"ms", 1e-3}, Unit{"us", 1e-6}, Unit{"ns", 1e-9},
                                Unit{"min", 60}, Unit{"h", 3600},  Unit{"d", 86400}};
constexpr std::array kRateUnits{Unit{"B/s", 1},           Unit{"kB/s", 1e3},       Unit{"MB/s", 1e6},
                                Unit{"GB/s", 1e9},        Unit{"TB/s", 1e12},      Unit{"KiB/s", 0x1p10},
                                Unit{"MiB/s", 0x1p20},    Unit{"GiB/s", 0x1p30},   Unit{"bit/s", 1.0 / 8},
                                Unit{"kbit/s", 1e3 / 8},  Unit{"Mbit/s", 1e6 / 8}, Unit{"Gbit/s", 1e9 / 8},
                                Unit{"Tbit/s", 1e12 / 8}, Unit{"kb/s", 1e3 / 8},   Unit{"Mb/s", 1e6 / 8},
                                Unit{"Gb/s", 1e9 / 8},    Unit{"Tb/s", 1e12 / 8}};
constexpr std::array kFlopUnits{Unit{"FLOP/s", 1},    Unit{"kFLOP/s", 1e3},  Unit{"MFLOP/s", 1e6},
                                Unit{"GFLOP/s", 1e9}, Unit{"TFLOP/s", 1e12}, Unit{"PFLOP/s", 1e15}};
constexpr std::array kPowerUnits{Unit{"W", 1}, Unit{"mW", 1e-3}, Unit{"kW", 1e3}, Unit{"MW", 1e6}};

/// What a kind of quantity accepts, and the example that its errors show.
struct Grammar {
  std::span<const Unit> units;
  std::string_view example_unit;
};

std::string unit_list(std::span<const Unit> units) {
  std::string list;
  for (const Unit& unit : units) {
    list += (list.empty() ? "" : ", ");
    list += unit.name;
  }
  return list;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Shows a value in a message: control and non-ASCII bytes replaced, long text cut.
std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string out;
  for (char c : text.substr(0, kLongest)) {
    out.push_back(c >= ' ' && c <= '~' ? c : '?');
  }
  return text.size() > kLongest ? out + "..." : out;
}

Result<double> parse_with_units(std::string_view text, const Grammar& grammar) {
  const std::string_view trimmed = trim(text);
  double number = 0;
  const char* const end = trimmed.data() + trimmed.size();
  const auto [rest, code] = std::from_chars(trimmed.data(), end, number);
  if (code != std::errc() || !std::isfinite(number)) {
    return bad_input(fmt::format("\"{}\" is not a finite number with a unit (try \"25 {}\")", shown(text),
                                 grammar.example_unit));
  }
  const std::string_view unit_name = trim({rest, static_cast<std::size_t>(end - rest)});
  if (unit_name.empty()) {
    return bad_input(
        fmt::format("\"{}\" has no unit (try \"{} {}\")", shown(text), shown(trimmed), grammar.example_unit));
  }
  for (const Unit& unit : grammar.units) {
    if (unit.name == unit_name) {
      const double scaled = number * unit.factor;
      if (!std::isfinite(scaled)) {
        return bad_input(fmt::format("\"{}\" is too large", shown(text)));
      }
      return scaled;
    }
  }
  return bad_input(fmt::format("\"{}\" has unknown unit \"{}\" (allowed: {})", shown(text), shown(unit_name),
                               unit_list(grammar.units)));
}

template <typename Q>
Result<Q> parse_as(std::string_view text, const Grammar& grammar) {
  PORTOLAN_TRY(const double value, parse_with_units(text, grammar));
  return Q(value);
}

struct Scale {
  double factor;
  std::string_view name;
};

std::string format_scaled(double value, std::span<const Scale> scales) {
  const Scale* chosen = &scales.back();
  for (const Scale& scale : scales) {
    if (std::abs(value) >= scale.factor) {
      chosen = &scale;
      break;
    }
  }
  const double scaled = value / chosen->factor;
  const int decimals = std::abs(scaled) >= 100 ? 1 : std::abs(scaled) >= 10 ? 2 : 3;
  return fmt::format("{:.{}f} {}", scaled, decimals, chosen->name);
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
  PORTOLAN_TRY(const double value, parse_with_units(text, {kByteUnits, "GiB"}));
  constexpr double kLargest = 0x1p62;
  if (value < 0 || value > kLargest || value != std::floor(value)) {
    return bad_input(fmt::format("\"{}\" is not a whole number of bytes from 0 to 2^62", shown(text)));
  }
  return Bytes(static_cast<std::int64_t>(value));
}

Result<Seconds> parse_seconds(std::string_view text) { return parse_as<Seconds>(text, {kTimeUnits, "us"}); }

Result<BytesPerSecond> parse_bytes_per_second(std::string_view text) {
  return parse_as<BytesPerSecond>(text, {kRateUnits, "GB/s"});
}

Result<FlopsPerSecond> parse_flops_per_second(std::string_view text) {
  return parse_as<FlopsPerSecond>(text, {kFlopUnits, "TFLOP/s"});
}

Result<Watts> parse_watts(std::string_view text) { return parse_as<Watts>(text, {kPowerUnits, "W"}); }

Result<double> parse_number(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, code] = std::from_chars(text.data(), end, number);
  if (code != std::errc() || rest != end || !std::isfinite(number)) {
    return bad_input(fmt::format("\"{}\" is not a finite number", shown(text)));
  }
  return number;
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, code] = std::from_chars(text.data(), end, number);
  if (code != std::errc() || rest != end) {
    return bad_input(fmt::format("\"{}\" is not a whole number of 64 bits", shown(text)));
  }
  return number;
}

std::string format_bytes(Bytes size) {
  constexpr std::array kScales{Scale{0x1p40, "TiB"}, Scale{0x1p30, "GiB"}, Scale{0x1p20, "MiB"},
                               Scale{0x1p10, "KiB"}};
  if (std::abs(static_cast<double>(size.value)) < 1024) {
    return fmt::format("{} B", size.value);
  }
  return format_scaled(static_cast<double>(size.value), kScales);
}

std::string format_seconds(Seconds time) {
  constexpr std::array kScales{Scale{1, "s"}, Scale{1e-3, "ms"}, Scale{1e-6, "us"}, Scale{1e-9, "ns"}};
  return time.value == 0 ? "0 s" : format_scaled(time.value, kScales);
}

std::string format_bytes_per_second(BytesPerSecond rate) {
  constexpr std::array kScales{Scale{1e12, "TB/s"}, Scale{1e9, "GB/s"}, Scale{1e6, "MB/s"},
                               Scale{1e3, "kB/s"}, Scale{1, "B/s"}};
  return format_scaled(rate.value, kScales);
}

std::string format_flops_per_second(FlopsPerSecond rate) {
  constexpr std::array kScales{Scale{1e15, "PFLOP/s"}, Scale{1e12, "TFLOP/s"}, Scale{1e9, "GFLOP/s"},
                               Scale{1e6, "MFLOP/s"}, Scale{1, "FLOP/s"}};
  return format_scaled(rate.value, kScales);
}

std::string write_bytes(Bytes size) {
  for (const auto& [factor, name] : {std::pair{kGibi, "GiB"}, {kMebi, "MiB"}, {kKibi, "KiB"}}) {
    if (size.value != 0 && size.value % factor == 0) {
      return fmt::format("{} {}", size.value / factor, name);
    }
  }
  return fmt::format("{} B", size.value);
}

std::string write_seconds(Seconds time) { return fmt::format("{} s", time.value); }
std::string write_bytes_per_second(BytesPerSecond rate) { return fmt::format("{} B/s", rate.value); }
std::string write_flops_per_second(FlopsPerSecond rate) { return fmt::format("{} FLOP/s", rate.value); }
std::string write_watts(Watts power) { return fmt::format("{} W", power.value); }

}  // namespace portolan
