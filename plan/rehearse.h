#pragma once

#include "plan/program.h"

namespace portolan {

/// Goes through the order lists of all stages together, without time. Precondition: every index in `program`
/// is in range. Errors (kBadInput): a deadlock, a send that nobody receives, a receive of another size than
/// its send; with stage and slot.
Result<void> rehearse(const Program& program);

}  // namespace portolan
