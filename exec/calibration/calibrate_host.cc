#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "exec/calibration.h"
#include "exec/calibration/collective_curve.h"
#include "exec/calibration/gemm_grid.h"
#include "exec/calibration/machine_name.h"
#include "exec/calibration/training_course.h"
#include "exec/processor_affinity.h"
#include "exec/resident_memory.h"
#include "kernels/host/blas.h"
#include "plan/cost.h"

namespace portolan {

namespace {

/// Collects what was measured and turns it into figures of a hardware description.
class HardwareAssembler {
 public:
  void add(const Kernel& kernel, const Sample& sample) {
    if (sample.empty()) {
      return;
    }
    noise_.add(sample.noise());
    if (is_gemm(kernel.kind)) {
      const KernelShape& s = kernel.shape;
      products_[{gemm_layout(kernel.kind), s.gemm_batch, s.gemm_m, s.gemm_n, s.gemm_k}].add(
          kernel.flops.value, sample.typical());
    } else if (kernel.bytes.value > 0) {
      const std::int64_t elements =
          std::max<std::int64_t>(kernel.shape.rows, 1) * std::max<std::int64_t>(kernel.shape.columns, 1);
      memory_bound_[{kernel.kind, elements}].add(static_cast<double>(kernel.bytes.value), sample.typical());
    }
  }

  void add(const TimedCommunication& communication) {
    noise_.add(communication.sample.noise());
    points_.push_back({.collective = communication.collective,
                       .num_ranks = communication.num_ranks,
                       .size = communication.size,
                       .time = Seconds(communication.sample.median())});
  }

  double noise_pct() const { return 100 * noise_.median(); }

  Hardware finish(std::int32_t num_cores) const;

 private:
  /// Work of several kernels alike, and the time that they took together.
  struct Throughput {
    double work = 0;
    double seconds = 0;
    void add(double more_work, double more_seconds) {
      work += more_work;
      seconds += more_seconds;
    }
    double rate() const { return work / seconds; }
  };
  using ProductKey = std::tuple<GemmLayout, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;

  void fill_device(DeviceSpec& device, const std::string& source) const;
  void fill_link(LinkSpec& link, const std::string& source, BytesPerSecond fallback) const;

