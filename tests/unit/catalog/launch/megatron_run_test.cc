#include "catalog/launch/megatron_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "catalog/launch/expert_layers.h"
#include "plan/legality.h"
#include "sample_launch.h"

namespace portolan {
namespace {

const std::string kGpt =
    "torchrun --nproc_per_node 8 --nnodes 4 pretrain_gpt.py --num-layers 24 --hidden-size 2048 "
    "--num-attention-heads 16 --seq-length 2048 --max-position-embeddings 2048 --micro-batch-size 2 "
    "--global-batch-size 64 --bf16 --vocab-size 51200 ";

std::string strategy_of(const std::string& more, const MegatronContext& context = bare_context()) {
  const Result<MegatronRun> run = run_of(kGpt + more, context);
  return run ? short_name(run->strategy) : run.error().message;
}

TEST(MegatronRun, EachFlagOfTheStrategy) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "tp1 pp1 dp32 mb2 1f1b none"},
      {"--tensor-model-parallel-size 4 --sequence-parallel", "tp4 pp1 dp8 mb2 1f1b none sp"},
      {"--sequence-parallel",
       "tp1 pp1 dp32 mb2 1f1b none"},  // as Megatron-LM has it: without tp there is none
      {"--pipeline-model-parallel-size=4", "tp1 pp4 dp8 mb2 1f1b none"},
      {"--pipeline-model-parallel-size 4 --num-layers-per-virtual-pipeline-stage 2",
       "tp1 pp4 dp8 mb2 interleaved v3 none"},
      {"--pipeline-model-parallel-size 4 --num-virtual-stages-per-pipeline-rank 2",
       "tp1 pp4 dp8 mb2 interleaved v2 none"},
      {"--pipeline-model-parallel-size 2 --decoder-first-pipeline-num-layers 10",
       "tp1 pp2 dp16 mb2 1f1b none layers=10:14"},
      {"--pipeline-model-parallel-size 4 --decoder-first-pipeline-num-layers 4 "
       "--decoder-last-pipeline-num-layers 4 --num-virtual-stages-per-pipeline-rank 2",
       "tp1 pp4 dp8 mb2 interleaved v2 none layers=2:4:4:2:2:4:4:2"},
      {"--pipeline-model-parallel-size 2 --pipeline-model-parallel-layout 'Et*11|t*13L'",
       "tp1 pp2 dp16 mb2 1f1b none layers=11:13"},
      {"--recompute-activations", "tp1 pp1 dp32 mb2 1f1b selective"},
      {"--recompute-granularity full --recompute-method uniform --recompute-num-layers 1",
       "tp1 pp1 dp32 mb2 1f1b full"},
      {"--recompute-granularity full --recompute-method uniform --recompute-num-layers 4",
       "tp1 pp1 dp32 mb2 1f1b uniform:4"},
      {"--recompute-granularity full --recompute-method block --recompute-num-layers 5",
       "tp1 pp1 dp32 mb2 1f1b block:5"},
      {"--recompute-granularity selective --recompute-modules core_attn mlp",
       "tp1 pp1 dp32 mb2 1f1b attention_core+mlp"},
      {"--checkpoint-activations", "tp1 pp1 dp32 mb2 1f1b full"},
      {"--use-distributed-optimizer", "tp1 pp1 dp32 mb2 1f1b none zero1"},
      {"--use-megatron-fsdp --data-parallel-sharding-strategy optim_grads",
       "tp1 pp1 dp32 mb2 1f1b none zero2"},
      {"--use-distributed-optimizer --num-distributed-optimizer-instances 4",
       "tp1 pp1 dp32 mb2 1f1b none zero1/8"},
      {"--context-parallel-size 2 --tensor-model-parallel-size 2", "tp2 pp1 dp8 mb2 1f1b none cp2"},
      {"--overlap-grad-reduce --ddp-bucket-size 1000000", "tp1 pp1 dp32 mb2 1f1b none overlap 3.815 MiB"},
      {"--optimizer-cpu-offload", "tp1 pp1 dp32 mb2 1f1b none offload optimizer"},
      {"--pipeline-model-parallel-size 2 --use-tp-pp-dp-mapping",
       "tp1 pp2 dp16 mb2 1f1b none order tensor pipeline data"},
      {"--fp8-format hybrid", "tp1 pp1 dp32 mb2 1f1b none"},
  };
  for (const auto& [flags, name] : rows) {
    EXPECT_EQ(strategy_of(flags), name) << flags;
  }
}

