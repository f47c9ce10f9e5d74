#include "catalog/measured/nccl_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "base/parse_quantity.h"
#include "catalog/document/node.h"
#include "catalog/measured/log_line.h"
#include "catalog/measured/nccl_test_kind.h"
#include "catalog/measured/nccl_test_lines.h"

namespace portolan {

namespace {

/// Below it two decimals are too few to tell bandwidths by.
constexpr double kLeastTellingBandwidth = 1.0;

/// Follows the output line by line; a test ends where the next one begins.
class NcclTestsReader {
 public:
  explicit NcclTestsReader(const std::string& file)
      : file_(printable(file)), of_file_(program_named_in(file.substr(file.rfind('/') + 1))) {}

  Result<void> read(const LogLine& line) {
    const std::string_view text = without_launcher_label(line.text);
    const NcclWords words = nccl_words(text);
    if (words.empty()) {
      return {};
    }
    line_ = line.number;
    if (words[0] == "#") {
      return comment(text, words);
    }
    // A row, or the time and date that some print before one.
    if (head_ && words[0].find_first_not_of("0123456789") == std::string_view::npos) {
      return row(words, line.is_cut_off);
    }
    name(text);
    return {};
  }

  Result<NcclTestsOutput> finish() {
    PORTOLAN_CHECK_OK(end_test());
    if (output_.tests.empty()) {
      return bad_input(fmt::format(
          "{}: has no table of nccl-tests (allowed: what all_reduce_perf and its like print, with the head "
          "\"#  size  count  type  redop  root  time  algbw  busbw  #wrong\"{})",
          file_, output_.other_programs.empty() ? "" : ", but of " + output_.other_programs.front()));
    }
    return std::move(output_);
  }

 private:
  struct Names {
    std::optional<NcclProgram> stated, command;
  };

  Error at_line(std::int64_t line, const std::string& message) const {
    return bad_input(fmt::format("{}:{}: {}", file_, line, message));
  }

  Result<void> comment(std::string_view text, const NcclWords& words) {
    if (text.find("Out of bounds values") != std::string_view::npos && words.back() == "FAILED") {
      return at_line(line_, "results were wrong (Out of bounds values ... FAILED): nothing of it is used");
    }
    if (const std::optional<NcclTableHead> head = find_table_head(words)) {
      return begin_table(*head);
    }
    if (words.size() > 1 && words[1] == "nThread") {
      return begin_test();
    }
    if (words.size() > 1 && words[1] == "Rank") {
      return rank(words);
    }
    if (text.find("concluded") == std::string_view::npos) {
      name(text);
    }
    return {};
  }

  /// A program is named above its table: what is named below rows belongs to the next one.
  void name(std::string_view text) {
    if (const std::optional<NcclProgram> program = program_named_in(text)) {
      Names& names = test_.rows.empty() ? names_ : next_names_;
      (text.find("starting: ") != std::string_view::npos ? names.stated : names.command) = program;
    }
  }

  Result<void> begin_test() {
    PORTOLAN_CHECK_OK(end_test());
    ranks_.clear();
    group_.clear();
    return {};
  }

  Result<void> rank(const NcclWords& words) {
    const std::optional<NcclRankLine> listed = find_rank_line(words);
    if (!listed) {
      return at_line(line_,
                     "a rank without its number, host and device (allowed: "
                     "\"#  Rank  0 Group  0 Pid 1 on HOST device  0 [0000:07:00] NAME\")");
    }
    if (!test_.rows.empty()) {
      PORTOLAN_CHECK_OK(begin_test());
    }
    if (!ranks_.empty() && listed->group != group_) {
      return at_line(line_, fmt::format("ranks in groups {} and {} (allowed: one group, without "
                                        "NCCL_TESTS_SPLIT)",
                                        printable(group_), printable(listed->group)));
    }
    group_ = listed->group;
    if (listed->rank < static_cast<std::int64_t>(ranks_.size())) {
      return at_line(line_,
                     fmt::format("rank {} is listed twice (was nccl-tests built with MPI=1?)", listed->rank));
    }
    if (listed->rank > static_cast<std::int64_t>(ranks_.size())) {
      return at_line(
          line_, fmt::format("rank {} follows {} ranks: some are not listed", listed->rank, ranks_.size()));
    }
    ranks_.push_back(listed->listed);
    ranks_.back().line = line_;
    return {};
  }

  Result<void> begin_table(const NcclTableHead& head) {
    PORTOLAN_CHECK_OK(end_test());
    if (head.of_host) {
      return at_line(line_, "times of the host (cputime; allowed: without -C)");
    }
    head_ = head;
    test_ = {.line = line_, .kind = {}, .ranks = ranks_, .rows = {}};
    return {};
  }

