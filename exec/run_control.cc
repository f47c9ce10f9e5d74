#include "exec/run_control.h"

#include <fmt/format.h>

namespace portolan {

Error RunControl::timed_out(const char* what) const {
  return device_error(fmt::format("waited {} s in vain for {}", timeout_.value, what));
}

}  // namespace portolan
