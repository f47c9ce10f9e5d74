#include "sim/engine_clock.h"

namespace {

// simgrid::kernel::EngineImpl::now_: exported by libsimgrid, declared in a header that is not installed. A
// release that renames it fails to link here, and nowhere else.
extern double engine_now __asm__("_ZN7simgrid6kernel10EngineImpl4now_E");

}  // namespace

namespace portolan {

void reset_engine_clock() { engine_now = 0; }

}  // namespace portolan
