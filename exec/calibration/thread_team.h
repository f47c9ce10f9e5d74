#pragma once

#include <cstdint>
#include <functional>

namespace portolan {

/// Runs work(member) on `num_members` threads at once, each kept on a core of its own, and waits for all.
void run_team(std::int32_t num_members, const std::function<void(std::int32_t member)>& work);

}  // namespace portolan
