#include "sim/engine_clock.h"

namespace portolan {

// simgrid::kernel::EngineImpl::now_: exported by libsimgrid, declared in a header that is not installed. A
// release that renames it fails to link here, and nowhere else.
extern double simgrid_clock_s __asm__("_ZN7simgrid6kernel10EngineImpl4now_E");

void reset_engine_clock() { simgrid_clock_s = 0; }

}  // namespace portolan
