#pragma once

#include <string>

#include "base/result.h"
#include "plan/costed_program.h"

namespace CLI {
class App;
}

namespace portolan {

/// Adds --fidelity, which sets `into`, to a verb.
void add_fidelity_option(CLI::App& verb, std::string& into);
/// The rung that was asked for, or what is allowed.
Result<Fidelity> parse_fidelity(const std::string& text);

}  // namespace portolan
