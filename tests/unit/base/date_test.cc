#include "base/date.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(Date, CountsDays) {
  EXPECT_EQ(parse_date("1970-01-01").value().days_since_1970, 0);
  EXPECT_EQ(parse_date("1970-02-01").value().days_since_1970, 31);
  EXPECT_EQ(parse_date("1971-01-01").value().days_since_1970, 365);
  // 2000 was a leap year, as 1972 to 1996: 30 years of 365 days and seven more.
  EXPECT_EQ(parse_date("2000-01-01").value().days_since_1970, 30 * 365 + 7);
  EXPECT_EQ(parse_date("2000-03-01").value().days_since_1970, 30 * 365 + 7 + 31 + 29);
}

TEST(Date, ReadsWhatItWrites) {
  for (std::int32_t days = 0; days < 60'000; ++days) {
    ASSERT_EQ(parse_date(write_date({days})).value().days_since_1970, days) << write_date({days});
  }
}

TEST(Date, RefusesWhatIsNone) {
  for (const char* text : {"", "2027", "2027-3-1", "2027/03/01", "2027-03-01 ", "2027-13-01", "2027-02-29",
                           "2027-00-10", "1969-12-31", "20270-03-1", "----------"}) {
    EXPECT_FALSE(parse_date(text)) << text;
  }
}

}  // namespace
}  // namespace portolan
