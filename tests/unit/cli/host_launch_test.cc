// What the host takes for a kernel, from published forward passes of one token, which the host bounds
// (docs/decisions/0019-what-the-host-takes.md).
#include <gtest/gtest.h>

#include <cmath>

#include "catalog/hardware_yaml.h"
#include "catalog/model_yaml.h"
#include "catalog/software_yaml.h"
#include "plan/lower.h"

namespace portolan {
namespace {

const std::string kShipped = PORTOLAN_SOURCE_DIR "/scenarios/";

SoftwareProfile profile(const std::string& name) {
  return read_software(kShipped + "software/" + name + ".yaml").value();
}

/// Kernels of one layer's forward.
double forward_kernels(const std::string& model, const SoftwareProfile& software) {
  Scenario scenario;
  scenario.model = read_model(kShipped + "models/" + model + ".yaml").value();
  scenario.hardware = read_hardware(kShipped + "hardware/a100-node.yaml", {{kShipped}}).value();
  scenario.software = software;
  scenario.sequence_length = 128;
  scenario.global_batch = scenario.num_gpus = 1;
  const Program program = lower(scenario, Strategy{});
  std::size_t kernels = 0;
  for (const Template& t : program.stages[0].templates) {
    for (const Op& op : t.ops) {
      kernels += op.phase == Phase::kForward && op.layer == 3 ? op.kernels.size() : 0;
    }
  }
  return static_cast<double>(kernels);
}

TEST(HostLaunch, FollowsFromPublishedForwardPasses) {
  SoftwareProfile without_dropout = profile("megatron-2021");
  without_dropout.dropout.value = false;
  const double llama = 1 / 25.5 / 32 / forward_kernels("llama2-7b", profile("fsdp-2023"));
  const double opt = 95e-3 / 96 / forward_kernels("opt-175b", without_dropout);
  EXPECT_NEAR(llama, 51e-6, 1e-6);
  EXPECT_NEAR(opt, 82e-6, 1e-6);
  for (const char* name :
       {"megatron-2021", "megatron-2022", "megatron-2024", "megatron-deepspeed-2021",
        "megatron-deepspeed-2022", "deepspeed-zero3-2022", "fsdp-2023", "torchtitan-2024", "generic"}) {
    EXPECT_NEAR(profile(name).host_launch.value.value, std::sqrt(llama * opt), 1e-6) << name;
  }
}

}  // namespace
}  // namespace portolan
