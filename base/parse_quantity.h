#pragma once

#include <string>
#include <string_view>

#include "base/quantity.h"
#include "base/result.h"

namespace portolan {

/// Text to quantities: a finite decimal number, optional space, a unit. GiB is 2^30 bytes, GB is 10^9;
/// Gbit/s is a bit rate. Errors (kBadInput) say what is wrong and show an example, without a place:
/// the caller adds file, line and key.
///
/// bytes:            B kB MB GB TB KiB MiB GiB TiB; whole, not negative
/// seconds:          ns us ms s min h d
/// bytes per second: B/s kB/s MB/s GB/s TB/s KiB/s MiB/s GiB/s bit/s kbit/s Mbit/s Gbit/s Tbit/s (also Gb/s
/// ...) FLOP/s:           FLOP/s kFLOP/s MFLOP/s GFLOP/s TFLOP/s PFLOP/s watts:            mW W kW MW
Result<Bytes> parse_bytes(std::string_view text);
Result<Seconds> parse_seconds(std::string_view text);
Result<BytesPerSecond> parse_bytes_per_second(std::string_view text);
Result<FlopsPerSecond> parse_flops_per_second(std::string_view text);
Result<Watts> parse_watts(std::string_view text);

/// A finite decimal number that fills the whole text ("0.74", "1e-3"); no hexadecimal, no nan, no inf.
Result<double> parse_number(std::string_view text);
/// A whole number that fills the whole text and fits 64 bits.
Result<std::int64_t> parse_integer(std::string_view text);

/// For people: "31.2 GiB", "12.3 ms", "187.4 GB/s". Three to four significant digits.
std::string format_bytes(Bytes size);
std::string format_seconds(Seconds time);
std::string format_bytes_per_second(BytesPerSecond rate);
std::string format_flops_per_second(FlopsPerSecond rate);

/// For files: the shortest text that parses back to the same quantity ("80 GiB", "25 GB/s", "2e-06 s").
std::string write_bytes(Bytes size);
std::string write_seconds(Seconds time);
std::string write_bytes_per_second(BytesPerSecond rate);
std::string write_flops_per_second(FlopsPerSecond rate);
std::string write_watts(Watts power);

}  // namespace portolan
