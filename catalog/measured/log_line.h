#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>

namespace portolan {

/// One line of a program's output as a person sees it: without colours and other control bytes.
struct LogLine {
  std::string_view text;
  std::int64_t number = 0;  ///< from 1
  bool is_cut_off = false;  ///< the file ends within it
};

/// Reads lines one after another and holds one at a time. A carriage return ends a line like a newline does
/// (progress bars draw over themselves; Windows writes both). What a line has beyond 64 KiB is left out.
class LogLines {
 public:
  explicit LogLines(std::istream& stream) : stream_(stream) {}
  /// None: the end. The text lives until the next call.
  std::optional<LogLine> next();

 private:
  std::istream& stream_;
  std::string text_;
  std::int64_t number_ = 0;
};

/// A number behind a label.
struct LoggedNumber {
  enum class State : std::uint8_t {
    kAbsent,     ///< no such label
    kMalformed,  ///< what follows is no finite number
    kCutOff,     ///< it may go on beyond the end of the file
    kGood,
  };
  State state = State::kAbsent;
  double value = 0;
  std::size_t end = 0;  ///< behind it, in the text searched

  bool good() const { return state == State::kGood; }
};

/// The number that follows the first `label` in `text` from `from` on, after blanks and at most one of : and
/// =. "6,789" is one number; "3.13, x" is 3.13.
LoggedNumber number_after(std::string_view text, std::string_view label, bool is_cut_off,
                          std::size_t from = 0);

/// The rank that a launcher or a framework put before a line, if one is there before `end`: "[Rank 3]",
/// "[rank3]:", "[default3]:".
std::optional<std::int32_t> rank_before(std::string_view text, std::size_t end);

}  // namespace portolan