  std::map<ProductKey, Throughput> products_;
  std::map<std::pair<KernelKind, std::int64_t>, Throughput> memory_bound_;
  std::vector<CollectivePoint> points_;
  Sample noise_;
};

void HardwareAssembler::fill_device(DeviceSpec& device, const std::string& source) const {
  double best = 0;
  for (const auto& [key, throughput] : products_) {
    const auto& [layout, batch, m, n, k] = key;
    best = std::max(best, throughput.rate());
    device.gemm_points.push_back({.layout = layout,
                                  .batch = batch,
                                  .m = m,
                                  .n = n,
                                  .k = k,
                                  .rate = FlopsPerSecond(throughput.rate())});
  }
  device.peak[Precision::kFp32] = {FlopsPerSecond(best), source + ": fastest product measured"};
  double stream = 0;
  for (const auto& [key, throughput] : memory_bound_) {
    const auto& [kind, elements] = key;
    device.kernel_rates.push_back({.kernel = std::string(kernel_name(kind)),
                                   .elements = elements,
                                   .rate = BytesPerSecond(throughput.rate())});
    if (kind == KernelKind::kAdamW) {
      stream = throughput.rate();  // ascending size: the last is the largest
    }
  }
  device.memory_bandwidth = {BytesPerSecond(stream), source + ": largest optimizer update"};
  for (Sourced<double>* efficiency :
       {&device.gemm_efficiency, &device.attention_gemm_efficiency, &device.memory_efficiency}) {
    *efficiency = {1.0, source + ": rates are achieved ones"};
  }
  device.kernel_launch = {Seconds(0), source + ": within the rates"};
  device.power_busy = {Watts(0), "not measured"};
  device.power_idle = {Watts(0), "not measured"};
}

void HardwareAssembler::fill_link(LinkSpec& link, const std::string& source, BytesPerSecond fallback) const {
  link.bandwidth = {fallback, source + ": memory bandwidth of one core, as there is no second"};
  link.latency = {Seconds(0), source + ": one core"};
  Bytes largest;
  Bytes smallest(std::int64_t{1} << 62);
  for (const CollectivePoint& point : points_) {
    if (point.collective == "send_receive" && point.size > largest) {
      largest = point.size;
      link.bandwidth = {point.size / point.time, source + ": largest send between two cores"};
    }
    if (point.collective == "send_receive" && point.size < smallest) {
      smallest = point.size;
      link.latency = {point.time, source + ": smallest send between two cores"};
    }
  }
  link.efficiency = {1.0, source + ": bandwidth is the achieved one"};
}

Hardware HardwareAssembler::finish(std::int32_t num_cores) const {
  const std::string machine = machine_name(num_cores);
  const std::string source = "calibration on " + machine;
  Hardware hardware;
  hardware.name = "this-machine";
  hardware.num_nodes = 1;
  hardware.gpus_per_node = num_cores;
  hardware.device.memory = {available_memory().value_or(Bytes(kGibi)) / num_cores,
                            source + ": available memory over cores"};
  fill_device(hardware.device, source);
  fill_link(hardware.nvlink, source, hardware.device.memory_bandwidth.value);
  hardware.intra_node_step = {Seconds(0), source + ": within the collective points"};
  hardware.inter_node_step = {Seconds(0), "one node"};
  hardware.collective_points = points_;
  hardware.price_per_gpu_hour = {0, "unknown"};
  return hardware;
}

void report(const CalibrationOptions& options, double share, const std::string& what) {
  if (options.on_progress) {
    options.on_progress(share, what);
  }
}

}  // namespace

Result<HostCalibration> calibrate_host(const CalibrationOptions& options) {
  host::set_blas_threads(1);
  const Seconds budget = options.rough ? Seconds(0.2) : options.budget;
  const auto allowed = static_cast<std::int32_t>(allowed_processors().size());
  const std::int32_t cores = std::clamp(options.num_cores.value_or(allowed), 1, allowed);
  HardwareAssembler assembler;
  HostCalibration calibration;
  Sample stretch;
  const std::vector<TrainingCourse> courses = options.rough ? rough_courses() : training_courses();
  const Seconds per_course = budget * (0.5 / static_cast<double>(courses.size()));
  for (std::size_t i = 0; i < courses.size(); ++i) {
    report(options, 0.5 * static_cast<double>(i) / static_cast<double>(courses.size()),
           "kernels of " + courses[i].model.name);
    PORTOLAN_TRY(const CourseResult result,
                 run_course(courses[i], {.num_cores = cores, .budget = per_course, .seed = options.seed}));
    for (const TimedKernel& timed : result.kernels) {
      assembler.add(timed.kernel, timed.sample);
    }
    stretch.add(result.stretch);
  }
  report(options, 0.5, "matrix products");
  const std::vector<Kernel> grid = gemm_grid(options.rough ? GridSize::kRough : GridSize::kFull);
  const std::vector<Sample> samples =
      time_gemms(grid, {.num_cores = cores, .budget = budget * 0.4, .seed = options.seed});
  for (std::size_t i = 0; i < grid.size(); ++i) {
    assembler.add(grid[i], samples[i]);
  }
  std::set<std::int32_t> group_sizes;
  if (cores > 1) {
    group_sizes = {2, cores};
  }
  for (const std::int32_t num_ranks : group_sizes) {
    report(options, 0.9, fmt::format("communication between {} threads", num_ranks));
    PORTOLAN_TRY(const auto curve,
                 time_communication(num_ranks, budget * (0.1 / static_cast<double>(group_sizes.size()))));
    for (const TimedCommunication& point : curve) {
      assembler.add(point);
    }
  }
  report(options, 1, "done");
  calibration.hardware = assembler.finish(cores);
  calibration.noise_pct = assembler.noise_pct();
  calibration.stretch = stretch.median();
  return calibration;
}

}  // namespace portolan
