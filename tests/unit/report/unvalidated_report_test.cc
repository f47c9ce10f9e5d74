#include "report/unvalidated_report.h"

#include <gtest/gtest.h>

#include <sstream>

namespace portolan {
namespace {

const std::vector<UnvalidatedFigure> kFigures = {
    {"device.kernel_launch", "estimate: gap between two kernels, 1 to 3 us"},
    {"inter_node_step", "as HDR"},
    {"kernel.adamw", "its bytes"},
    {"kernel.fill_zero", "its bytes"},
    {"kernel.gelu_forward", "its bytes"},
    {"kernel.gelu_backward", "its bytes"},
    {"software.host_launch", "estimate"},
};

TEST(UnvalidatedReport, HasALineEachAndOneForALongGroup) {
  EXPECT_EQ(unvalidated_list(kFigures, 80),
            "7 figures that no measurement supports (--json lists all):\n"
            "  device.kernel_launch  estimate: gap between two kernels, 1 to 3 us\n"
            "  inter_node_step       as HDR\n"
            "  kernel.* (4)          its bytes: adamw, fill_zero, gelu_forward, gelu_backward\n"
            "  software.host_launch  estimate\n");
  EXPECT_EQ(unvalidated_list({}, 80), "");
}

TEST(UnvalidatedReport, SourcesThatDifferAreLeftToTheFullList) {
  EXPECT_EQ(unvalidated_list(
                {{"nic.bandwidth", "a"}, {"nic.latency", "b"}, {"nic.efficiency", "c"}, {"nic.x", "d"}}, 80),
            "4 figures that no measurement supports (--json lists all):\n"
            "  nic.* (4)  bandwidth, latency, efficiency, x\n");
}

TEST(UnvalidatedReport, KeepsToTheWidth) {
  for (const std::size_t width : {40U, 60U}) {
    std::istringstream lines(unvalidated_list(kFigures, width));
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      EXPECT_LE(line.size(), width) << line;
    }
    EXPECT_EQ(count, 5);
  }
}

}  // namespace
}  // namespace portolan
