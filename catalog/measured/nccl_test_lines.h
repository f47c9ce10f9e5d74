#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "catalog/measured/nccl_tests.h"

namespace portolan {

// The kinds of lines that programs of nccl-tests print, word by word.

using NcclWords = std::vector<std::string_view>;
NcclWords nccl_words(std::string_view text);

/// Without what launchers put before lines: "[1,0]<stdout>:" (mpirun --tag-output), "0: " (srun --label).
std::string_view without_launcher_label(std::string_view text);

/// Where a table has what: places among the words of a row.
struct NcclTableHead {
  struct Times {
    std::size_t time = 0, algbw = 0, busbw = 0;
    std::optional<std::size_t> wrong;
  };
  std::size_t num_columns = 0;
  std::optional<std::size_t> redop, root;
  std::vector<Times> times;  ///< out of place, in place
  bool has_stamp = false;    ///< of a date and a time: one word more than columns
  bool of_host = false;
};

/// Nothing where the words are no head of a table.
std::optional<NcclTableHead> find_table_head(const NcclWords& words);

/// "#  Rank  3 Group  0 Pid 4711 on node7 device  3 [0000:4e:00] NVIDIA A100-SXM4-80GB": words behind "Rank".
struct NcclRankLine {
  std::int64_t rank = 0;
  std::string_view group;
  NcclTestRank listed;
};

/// Nothing where the words are no such line.
std::optional<NcclRankLine> find_rank_line(const NcclWords& words);

}  // namespace portolan