TEST(MegatronRun, ContradictionsNameTheLine) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"--tensor-model-parallel-size 3",
       "s.sh:1: --tensor-model-parallel-size: tp 3 x pp 1 x cp 1 = 3 do not divide the 32 ranks (line 1: "
       "--nproc_per_node x --nnodes)"},
      {"--micro-batch-size 3", "s.sh:1: --global-batch-size: 64 is no multiple of microbatch 3 x dp 32"},
      {"--pipeline-model-parallel-size 16",
       "s.sh:1: --pipeline-model-parallel-size: 16 stages do not divide 24 layers"},
      {"--pipeline-model-parallel-size 4 --num-layers-per-virtual-pipeline-stage 4",
       "s.sh:1: --num-layers-per-virtual-pipeline-stage: does not divide the 6 layers of a stage"},
      {"--num-layers-per-virtual-pipeline-stage 4 --num-virtual-stages-per-pipeline-rank 2",
       "s.sh:1: --num-virtual-stages-per-pipeline-rank: beside --num-layers-per-virtual-pipeline-stage "
       "(allowed: one of the two)"},
      {"--num-virtual-stages-per-pipeline-rank 2",
       "s.sh:1: --num-virtual-stages-per-pipeline-rank: on one pipeline stage (needed: two or more)"},
      {"--pipeline-model-parallel-size 2 --pipeline-model-parallel-layout Et*3L",
       "s.sh:1: --pipeline-model-parallel-layout: has 1 stages with 3 layers (needed: a multiple of the 2 "
       "pipeline stages, 24 layers)"},
      {"--fp16", "s.sh:1: --fp16: beside --bf16 (allowed: one of the two)"},
      {"--recompute-granularity full",
       "s.sh:1: --recompute-granularity: full without --recompute-method (allowed: uniform, block)"},
      {"--recompute-granularity some",
       "s.sh:1: --recompute-granularity: \"some\" is not known (allowed: selective, full)"},
      {"--num-distributed-optimizer-instances 5",
       "s.sh:1: --num-distributed-optimizer-instances: 5 do not divide the 32 data-parallel ranks"},
      {"--max-position-embeddings 1024",
       "s.sh:1: --max-position-embeddings: 1024 is less than --seq-length 2048"},
      {"--hidden-size 2047", "s.sh:1: --hidden-size: 2047 is not divisible by num_heads 16"},
      {"--normalization L2", "s.sh:1: --normalization: \"L2\" is not known (allowed: LayerNorm, RMSNorm)"},
      {"--zero-stage 4", "s.sh:1: --zero-stage: 4 is out of range (allowed: 0 to 3)"},
      {"--num-layers 0", "s.sh:1: --num-layers: \"0\" is out of range (allowed: 1 to 1000000000)"},
      {"--num-layers many",
       "s.sh:1: --num-layers: \"many\" is not a whole number (allowed: 1 to 1000000000)"},
      {"--num-layers", "s.sh:1: --num-layers: has no value"},
      {"--num-layers $L",
       "s.sh:1: --num-layers: \"$L\" is known only when the script runs (try --set L=VALUE)"},
      {"--num-layers $(cat l)", "s.sh:1: --num-layers: \"$(cat l)\" is known only when the script runs"},
  };
  for (const auto& [flags, message] : rows) {
    EXPECT_EQ(strategy_of(flags), message) << flags;
  }
  EXPECT_EQ(run_of("echo hello", bare_context()).error().message,
            "s.sh: no command passes arguments of Megatron-LM (needed: such as --num-layers 96)");
  EXPECT_EQ(run_of("WORLD_SIZE=9\n" + kGpt, bare_context()).error().message,
            "s.sh:1: WORLD_SIZE: 9 is not --nproc_per_node x --nnodes = 32 (line 2)");
  EXPECT_EQ(run_of("x.py --num-layers 2", bare_context()).error().message,
            "s.sh: --hidden-size: is not given (needed: in the script, or a SCENARIO)");
}

TEST(MegatronRun, WhatIsNotSaidIsAssumedAndWhatIsNotKnownIsListed) {
  const auto arguments = read_megatron_arguments(
      "pretrain_gpt.py --num-layers 2 --hidden-size 64 --num-attention-heads 4 --seq-length 128\n"
      "#SBATCH --nodes=2\n",
      "s.sh");
  ASSERT_TRUE(arguments);
  EXPECT_EQ(megatron_run(*arguments, bare_context()).error().message,
            "s.sh: --micro-batch-size: is not given");

  const auto given = read_megatron_arguments(
      "--num-layers 2 --hidden-size 64 --num-attention-heads 4\n--seq-length 128 --micro-batch-size 4\n"
      "--new-flag 1 2 --lr $LR --mtp-num-layers 1 --log-interval 10 $MORE\n",
      "s.sh");
  ASSERT_TRUE(given) << given.error().message;
  std::vector<std::string> unread;
  for (const UnreadFlag& flag : given->unread) {
    unread.push_back(fmt::format("{} {} {}", flag.line, flag.flag, flag.why));
  }
  EXPECT_EQ(unread, (std::vector<std::string>{"3 --new-flag unknown flag",
                                              "3 --mtp-num-layers not modelled: multi-token prediction",
                                              "3 $MORE known only when the script runs"}));
  const auto run = megatron_run(*given, bare_context());
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->assumed,
            (std::vector<std::string>{"--vocab-size 131072 (usual with megatron-2024)",
                                      "512 ranks (all of dgx-a100-80g-hdr)",
                                      "--attention-dropout 0.1 --hidden-dropout 0.1 (Megatron-LM's default)",
                                      "attention: flash (of megatron-2024)",
                                      "--global-batch-size 2048 (one microbatch of each replica)"}));
  EXPECT_EQ(run->scenario.precision, Precision::kFp32);
}

