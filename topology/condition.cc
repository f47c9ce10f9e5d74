#include "topology/condition.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace portolan {

namespace {

constexpr std::array<std::string_view, 6> kWords = {"slow-gpu",   "slow-link",   "dead-link",
                                                    "failed-nic", "failed-node", "congested-spine"};

}  // namespace

std::string_view impairment_word(ImpairmentKind kind) { return kWords[static_cast<std::size_t>(kind)]; }

std::optional<ImpairmentKind> find_impairment(std::string_view word) {
  const auto found = std::find(kWords.begin(), kWords.end(), word);
  return found == kWords.end() ? std::nullopt
                               : std::optional(static_cast<ImpairmentKind>(found - kWords.begin()));
}

std::string impairment_words() { return fmt::format("{}", fmt::join(kWords, ", ")); }

bool has_share(ImpairmentKind kind) {
  return kind == ImpairmentKind::kSlowGpu || kind == ImpairmentKind::kSlowLink ||
         kind == ImpairmentKind::kCongestedSpine;
}

std::string impairment_text(const Impairment& impairment) {
  const std::string text = fmt::format("{} {}", impairment_word(impairment.kind), impairment.place);
  return has_share(impairment.kind) ? fmt::format("{} {}", text, impairment.share) : text;
}

}  // namespace portolan
