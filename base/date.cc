#include "base/date.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace portolan {

namespace {

constexpr std::string_view kForm = "0000-00-00";

/// Digits where the form has zeros, its hyphens where it has hyphens.
bool has_form(std::string_view text) {
  return std::equal(text.begin(), text.end(), kForm.begin(), kForm.end(),
                    [](char c, char form) { return form == '-' ? c == '-' : c >= '0' && c <= '9'; });
}

int number_at(std::string_view text, std::size_t begin, std::size_t count) {
  int number = 0;
  std::from_chars(text.data() + begin, text.data() + begin + count, number);
  return number;
}

}  // namespace

Result<Date> parse_date(std::string_view text) {
  if (!has_form(text)) {
    return bad_input("is not a date (allowed: YEAR-MONTH-DAY, such as 2027-03-01)");
  }
  const std::chrono::year_month_day day{std::chrono::year(number_at(text, 0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number_at(text, 5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number_at(text, 8, 2)))};
  if (!day.ok()) {
    return bad_input("is a day that no calendar has");
  }
  const auto days = std::chrono::sys_days(day).time_since_epoch().count();
  if (days < 0) {
    return bad_input("is before 1970");
  }
  return Date{static_cast<std::int32_t>(days)};
}

std::string write_date(Date date) {
  const std::chrono::year_month_day day(std::chrono::sys_days(std::chrono::days(date.days_since_1970)));
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                     static_cast<unsigned>(day.day()));
}

}  // namespace portolan
