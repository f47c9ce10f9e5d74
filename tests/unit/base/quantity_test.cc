#include "base/quantity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/parse_quantity.h"

namespace portolan {
namespace {

TEST(Quantity, UnitsCombineAsInPhysics) {
  EXPECT_DOUBLE_EQ((Bytes(1000) / BytesPerSecond(500)).value, 2.0);
  EXPECT_DOUBLE_EQ((Flops(6e12) / FlopsPerSecond(3e12)).value, 2.0);
  EXPECT_DOUBLE_EQ((Watts(400) * Seconds(2)).value, 800.0);
  EXPECT_DOUBLE_EQ(Seconds(3) / Seconds(2), 1.5);
}

TEST(ParseQuantity, KnowsItsUnits) {
  EXPECT_EQ(parse_bytes("80 GiB")->value, 80 * kGibi);
  EXPECT_EQ(parse_bytes("80GB")->value, 80'000'000'000);
  EXPECT_EQ(parse_bytes("0.5 KiB")->value, 512);
  EXPECT_DOUBLE_EQ(parse_bytes_per_second("200 Gbit/s")->value, 25e9);
  EXPECT_DOUBLE_EQ(parse_bytes_per_second("25 GB/s")->value, 25e9);
  EXPECT_DOUBLE_EQ(parse_seconds("5 us")->value, 5e-6);
  EXPECT_DOUBLE_EQ(parse_flops_per_second("312 TFLOP/s")->value, 312e12);
  EXPECT_DOUBLE_EQ(parse_watts("0.4 kW")->value, 400);
}

struct BadText {
  std::string text;
  std::string message;
};

TEST(ParseQuantity, SaysWhatIsWrong) {
  const std::vector<BadText> table = {
      {"25", "\"25\" has no unit (try \"25 GB/s\")"},
      {"", "\"\" is not a finite number with a unit (try \"25 GB/s\")"},
      {"nan GB/s", "\"nan GB/s\" is not a finite number with a unit (try \"25 GB/s\")"},
      {"inf GB/s", "\"inf GB/s\" is not a finite number with a unit (try \"25 GB/s\")"},
      {"1e400 GB/s", "\"1e400 GB/s\" is not a finite number with a unit (try \"25 GB/s\")"},
      {"1e308 TB/s", "\"1e308 TB/s\" is too large"},
      {"GB/s", "\"GB/s\" is not a finite number with a unit (try \"25 GB/s\")"},
  };
  for (const BadText& row : table) {
    const auto parsed = parse_bytes_per_second(row.text);
    ASSERT_FALSE(parsed) << row.text;
    EXPECT_EQ(parsed.error().message, row.message);
    EXPECT_EQ(parsed.error().kind, ErrorKind::kBadInput);
  }
  EXPECT_NE(parse_bytes_per_second("25 GiB").error().message.find("unknown unit \"GiB\" (allowed: B/s"),
            std::string::npos);
  EXPECT_FALSE(parse_bytes("-1 B"));
  EXPECT_FALSE(parse_bytes("1.5 B"));
  EXPECT_FALSE(parse_bytes("1e30 B"));
  EXPECT_FALSE(parse_number("0x10"));
  EXPECT_FALSE(parse_number("1 "));
  EXPECT_FALSE(parse_integer("9223372036854775808"));
  EXPECT_FALSE(parse_integer("1.0"));
}

TEST(ParseQuantity, WritesWhatItReads) {
  for (std::int64_t size :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{1023}, kMebi, 80 * kGibi, std::int64_t{1} << 61}) {
    EXPECT_EQ(parse_bytes(write_bytes(Bytes(size)))->value, size) << write_bytes(Bytes(size));
  }
  for (double value : {0.0, 1e-9, 0.1, 3.0e-6, 312e12, 1.0 / 3}) {
    EXPECT_EQ(parse_seconds(write_seconds(Seconds(value)))->value, value);
    EXPECT_EQ(parse_bytes_per_second(write_bytes_per_second(BytesPerSecond(value)))->value, value);
    EXPECT_EQ(parse_flops_per_second(write_flops_per_second(FlopsPerSecond(value)))->value, value);
    EXPECT_EQ(parse_watts(write_watts(Watts(value)))->value, value);
  }
}

TEST(FormatQuantity, ReadsWell) {
  EXPECT_EQ(format_bytes(Bytes(31 * kGibi + kGibi / 5)), "31.20 GiB");
  EXPECT_EQ(format_seconds(Seconds(0.0123)), "12.30 ms");
  EXPECT_EQ(format_seconds(Seconds(94.42)), "94.42 s");
  EXPECT_EQ(format_seconds(Seconds(0)), "0 s");
  EXPECT_EQ(format_bytes_per_second(BytesPerSecond(187.4e9)), "187.4 GB/s");
}

}  // namespace
}  // namespace portolan
