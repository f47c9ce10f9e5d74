#include "catalog/measured/timer_lines.h"

namespace portolan {

namespace {

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

void add_time(std::string_view name, const LoggedNumber& milliseconds, bool is_of_slowest,
              StepCollector& collector) {
  if (!collector.check(milliseconds)) {
    return;
  }
  if (milliseconds.value < 0 || !(milliseconds.value <= 7 * 86400e3)) {
    collector.check({.state = LoggedNumber::State::kMalformed});
    return;
  }
  collector.add_timer(name, is_of_slowest, Seconds(milliseconds.value / 1000));
}

/// "name: value | name: value"; what is in brackets is left alone.
void read_row(std::string_view row, bool is_cut_off, StepCollector& collector) {
  while (!row.empty()) {
    const std::size_t bar = row.find('|');
    const std::string_view item = row.substr(0, bar);
    const bool is_last = bar == std::string_view::npos;
    const std::size_t colon = item.find(':');
    if (colon != std::string_view::npos) {
      add_time(without_blanks(item.substr(0, colon)), number_after(item, ":", is_last && is_cut_off, colon),
               false, collector);
    }
    row = is_last ? std::string_view() : row.substr(bar + 1);
  }
}

/// "    name ....: (least, most)" or "    name ....: most"; false: it is another line.
bool read_dotted(const LogLine& line, StepCollector& collector) {
  const std::size_t dots = line.text.find(" ..");
  const std::size_t colon = line.text.find(": ", dots == std::string_view::npos ? 0 : dots);
  if (dots == std::string_view::npos || colon == std::string_view::npos ||
      line.text.find_first_not_of('.', dots + 1) != colon) {
    return false;
  }
  const std::string_view name = without_blanks(line.text.substr(0, dots));
  const std::string_view rest = line.text.substr(colon + 1);
  const std::size_t comma = rest.find(", ");
  add_time(name,
           comma == std::string_view::npos ? number_after(rest, " ", line.is_cut_off)
                                           : number_after(rest, ",", line.is_cut_off, comma),
           true, collector);
  return true;
}

}  // namespace

void TimerLines::read(const LogLine& line, StepCollector& collector) {
  if (line.text.find("time across ranks (ms):") != std::string_view::npos) {
    below_header_ = true;
    return;
  }
  if (below_header_ && (line.text.empty() || read_dotted(line, collector))) {
    return;
  }
  below_header_ = false;
  constexpr std::string_view kRow = "time (ms) |";
  if (const std::size_t row = line.text.find(kRow); row != std::string_view::npos) {
    read_row(line.text.substr(row + kRow.size()), line.is_cut_off, collector);
  }
}

}  // namespace portolan
