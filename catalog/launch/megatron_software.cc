#include "catalog/launch/megatron_software.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "catalog/document/node.h"
#include "catalog/launch/megatron_model.h"
#include "plan/legality.h"

namespace portolan {

namespace {

/// A switch that turns a feature of the software off.
struct OffSwitch {
  std::string_view flag;
  bool MegatronSettings::*given;
  Sourced<bool> SoftwareProfile::*feature;
};
constexpr auto kOffSwitches = std::to_array<OffSwitch>({
    {"--no-gradient-accumulation-fusion", &MegatronSettings::no_gradient_accumulation_fusion,
     &SoftwareProfile::fused_gradient_accumulation},
    {"--no-masked-softmax-fusion", &MegatronSettings::no_masked_softmax_fusion,
     &SoftwareProfile::fused_softmax},
    {"--no-bias-gelu-fusion", &MegatronSettings::no_bias_gelu_fusion, &SoftwareProfile::fused_activation},
    {"--no-bias-swiglu-fusion", &MegatronSettings::no_bias_swiglu_fusion, &SoftwareProfile::fused_activation},
    {"--no-bias-dropout-fusion", &MegatronSettings::no_bias_dropout_fusion,
     &SoftwareProfile::fused_dropout_add},
    {"--no-rope-fusion", &MegatronSettings::no_rope_fusion, &SoftwareProfile::fused_rotary},
});

class SoftwareReader {
 public:
  SoftwareReader(const MegatronArguments& arguments, Scenario& scenario, std::vector<std::string>& assumed)
      : arguments_(arguments), s_(arguments.settings), scenario_(scenario), assumed_(assumed) {}

  Result<void> run() {
    for (const OffSwitch& off : kOffSwitches) {
      const bool is_of_model = off.given != (is_swiglu() ? &MegatronSettings::no_bias_gelu_fusion
                                                         : &MegatronSettings::no_bias_swiglu_fusion);
      if (s_.*off.given && is_of_model) {
        set(scenario_.software.*off.feature, false, off.flag);
      }
    }
    if (s_.make_vocab_size_divisible_by) {
      set(scenario_.software.vocab_padding, *s_.make_vocab_size_divisible_by,
          "--make-vocab-size-divisible-by");
    }
    set(scenario_.software.dropout, has_dropout(), "--attention-dropout, --hidden-dropout");
    PORTOLAN_CHECK_OK(set_attention());
    if (s_.tp_comm_overlap) {
      set(scenario_.software.tensor_overlap, true, "--tp-comm-overlap");
    }
    if (s_.no_overlap_p2p_communication) {
      set(scenario_.software.blocking_sends, true, "--no-overlap-p2p-communication");
      set(scenario_.software.receive_prefetch, std::int64_t{0}, "--no-overlap-p2p-communication");
    }
    set(scenario_.software.parameter_gather_overlap, s_.overlap_param_gather, "--overlap-param-gather");
    set_gradient_width();
    return {};
  }

 private:
  template <typename T>
  void set(Sourced<T>& figure, T value, std::string_view flag) {
    if (!(figure.value == value)) {
      figure = {value, fmt::format("{}: {}", arguments_.file, flag)};
    }
  }
  bool is_swiglu() const { return scenario_.model.activation == Activation::kSwiGlu; }

  /// Where a script gives neither, Megatron-LM drops a tenth.
  bool has_dropout() {
    if (!s_.attention_dropout && !s_.hidden_dropout) {
      assumed_.emplace_back("--attention-dropout 0.1 --hidden-dropout 0.1 (Megatron-LM's default)");
    }
    return s_.attention_dropout.value_or(0.1) > 0 || s_.hidden_dropout.value_or(0.1) > 0;
  }

