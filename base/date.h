#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan {

/// A day of the Gregorian calendar, without a time zone.
struct Date {
  std::int32_t days_since_1970 = 0;

  constexpr auto operator<=>(const Date&) const = default;
};

/// "2027-03-01" (ISO 8601), from 1970-01-01 to 9999-12-31. Errors (kBadInput), without a place: another form,
/// a day that no calendar has.
Result<Date> parse_date(std::string_view text);
/// The inverse of parse_date.
std::string write_date(Date date);

}  // namespace portolan
