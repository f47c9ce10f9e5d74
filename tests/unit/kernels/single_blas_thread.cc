#include <gtest/gtest.h>

#include "kernels/host/blas.h"

namespace portolan {
namespace {

/// As in the executor: one thread per product. ThreadSanitizer also does not see how OpenBLAS's own threads
/// hand over their work, and would report races.
class SingleBlasThread : public testing::Environment {
 public:
  void SetUp() override { host::set_blas_threads(1); }
};

const testing::Environment* const kSingleBlasThread = testing::AddGlobalTestEnvironment(new SingleBlasThread);

}  // namespace
}  // namespace portolan