  /// What is out of place, what is in place.
  Result<void> row(const NcclWords& words, bool is_cut_off) {
    const std::size_t expected = head_->num_columns + (head_->has_stamp ? 1 : 0);
    const Result<std::int64_t> size = parse_integer(words[0]);
    if (words.size() != expected || !size || is_cut_off) {
      ++output_.num_malformed;
      return {};
    }
    for (std::size_t i = 0; i < head_->times.size(); ++i) {
      const NcclTableHead::Times& at = head_->times[i];
      if (at.wrong) {
        const Result<double> wrong = parse_number(words[*at.wrong]);
        if (wrong && *wrong != 0) {
          return at_line(line_, fmt::format("#wrong is {} (must be 0): results were wrong",
                                            printable(words[*at.wrong])));
        }
        checked_[i] = checked_[i] || wrong;
      }
      const Result<double> time_us = parse_number(words[at.time]);
      const Result<double> algbw = parse_number(words[at.algbw]), busbw = parse_number(words[at.busbw]);
      if (!time_us || !algbw || !busbw || !(*time_us > 0) || *time_us > 1e10) {
        output_.num_malformed += *size > 0 ? 1 : 0;
        continue;
      }
      if (*size == 0) {
        continue;
      }
      const double gigabytes = static_cast<double>(*size) / *time_us * 1e-3;
      if (std::abs(gigabytes - *algbw) > 0.03 * gigabytes + 0.02) {
        return at_line(line_, fmt::format("algbw is {}, but {} B in {} us are {:.2f} GB/s", *algbw, *size,
                                          printable(words[at.time]), gigabytes));
      }
      if (*algbw >= kLeastTellingBandwidth && *algbw > best_algbw_) {
        best_algbw_ = *algbw;
        signs_.bus_factor = *busbw / *algbw;
      }
      test_.rows.push_back({.line = line_, .size = Bytes(*size), .time = Seconds(*time_us * 1e-6)});
      is_in_place_.push_back(i > 0);
    }
    if (head_->redop) {
      signs_.reduces = words[*head_->redop] != "none";
    }
    if (head_->root) {
      signs_.has_root = words[*head_->root] != "-1";
    }
    return {};
  }

  Result<NcclProgram> program() {
    signs_.num_ranks = std::ssize(test_.ranks);
    if (checked_[0]) {
      signs_.unchecked_in_place = !checked_[1];
    }
    for (const std::optional<NcclProgram>& named : {names_.stated, names_.command, of_file_}) {
      if (named && named->kind && signs_.bus_factor > 0 &&
          std::abs(signs_.bus_factor / bus_factor(*named->kind, signs_.num_ranks) - 1) >
              kBusFactorTolerance) {
        return at_line(test_.line, fmt::format("is not of {} over {} ranks: busbw is {:.3f} x algbw (would "
                                               "be {:.3f})",
                                               named->name, signs_.num_ranks, signs_.bus_factor,
                                               bus_factor(*named->kind, signs_.num_ranks)));
      }
      if (named) {
        return *named;
      }
    }
    const std::optional<NcclProgram> only = program_with(signs_);
    if (!only) {
      return at_line(test_.line,
                     "does not say which program printed it (allowed: its name in the file's, as in "
                     "all_gather_perf.txt, or the command above the table)");
    }
    return *only;
  }

  Result<void> end_test() {
    if (head_ && !test_.rows.empty()) {
      if (test_.ranks.size() < 2) {
        return at_line(test_.line,
                       fmt::format("a table of {} ranks (must be at least 2 listed above it; under "
                                   "mpirun nccl-tests needs to be built with MPI=1)",
                                   test_.ranks.size()));
      }
      PORTOLAN_TRY(const NcclProgram program, this->program());
      if (program.kind) {
        keep(program);
      } else if (std::find(output_.other_programs.begin(), output_.other_programs.end(), program.name) ==
                 output_.other_programs.end()) {
        output_.other_programs.push_back(program.name);
      }
      names_ = std::exchange(next_names_, {});
    }
    head_.reset();
    test_ = {};
    is_in_place_.clear();
    signs_ = {};
    best_algbw_ = 0;
    checked_[0] = checked_[1] = false;
    return {};
  }

  void keep(const NcclProgram& program) {
    test_.kind = *program.kind;
    std::vector<NcclTestRow> rows;
    for (std::size_t i = 0; i < test_.rows.size(); ++i) {
      if (program.works_in_place || !is_in_place_[i]) {
        rows.push_back(test_.rows[i]);
      }
    }
    test_.rows = std::move(rows);
    if (!test_.rows.empty()) {
      output_.tests.push_back(std::move(test_));
    }
  }

  std::string file_;
  std::optional<NcclProgram> of_file_;
  Names names_, next_names_;
  NcclTestsOutput output_;
  std::int64_t line_ = 0;
  std::vector<NcclTestRank> ranks_;
  std::string group_;
  std::optional<NcclTableHead> head_;
  NcclTest test_;  ///< of head_
  std::vector<bool> is_in_place_;
  NcclTableSigns signs_;
  double best_algbw_ = 0;
  bool checked_[2] = {false, false};
};

}  // namespace

Result<NcclTestsOutput> read_nccl_tests(std::istream& stream, const std::string& file) {
  NcclTestsReader reader(file);
  LogLines lines(stream);
  while (const std::optional<LogLine> line = lines.next()) {
    PORTOLAN_CHECK_OK(reader.read(*line));
  }
  return reader.finish();
}

}  // namespace portolan
