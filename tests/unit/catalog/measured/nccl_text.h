#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// What a program of nccl-tests would have printed.
struct NcclText {
  std::string program = "all_reduce_perf";
  int num_hosts = 1;
  int ranks_per_host = 8;
  std::vector<std::int64_t> sizes = {1024, 65536, 1048576, 16777216, 268435456, 1073741824};
  /// Out of place (false) and in place (true), s.
  std::function<double(std::int64_t size, bool in_place)> time;
  bool says_program = true;  ///< "# Collective test starting: ...", as since version 2.17
  std::string label = "";    ///< before each line: "[1,0]<stdout>:"
};

std::string nccl_text(const NcclText& text);

/// `text` with the first `what` replaced.
std::string with(std::string text, std::string_view what, std::string_view by);

}  // namespace portolan