TEST(MegatronRun, TheScriptGoesBeforeTheScenarioAndThatBeforeWhatIsUsual) {
  MegatronContext context = bare_context();
  context.scenario = gpt3_scenario();
  const auto same =
      run_of("pretrain_gpt.py --tensor-model-parallel-size 8 --micro-batch-size 1 --fp16", context);
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(same->scenario.model, context.scenario->model);
  EXPECT_EQ(same->scenario.num_gpus, 512);
  EXPECT_EQ(same->differs,
            (std::vector<std::string>{"global_batch 64, not 1536", "precision fp16, not bf16"}));
  const auto other = run_of(kGpt, context);
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->scenario.model.num_layers, 24);
  EXPECT_EQ(other->differs.front(), "model.num_layers 24, not 96");
}

TEST(MegatronRun, SoftwareFollowsTheScript) {
  const auto run = run_of(kGpt +
                              "--attention-backend unfused --attention-dropout 0 --hidden-dropout 0 "
                              "--no-bias-gelu-fusion --no-masked-softmax-fusion --tp-comm-overlap "
                              "--grad-reduce-in-bf16 --make-vocab-size-divisible-by 64",
                          bare_context());
  ASSERT_TRUE(run) << run.error().message;
  const SoftwareProfile& software = run->scenario.software;
  EXPECT_FALSE(software.flash_attention.value);
  EXPECT_FALSE(software.dropout.value);
  EXPECT_FALSE(software.fused_activation.value);
  EXPECT_FALSE(software.fused_softmax.value);
  EXPECT_TRUE(software.tensor_overlap.value);
  EXPECT_EQ(software.vocab_padding.value, 64);
  EXPECT_EQ(gradient_width(software, Precision::kBf16), 2);
  EXPECT_EQ(software.flash_attention.source, "s.sh: --attention-backend");
}

TEST(MegatronRun, ModelsOfOtherKinds) {
  const auto run = run_of(
      "pretrain_gpt.py --num-layers 6 --hidden-size 1024 --num-attention-heads 8 --seq-length 512 "
      "--micro-batch-size 1 "
      "--swiglu --multi-latent-attention --q-lora-rank 96 --kv-lora-rank 64 --qk-head-dim 32 "
      "--qk-pos-emb-head-dim 16 --v-head-dim 32 --num-experts 16 --moe-router-topk 4 --moe-ffn-hidden-size "
      "256 "
      "--moe-layer-freq ([0]*2+[1]*4) --moe-shared-expert-intermediate-size 512 --vocab-size 999 "
      "--tokenizer-type NullTokenizer --qk-layernorm --normalization RMSNorm",
      bare_context());
  ASSERT_FALSE(run);  // brackets of a shell: the list needs quotes
  const auto quoted = run_of(
      "pretrain_gpt.py --num-layers 6 --hidden-size 1024 --num-attention-heads 8 --seq-length 512 "
      "--micro-batch-size 1 "
      "--swiglu --num-experts 16 --moe-router-topk 4 --moe-ffn-hidden-size 256 "
      "--moe-layer-freq '([0]*2+[1]*4)' --moe-shared-expert-intermediate-size 512 --vocab-size 999 "
      "--tokenizer-type NullTokenizer --qk-layernorm --normalization RMSNorm --position-embedding-type rope "
      "--rotary-percent 0.5 --kv-channels 64",
      bare_context());
  ASSERT_TRUE(quoted) << quoted.error().message;
  const TransformerConfig& model = quoted->scenario.model;
  EXPECT_EQ(model.ffn_size, 2688);  // 4 x 1024 x 2/3 = 2730.7, down to a multiple of 64
  EXPECT_EQ(model.vocab_size, 1000);
  EXPECT_EQ(model.experts->first_dense_layers, 2);
  EXPECT_EQ(model.experts->shared_ffn_size, 512);
  EXPECT_EQ(model.rotary_dim, 32);
  EXPECT_EQ(model.explicit_head_dim, 64);
  EXPECT_TRUE(model.query_key_norm);
}

TEST(ExpertLayers, ListsAndPeriods) {
  using Layers = std::vector<int>;
  EXPECT_EQ(parse_expert_layers("2", 5), (Layers{1, 0, 1, 0, 1}));
  EXPECT_EQ(parse_expert_layers("([0]*2+[1]*3)", 5), (Layers{0, 0, 1, 1, 1}));
  EXPECT_EQ(parse_expert_layers("[0, 1]*2+[1]", 5), (Layers{0, 1, 0, 1, 1}));
  for (const char* bad : {"", "0", "[0]*2", "[2]*5", "5*[1]", "[1]*x", "[1]**5"}) {
    EXPECT_EQ(parse_expert_layers(bad, 5), std::nullopt) << bad;
  }
  EXPECT_EQ(write_expert_layers({0, 0, 1, 1, 1}), "([0]*2+[1]*3)");
}

}  // namespace
}  // namespace portolan
