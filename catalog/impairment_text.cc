#include "catalog/impairment_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <span>
#include <vector>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

constexpr std::string_view kExample = "such as \"slow-gpu node3.gpu5 0.7\" or \"failed-nic node3.nic2\"";

/// As much of it as a message needs, on one line.
std::string in_quotes(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, 80)) {
    quoted += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?';
  }
  return quoted + (text.size() > 80 ? "...\"" : "\"");
}

std::vector<std::string_view> words_of(std::string_view text) {
  const auto is_blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  std::vector<std::string_view> words;
  for (auto at = text.begin(); at != text.end();) {
    const auto begin = std::find_if_not(at, text.end(), is_blank);
    at = std::find_if(begin, text.end(), is_blank);
    if (begin != at) {
      words.emplace_back(begin, at);
    }
  }
  return words;
}

bool is_place(std::string_view word) {
  constexpr std::string_view kSigns = ".-<>";
  return std::all_of(word.begin(), word.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || kSigns.find(c) != std::string_view::npos;
  });
}

/// 0.7 or 70%.
Result<double> parse_share(std::string_view word) {
  const bool in_per_cent = word.ends_with('%');
  const Result<double> number = parse_number(in_per_cent ? word.substr(0, word.size() - 1) : word);
  const double share = number ? *number / (in_per_cent ? 100 : 1) : 0;
  if (!(share > 0 && share <= 1)) {
    return bad_input("is not what is left (allowed: above 0, at most 1, such as 0.7 or 70%)");
  }
  return share;
}

Result<Impairment> impairment_of(std::span<const std::string_view> words) {
  if (words.empty()) {
    return bad_input(fmt::format("is empty (allowed: {})", kExample));
  }
  const auto kind = find_impairment(words[0]);
  if (!kind) {
    return bad_input(fmt::format("does not begin with what is wrong (allowed: {})", impairment_words()));
  }
  const std::size_t expected = has_share(*kind) ? 3 : 2;
  if (words.size() != expected || !is_place(words[1])) {
    return bad_input(has_share(*kind) ? fmt::format("is not \"{} PLACE SHARE\" ({})", words[0], kExample)
                                      : fmt::format("is not \"{} PLACE\" ({})", words[0], kExample));
  }
  Impairment impairment{.kind = *kind, .place = std::string(words[1])};
  if (has_share(*kind)) {
    const Result<double> share = parse_share(words[2]);
    if (!share) {
      return bad_input(fmt::format("of which {} {}", in_quotes(words[2]), share.error().message));
    }
    impairment.share = *share;
  }
  return impairment;
}

/// The time behind "at" or "for", in one word or two: "1.2s", "1.2 s".
Result<Seconds> time_of(std::string_view name, std::span<const std::string_view> words) {
  const std::string text = fmt::format("{}", fmt::join(words, " "));
  const Result<Seconds> time = parse_seconds(text);
  const bool fits = time && *time >= Seconds(0) && (name == "at" || *time > Seconds(0));
  if (!fits) {
    return bad_input(fmt::format("has no time behind \"{}\" (allowed: {}, such as 1.2 s or 300 ms)", name,
                                 name == "at" ? "0 s and above" : "above 0 s"));
  }
  return time;
}

template <typename T>
Result<T> with_text(std::string_view text, Result<T> result) {
  return result ? std::move(result)
                : Result<T>(bad_input(fmt::format("{} {}", in_quotes(text), result.error().message)));
}

Result<ClusterEvent> event_of(std::span<const std::string_view> words) {
  const auto for_at = std::find(words.begin(), words.end(), "for");
  const auto at_at = std::find(words.begin(), for_at, "at");
  const auto part = [](auto begin, auto end) { return std::span<const std::string_view>(begin, end); };
  ClusterEvent event;
  PORTOLAN_TRY(event.what, impairment_of(part(words.begin(), at_at)));
  if (at_at != for_at) {
    PORTOLAN_TRY(event.at, time_of("at", part(at_at + 1, for_at)));
  }
  if (for_at != words.end()) {
    PORTOLAN_TRY(event.lasting, time_of("for", part(for_at + 1, words.end())));
    if (!has_share(event.what.kind)) {
      return bad_input(
          "ends, but what fails stays so until the job is started again (allowed: \"for\" with "
          "slow-gpu, slow-link, congested-spine)");
    }
  }
  return event;
}

}  // namespace

Result<Impairment> parse_impairment(std::string_view text) {
  return with_text(text, impairment_of(words_of(text)));
}

Result<ClusterEvent> parse_event(std::string_view text) { return with_text(text, event_of(words_of(text))); }

std::string event_text(const ClusterEvent& event) {
  std::string text = impairment_text(event.what);
  if (event.at > Seconds(0)) {
    text += " at " + write_seconds(event.at);
  }
  return event.lasting ? text + " for " + write_seconds(*event.lasting) : text;
}

}  // namespace portolan
