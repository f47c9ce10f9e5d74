#include "cli/fidelity_option.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <string_view>
#include <vector>

namespace portolan {

namespace {

std::vector<std::string_view> all_fidelities() {
  std::vector<std::string_view> names;
  for (int rung = 0; rung <= static_cast<int>(Fidelity::kExplicit); ++rung) {
    names.push_back(fidelity_name(static_cast<Fidelity>(rung)));
  }
  return names;
}

}  // namespace

void add_fidelity_option(CLI::App& verb, std::string& into) {
  verb.add_option("--fidelity", into, fmt::format("{}", fmt::join(all_fidelities(), ", ")))
      ->type_name("RUNG");
}

Result<Fidelity> parse_fidelity(const std::string& text) {
  if (const std::optional<Fidelity> fidelity = find_fidelity(text)) {
    return *fidelity;
  }
  return bad_input(
      fmt::format("--fidelity: \"{}\" is not known (allowed: {})", text, fmt::join(all_fidelities(), ", ")));
}

}  // namespace portolan
