#pragma once

namespace portolan {

/// Puts SimGrid's clock back to 0 s. Precondition: an engine without any activity or timer under way.
///
/// SimGrid counts time from the start of the process and offers no way back. A second graph would start at
/// the first one's end, t0, and each of its times would be rounded at t0's magnitude: the same graph would
/// give other bits, and after hours of simulated time microseconds would be lost.
void reset_engine_clock();

}  // namespace portolan
