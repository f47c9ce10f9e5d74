#include "catalog/launch/megatron_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "catalog/document/node.h"
#include "catalog/launch/megatron_software.h"
#include "catalog/launch/megatron_strategy.h"
#include "catalog/words.h"

namespace portolan {

namespace {

class RunReader {
 public:
  RunReader(const MegatronArguments& arguments, const MegatronContext& context)
      : arguments_(arguments), s_(arguments.settings), context_(context) {}

  Result<MegatronRun> run() {
    Scenario& scenario = run_.scenario;
    if (context_.scenario) {
      scenario = *context_.scenario;
      scenario.constraints = {};
    } else {
      scenario.name = std::filesystem::path(arguments_.file).filename().string();
    }
    scenario.hardware = context_.hardware;
    scenario.software = context_.software;
    PORTOLAN_CHECK_OK(set_precision());
    PORTOLAN_TRY(scenario.model, megatron_model(arguments_, context_, run_.assumed));
    PORTOLAN_CHECK_OK(set_sequence());
    PORTOLAN_CHECK_OK(set_gpus());
    PORTOLAN_CHECK_OK(set_megatron_software(arguments_, scenario, run_.assumed));
    set_batch();
    PORTOLAN_TRY(run_.strategy, megatron_strategy(arguments_, scenario, run_.assumed));
    for (const auto& [flag, given] : arguments_.given) {
      if (!given.unset.empty()) {
        run_.assumed.push_back(fmt::format("{} {} (line {}: {} is not set)", flag, printable(given.text),
                                           given.line, given.unset));
      }
    }
    list_differences();
    return std::move(run_);
  }

 private:
  Result<void> set_precision() {
    if (s_.bf16 && s_.fp16) {
      return argument_error(arguments_, "--fp16", "beside --bf16 (allowed: one of the two)");
    }
    run_.scenario.precision = s_.fp8_format ? Precision::kFp8
                              : s_.bf16     ? Precision::kBf16
                              : s_.fp16     ? Precision::kFp16
                                            : Precision::kFp32;
    return {};
  }

  Result<void> set_sequence() {
    Scenario& scenario = run_.scenario;
    if (s_.seq_length) {
      scenario.sequence_length = *s_.seq_length;
    } else if (context_.scenario) {
      run_.assumed.push_back(fmt::format("--seq-length {} (the scenario's)", scenario.sequence_length));
    } else {
      return argument_error(arguments_, "--seq-length",
                            "is not given (needed: in the script, or a SCENARIO)");
    }
    if (s_.max_position_embeddings && *s_.max_position_embeddings < scenario.sequence_length) {
      return argument_error(arguments_, "--max-position-embeddings",
                            fmt::format("{} is less than --seq-length {}", *s_.max_position_embeddings,
                                        scenario.sequence_length));
    }
    return {};
  }

  Result<void> set_gpus() {
    Scenario& scenario = run_.scenario;
    const std::int64_t there = scenario.hardware.num_gpus();
    const LaunchSize& size = arguments_.size;
    if (size.ranks) {
      scenario.num_gpus = size.ranks->value;
      if (!size.ranks->unset.empty()) {
        run_.assumed.push_back(fmt::format("{} ranks ({} is not set in {})", size.ranks->value,
                                           size.ranks->unset, arguments_.file));
      }
    } else if (context_.scenario) {
      run_.assumed.push_back(fmt::format("{} ranks (the scenario's)", scenario.num_gpus));
    } else {
      scenario.num_gpus = there;
      run_.assumed.push_back(fmt::format("{} ranks (all of {})", there, scenario.hardware.name));
    }
    if (scenario.num_gpus > there) {
      const std::string place =
          size.ranks && size.ranks->line > 0 ? fmt::format(":{}", size.ranks->line) : "";
      return bad_input(fmt::format("{}{}: {} ranks are more than the {} GPUs of {} (try --hardware)",
                                   arguments_.file, place, scenario.num_gpus, there, scenario.hardware.name));
    }
    return {};
  }

  void set_batch() {
    Scenario& scenario = run_.scenario;
    if (s_.global_batch_size) {
      scenario.global_batch = *s_.global_batch_size;
      return;
    }
    std::int64_t replicas = scenario.num_gpus;
    for (const auto& degree :
         {s_.tensor_model_parallel_size, s_.pipeline_model_parallel_size, s_.context_parallel_size}) {
      replicas = std::max<std::int64_t>(replicas / degree.value_or(1), 1);
    }
    scenario.global_batch = s_.micro_batch_size.value_or(1) * replicas;
    run_.assumed.push_back(
        fmt::format("--global-batch-size {} (one microbatch of each replica)", scenario.global_batch));
  }

  template <typename T>
  void differ(std::string_view field, const T& here, const T& there) {
    if (!(here == there)) {
      run_.differs.push_back(fmt::format("{} {}, not {}", field, here, there));
    }
  }

  void list_differences() {
    if (!context_.scenario) {
      return;
    }
    const Scenario& a = run_.scenario;
    const Scenario& b = *context_.scenario;
    differ("model.num_layers", a.model.num_layers, b.model.num_layers);
    differ("model.hidden_size", a.model.hidden_size, b.model.hidden_size);
    differ("model.num_heads", a.model.num_heads, b.model.num_heads);
    differ("model.num_kv_heads", a.model.num_kv_heads, b.model.num_kv_heads);
    differ("model.ffn_size", a.model.ffn_size, b.model.ffn_size);
    differ("model.vocab_size", a.model.vocab_size, b.model.vocab_size);
    differ("model.normalization", word_of(a.model.normalization), word_of(b.model.normalization));
    differ("model.activation", word_of(a.model.activation), word_of(b.model.activation));
    differ("model.position", word_of(a.model.position), word_of(b.model.position));
    differ("model.linear_bias", a.model.linear_bias, b.model.linear_bias);
    differ("model.tied_embeddings", a.model.tied_embeddings, b.model.tied_embeddings);
    differ("sequence_length", a.sequence_length, b.sequence_length);
    differ("global_batch", a.global_batch, b.global_batch);
    differ("num_gpus", a.num_gpus, b.num_gpus);
    differ("precision", precision_name(a.precision), precision_name(b.precision));
  }

  const MegatronArguments& arguments_;
  const MegatronSettings& s_;
  const MegatronContext& context_;
  MegatronRun run_;
};

}  // namespace

Result<MegatronRun> megatron_run(const MegatronArguments& arguments, const MegatronContext& context) {
  return RunReader(arguments, context).run();
}

}  // namespace portolan
