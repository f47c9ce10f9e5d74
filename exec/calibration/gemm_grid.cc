#include "exec/calibration/gemm_grid.h"

#include <algorithm>
#include <array>

#include "base/random.h"
#include "exec/calibration/thread_team.h"
#include "exec/host/host_kernels.h"
#include "exec/host/work_clock.h"
#include "exec/run_control.h"

namespace portolan {

namespace {

/// Operands that should be cold are taken from a pool of this many floats in turn: three times a 32 MiB
/// cache.
constexpr std::size_t kPoolFloats = 24 * 1024 * 1024;
constexpr double kMostFlops = 2.2e9;  ///< of one product; a core takes some 15 ms
constexpr double kMostRoughFlops = 1e7;
constexpr int kMostGemmRepeats = 64;
constexpr int kFewestGemmRepeats = 3;

Kernel linear_kernel(KernelKind kind, std::int64_t rows, std::int64_t out, std::int64_t in) {
  Kernel kernel;
  kernel.kind = kind;
  kernel.shape = {.rows = rows, .columns = out, .inner = in, .gemm_batch = 1};
  KernelShape& s = kernel.shape;
  s.gemm_m = kind == KernelKind::kLinearBackwardWeight ? out : rows;
  s.gemm_n = kind == KernelKind::kLinearForward ? out : in;
  s.gemm_k = rows * out * in / (s.gemm_m * s.gemm_n);
  kernel.flops = Flops(2.0 * static_cast<double>(rows) * static_cast<double>(out) * static_cast<double>(in));
  const Access result = kind == KernelKind::kLinearBackwardWeight ? Access::kUpdate : Access::kWrite;
  kernel.operands = {{0, result}, {1, Access::kRead}, {2, Access::kRead}};
  return kernel;
}

/// Floats of each operand, in the kernel's order.
std::array<std::size_t, 3> operand_sizes(const Kernel& kernel) {
  const KernelShape& s = kernel.shape;
  const auto floats = [](std::int64_t a, std::int64_t b) { return static_cast<std::size_t>(a * b); };
  const std::size_t x = floats(s.rows, s.inner);
  const std::size_t y = floats(s.rows, s.columns);
  const std::size_t weight = floats(s.columns, s.inner);
  switch (kernel.kind) {
    case KernelKind::kLinearForward:
      return {y, x, weight};
    case KernelKind::kLinearBackwardInput:
      return {x, y, weight};
    default:
      return {weight, y, x};
  }
}

/// One core's memory.
class OperandPool {
 public:
  explicit OperandPool(std::uint64_t seed) : cold_(kPoolFloats), hot_(4 * 1024 * 1024) {
    RandomStream random(seed, "calibration operands");
    std::array<float, 4096> values{};
    for (float& value : values) {
      value = static_cast<float>(random.next_normal());
    }
    const auto fill = [&](std::vector<float>& pool) {
      for (std::size_t i = 0; i < pool.size(); ++i) {
        pool[i] = values[(i * 7 + i / 4096) % values.size()];
      }
    };
    fill(cold_);
    fill(hot_);
  }

  std::byte* hot() { return reinterpret_cast<std::byte*>(hot_.data()); }
  std::byte* cold(std::size_t floats) {
    if (next_ + floats > cold_.size()) {
      next_ = 0;
    }
    float* const place = cold_.data() + next_;
    next_ += (floats + 15) / 16 * 16;
    return reinterpret_cast<std::byte*>(place);
  }

 private:
  std::vector<float> cold_;
  std::vector<float> hot_;
  std::size_t next_ = 0;
};

double time_once(const Kernel& kernel, OperandPool& pool) {
  const std::array<std::size_t, 3> sizes = operand_sizes(kernel);
  const std::array<std::byte*, 3> operands = {pool.cold(sizes[0]), pool.hot(), pool.cold(sizes[2])};
  const KernelLaunch launch{.kernel = kernel, .operands = operands, .host_data = {}, .update = {}};
  const WorkClock clock;
  const Result<void> done = run_host_kernel(launch);
  return done ? clock.seconds() : 0;
}

/// Times one kernel over and over on one core, for about `budget_s`.
void time_kernel(const Kernel& kernel, double budget_s, OperandPool& pool, Sample& sample) {
  time_once(kernel, pool);
  double spent = 0;
  for (int repeat = 0; repeat < kMostGemmRepeats && (repeat < kFewestGemmRepeats || spent < budget_s);
       ++repeat) {
    const double seconds = time_once(kernel, pool);
    sample.add(seconds);
    spent += seconds;
  }
}

}  // namespace

std::vector<Kernel> gemm_grid(GridSize size) {
  constexpr std::array<std::int64_t, 5> kRows = {64, 128, 256, 512, 1024};
  constexpr std::array<std::int64_t, 5> kFeatures = {64, 192, 512, 1536, 4096};
  const double most_flops = size == GridSize::kFull ? kMostFlops : kMostRoughFlops;
  std::vector<Kernel> kernels;
  for (const KernelKind kind :
       {KernelKind::kLinearForward, KernelKind::kLinearBackwardInput, KernelKind::kLinearBackwardWeight}) {
    for (const std::int64_t rows : kRows) {
      for (const std::int64_t out : kFeatures) {
        for (const std::int64_t in : kFeatures) {
          Kernel kernel = linear_kernel(kind, rows, out, in);
          if (kernel.flops.value <= most_flops) {
            kernels.push_back(std::move(kernel));
          }
        }
      }
    }
  }
  return kernels;
}

std::vector<Sample> time_gemms(const std::vector<Kernel>& kernels, const GridOptions& options) {
  const double budget_s = options.budget.value / static_cast<double>(kernels.size());
  std::vector<std::vector<Sample>> of_cores(static_cast<std::size_t>(options.num_cores),
                                            std::vector<Sample>(kernels.size()));
  const RunControl control(Seconds(60));
  RankBarrier barrier(options.num_cores);
  run_team(options.num_cores, [&](std::int32_t member) {
    OperandPool pool(options.seed);
    std::int64_t generation = 0;
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      if (!barrier.arrive_and_wait(control, generation)) {
        return;
      }
      time_kernel(kernels[i], budget_s, pool, of_cores[static_cast<std::size_t>(member)][i]);
    }
  });
  std::vector<Sample> samples = std::move(of_cores.front());
  for (std::size_t core = 1; core < of_cores.size(); ++core) {
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      samples[i].append(of_cores[core][i]);
    }
  }
  return samples;
}

}  // namespace portolan
