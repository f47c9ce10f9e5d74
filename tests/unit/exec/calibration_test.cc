#include "exec/calibration.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "exec/calibration/training_course.h"
#include "exec/processor_affinity.h"
#include "plan/cost.h"
#include "tiny_training.h"

namespace portolan {
namespace {

/// What it measures is rough, what it holds is complete.
const HostCalibration& rough_calibration() {
  static const HostCalibration calibration = [] {
    auto made = calibrate_host({.num_cores = {}, .rough = true});
    EXPECT_TRUE(made) << made.error().message;
    return made ? std::move(made).value() : HostCalibration{};
  }();
  return calibration;
}

TEST(Calibration, IsAHardwareDescriptionThatAClusterCanBeBuiltFrom) {
  const Hardware& hardware = rough_calibration().hardware;
  const auto problem = find_problem(hardware);
  EXPECT_FALSE(problem) << problem->key << ": " << problem->message;
  EXPECT_EQ(hardware.num_gpus(), static_cast<std::int64_t>(allowed_processors().size()));
  EXPECT_GT(hardware.device.memory.value, Bytes(0));
  EXPECT_TRUE(hardware.device.memory.source.starts_with("calibration on ")) << hardware.device.memory.source;
  EXPECT_GE(rough_calibration().noise_pct, 0);
}

TEST(Calibration, EveryKernelOfBothModelFamiliesHasARate) {
  const Hardware& hardware = rough_calibration().hardware;
  std::set<std::string> rated;
  for (const KernelRate& rate : hardware.device.kernel_rates) {
    rated.insert(rate.kernel);
  }
  std::set<GemmLayout> layouts;
  for (const GemmPoint& point : hardware.device.gemm_points) {
    layouts.insert(point.layout);
  }
  EXPECT_EQ(layouts.size(), 4U);
  const KernelCost cost(hardware, Precision::kFp32);
  for (const TransformerConfig& model : {tiny_gpt(), tiny_llama()}) {
    const Plan plan = tiny_plan(model, fp32_strategy());
    for (const Template& t : plan.program.stages[0].templates) {
      for (const Op& op : t.ops) {
        for (const Kernel& kernel : op.kernels) {
          EXPECT_TRUE(is_gemm(kernel.kind) || rated.contains(std::string(kernel_name(kernel.kind))))
              << kernel_name(kernel.kind);
          EXPECT_GT(cost.time(kernel).value, 0) << kernel_name(kernel.kind);
        }
      }
    }
  }
}

TEST(Calibration, SendsAndAllReducesHaveACurveWhereThereAreTwoCores) {
  const Hardware& hardware = rough_calibration().hardware;
  std::set<std::string> measured;
  for (const CollectivePoint& point : hardware.collective_points) {
    measured.insert(point.collective);
    EXPECT_GT(point.time.value, 0);
  }
  EXPECT_EQ(measured.size(), hardware.num_gpus() > 1 ? 2U : 0U);
}

}  // namespace
}  // namespace portolan
