#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "device_wrapper.h"
#include "plan/program.h"
#include "reference_step.h"

namespace portolan {

/// Gives a rank's parameters values of the test's choosing before their first use, and copies the gradients
/// that its optimizer is given in the first training step. The host's kernels run within launch(), so that
/// memory can be touched there and then.
class GradientProbe final : public DeviceWrapper {
 public:
  /// `stage`, `parameters` and `gradients` must outlive it. No other rank may write to `gradients`.
  GradientProbe(std::unique_ptr<Device> inner, const Stage& stage, const NamedTensors& parameters,
                NamedTensors& gradients)
      : DeviceWrapper(std::move(inner)),
        stage_(stage),
        parameters_(parameters),
        gradients_(gradients),
        placed_(stage.buffers.size(), false) {}

  Result<void> launch(LaneId lane, const KernelLaunch& launch) override {
    for (std::size_t i = 0; i < launch.operands.size(); ++i) {
      place_parameter(static_cast<std::size_t>(launch.kernel.operands[i].tensor), launch.operands[i]);
    }
    if (launch.kernel.kind == KernelKind::kAdamW && launch.update.step == 1) {
      take_gradient(launch);
    }
    return DeviceWrapper::launch(lane, launch);
  }

 private:
  void place_parameter(std::size_t buffer, std::byte* memory) {
    if (stage_.buffers[buffer].kind == BufferKind::kParameter && !placed_[buffer]) {
      std::ranges::transform(parameters_.at(stage_.buffers[buffer].name), reinterpret_cast<float*>(memory),
                             [](double value) { return static_cast<float>(value); });
      placed_[buffer] = true;
    }
  }

  void take_gradient(const KernelLaunch& launch) {
    const auto parameter = static_cast<std::size_t>(launch.kernel.operands[0].tensor);
    const auto* const gradient = reinterpret_cast<const float*>(launch.operands[1]);
    gradients_[stage_.buffers[parameter].name].assign(gradient, gradient + launch.kernel.shape.rows);
  }

  const Stage& stage_;
  const NamedTensors& parameters_;
  NamedTensors& gradients_;
  std::vector<bool> placed_;
};

}  // namespace portolan
