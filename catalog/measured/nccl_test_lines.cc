#include "catalog/measured/nccl_test_lines.h"

#include <algorithm>

#include "base/parse_quantity.h"
#include "catalog/document/node.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostNcclRanks = 1 << 20;

}  // namespace

NcclWords nccl_words(std::string_view text) {
  NcclWords words;
  for (std::size_t at = text.find_first_not_of(' '); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(' ', end);
  }
  return words;
}

std::string_view without_launcher_label(std::string_view text) {
  const std::size_t tag = text.find("<stdout>:");
  if (text.starts_with('[') && tag != std::string_view::npos) {
    return text.substr(tag + 9);
  }
  const std::size_t digits = text.find_first_not_of(' ');
  const std::size_t colon = text.find(": ");
  if (digits != std::string_view::npos && colon != std::string_view::npos && colon > digits &&
      text.substr(digits, colon - digits).find_first_not_of("0123456789") == std::string_view::npos) {
    return text.substr(colon + 2);
  }
  return text;
}

std::optional<NcclTableHead> find_table_head(const NcclWords& words) {
  if (words.size() < 6 || words[0] != "#" || words[1] != "size" || words[2] != "count") {
    return std::nullopt;
  }
  NcclTableHead head;
  head.num_columns = words.size() - 1;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t column = i - 1;
    if (words[i] == "redop") {
      head.redop = column;
    } else if (words[i] == "root") {
      head.root = column;
    } else if (words[i] == "timestamp") {
      head.has_stamp = true;
    } else if (words[i] == "time" || words[i] == "cputime") {
      head.of_host = head.of_host || words[i] == "cputime";
      head.times.push_back({.time = column, .wrong = std::nullopt});
    } else if (!head.times.empty()) {
      NcclTableHead::Times& times = head.times.back();
      times.algbw = words[i] == "algbw" ? column : times.algbw;
      times.busbw = words[i] == "busbw" ? column : times.busbw;
      if (words[i] == "#wrong") {
        times.wrong = column;
      }
    }
  }
  const bool is_whole = !head.times.empty() && head.times.size() <= 2 &&
                        std::all_of(head.times.begin(), head.times.end(),
                                    [](const NcclTableHead::Times& t) { return t.algbw > 0 && t.busbw > 0; });
  return is_whole ? std::optional(head) : std::nullopt;
}

std::optional<NcclRankLine> find_rank_line(const NcclWords& words) {
  if (words.size() < 8 || words[0] != "#" || words[1] != "Rank") {
    return std::nullopt;
  }
  NcclRankLine line;
  const Result<std::int64_t> rank = parse_integer(words[2]);
  std::size_t at = 3;
  if (words[at] == "Group") {
    line.group = words[at + 1];
    at += 2;
  }
  if (!rank || *rank < 0 || *rank >= kMostNcclRanks || words.size() < at + 6 || words[at] != "Pid" ||
      words[at + 2] != "on" || words[at + 4] != "device") {
    return std::nullopt;
  }
  const Result<std::int64_t> device = parse_integer(words[at + 5]);
  if (!device || *device < 0 || *device >= kMostNcclRanks) {
    return std::nullopt;
  }
  line.rank = *rank;
  line.listed.host = printable(words[at + 3]);
  line.listed.device = *device;
  at += 6;
  if (at < words.size() && words[at].starts_with('[') && words[at].ends_with(']')) {
    line.listed.bus = printable(words[at].substr(1, words[at].size() - 2));
    ++at;
  }
  for (; at < words.size(); ++at) {
    line.listed.gpu += (line.listed.gpu.empty() ? "" : " ") + printable(words[at]);
  }
  return line;
}

}  // namespace portolan
