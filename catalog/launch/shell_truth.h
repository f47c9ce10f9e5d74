#pragma once

#include <cstdint>

namespace portolan {

/// Whether a command succeeds or a test holds, as far as a script's text tells.
enum class Truth : std::uint8_t { kNo, kYes, kUnknown };

constexpr Truth truth_of(bool holds) { return holds ? Truth::kYes : Truth::kNo; }
constexpr Truth operator!(Truth truth) {
  return truth == Truth::kUnknown ? truth : truth_of(truth == Truth::kNo);
}

/// What becomes of the commands that are read.
enum class ScriptMode : std::uint8_t {
  kRun,
  kDoubt,  ///< whether they run, and how often, is unknown
  kSkip,
};

/// Of commands that run where `condition` holds, within others.
constexpr ScriptMode mode_if(ScriptMode outer, Truth condition) {
  if (outer == ScriptMode::kSkip || condition == Truth::kNo) {
    return ScriptMode::kSkip;
  }
  return condition == Truth::kYes ? outer : ScriptMode::kDoubt;
}

}  // namespace portolan