  Result<void> set_attention() {
    const std::string backend = s_.attention_backend.value_or("auto");
    constexpr std::array<std::string_view, 5> kBackends = {"flash", "fused", "unfused", "local", "auto"};
    if (std::find(kBackends.begin(), kBackends.end(), backend) == kBackends.end()) {
      return argument_error(arguments_, "--attention-backend",
                            fmt::format("\"{}\" is not known (allowed: flash, fused, unfused, local, auto)",
                                        printable(backend)));
    }
    if (s_.use_flash_attn || backend == "flash" || backend == "fused") {
      set(scenario_.software.flash_attention, true,
          s_.use_flash_attn ? "--use-flash-attn" : "--attention-backend");
      set(scenario_.software.flash_skips_masked, true,
          s_.use_flash_attn ? "--use-flash-attn" : "--attention-backend");
    } else if (backend != "auto") {
      set(scenario_.software.flash_attention, false, "--attention-backend");
    } else {
      assumed_.push_back(fmt::format("attention: {} (of {})",
                                     scenario_.software.flash_attention.value ? "flash" : "scores in memory",
                                     scenario_.software.name));
    }
    return {};
  }

  /// With bf16 gradients add up in fp32 unless the script says otherwise; with fp16 where it says so.
  void set_gradient_width() {
    SoftwareProfile& software = scenario_.software;
    std::int64_t width = compute_bytes(scenario_.precision);
    std::string_view flag = "no --accumulate-allreduce-grads-in-fp32";
    if (s_.accumulate_allreduce_grads_in_fp32) {
      width = 4;
      flag = "--accumulate-allreduce-grads-in-fp32";
    } else if (scenario_.precision == Precision::kBf16 || scenario_.precision == Precision::kFp8) {
      width = s_.grad_reduce_in_bf16 ? 2 : 4;
      flag = s_.grad_reduce_in_bf16 ? "--grad-reduce-in-bf16" : "--bf16";
    }
    if (gradient_width(software, scenario_.precision) != width) {
      software.gradient_bytes = {width, fmt::format("{}: {}", arguments_.file, flag)};
      software.fp16_gradient_bytes.reset();
    }
  }

  const MegatronArguments& arguments_;
  const MegatronSettings& s_;
  Scenario& scenario_;
  std::vector<std::string>& assumed_;
};

}  // namespace

Result<void> set_megatron_software(const MegatronArguments& arguments, Scenario& scenario,
                                   std::vector<std::string>& assumed) {
  return SoftwareReader(arguments, scenario, assumed).run();
}

void set_megatron_software(const Scenario& scenario, const Strategy& strategy, MegatronSettings& settings) {
  const SoftwareProfile& software = scenario.software;
  const bool is_swiglu = scenario.model.activation == Activation::kSwiGlu;
  const bool is_rotary = scenario.model.position == PositionEncoding::kRotary;
  for (const OffSwitch& off : kOffSwitches) {
    const bool concerns = off.given == &MegatronSettings::no_bias_gelu_fusion     ? !is_swiglu
                          : off.given == &MegatronSettings::no_bias_swiglu_fusion ? is_swiglu
                          : off.given == &MegatronSettings::no_rope_fusion        ? is_rotary
                                                                                  : true;
    settings.*off.given = concerns && !(software.*off.feature).value;
  }
  settings.attention_dropout = software.dropout.value ? 0.1 : 0.0;
  settings.hidden_dropout = settings.attention_dropout;
  settings.attention_backend = software.flash_attention.value ? "flash" : "unfused";
  // Of tensor-parallel communication the overlap that is modelled, beside weight gradients, needs no
  // argument.
  settings.overlap_param_gather = gathers_beside_forward(scenario, strategy);
  settings.no_overlap_p2p_communication =
      strategy.virtual_stages > 1 && software.blocking_sends.value && strategy.pipeline_parallel > 2;
  const bool is_half = compute_bytes(strategy.precision) == 2;
  const std::int64_t width = gradient_width(software, strategy.precision);
  settings.accumulate_allreduce_grads_in_fp32 = is_half && width == 4;
  settings.grad_reduce_in_bf16 = is_half && strategy.precision != Precision::kFp16 && width == 2;
}

}  // namespace portolan
