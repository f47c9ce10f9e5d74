#include "catalog/launch/host_names.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(HostNames, AreReadInTheirOrder) {
  const auto names = read_host_names("# rack 1\nlogin-2\n\n  gpu_1.example.org\r\n", "hosts", 2);
  ASSERT_TRUE(names) << names.error().message;
  EXPECT_EQ(*names, (std::vector<std::string>{"login-2", "gpu_1.example.org"}));
}

TEST(HostNames, SayWhereAndWhatIsWrong) {
  const struct {
    const char* text;
    const char* message;
  } kRows[] = {
      {"a\nb c\n", "hosts:2: \"b c\" is no host name (allowed: letters, digits, . - _)"},
      {"a\n--x\n", "hosts:2: \"--x\" is no host name (allowed: letters, digits, . - _)"},
      {"a\n$(reboot)\n", "hosts:2: \"$(reboot)\" is no host name (allowed: letters, digits, . - _)"},
      {"a\n#\na\n", "hosts:3: a is named twice, first in line 1 (allowed: each once)"},
      {"a\n", "hosts: 1 names (allowed: 2, one for each node of the hardware)"},
      {"", "hosts: 0 names (allowed: 2, one for each node of the hardware)"},
  };
  for (const auto& row : kRows) {
    const auto names = read_host_names(row.text, "hosts", 2);
    ASSERT_FALSE(names) << row.text;
    EXPECT_EQ(names.error().message, row.message);
  }
}

}  // namespace
}  // namespace portolan
