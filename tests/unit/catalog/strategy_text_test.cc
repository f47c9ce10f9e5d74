#include "catalog/strategy_text.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace portolan {
namespace {

// Nothing can use it, as nothing can use what is not known at all.
TEST(StrategyText, WhatIsNotThereYetIsBadInput) {
  for (const std::string_view text : {"compression=topk", "layers=Et|tmL", "schedule=zb-v",
                                      "schedule=dualpipe", "compression=topk:2", "recompute=often"}) {
    EXPECT_EQ(parse_strategy(text).error().kind, ErrorKind::kBadInput) << text;
  }
}

TEST(StrategyText, ReadsThatASolverChoosesWhatIsRecomputed) {
  const Result<StrategyConstraints> read = parse_strategy("recompute=optimal");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_TRUE(read->recompute);
  EXPECT_TRUE(std::get<Recompute>(*read->recompute).is_open());
  EXPECT_EQ(write_strategy(*read), "recompute=optimal");
}

TEST(StrategyText, ReadsEveryWord) {
  const Result<StrategyConstraints> read = parse_strategy(
      "tp=8, "
      "pp=4,dp=16,cp=2,ep=1,virtual_stages=3,sequence_parallel=1,microbatch=2,schedule=interleaved,zero=1,"
      "zero_group=8,"
      "recompute=selective,aggregation=tree,bucket=25 "
      "MiB,compression=powersgd:4,axis_order=tensor-data-pipeline,precision=fp16,"
      "offload=activations,layers=2:10:10:10");
  ASSERT_TRUE(read) << read.error().message;
  StrategyConstraints expected;
  expected.tensor_parallel = 8;
  expected.pipeline_parallel = 4;
  expected.data_parallel = 16;
  expected.context_parallel = 2;
  expected.expert_parallel = 1;
  expected.virtual_stages = 3;
  expected.sequence_parallel = true;
  expected.microbatch_size = 2;
  expected.schedule = ScheduleKind::kInterleaved;
  expected.zero_stage = 1;
  expected.zero_group = 8;
  expected.recompute = Recompute{recompute_selective(), {}};
  expected.aggregation = CollectiveAlgorithm::kTree;
  expected.bucket = Bytes(25 * kMebi);
  expected.compression = Compression{.kind = CompressionKind::kPowerSgd, .rank = 4};
  expected.precision = Precision::kFp16;
  expected.offload = Offload::kActivations;
  expected.layers_per_stage = {2, 10, 10, 10};
  expected.axis_order = Strategy{}.axis_order;
  EXPECT_EQ(*read, expected);
}

TEST(StrategyText, WritesWhatItReads) {
  for (const std::string text :
       {"",
        "tp=8",
        "recompute=none",
        "recompute=full:none:full",
        "recompute=full:",
        "recompute=norm1+mlp",
        "recompute=full*3",
        "recompute=norm1+mlp*2:none:full*3",
        "recompute=block:3",
        "recompute=block:0",
        "recompute=uniform:2",
        "layers=0:4:4:0",
        "bucket=0",
        "bucket=1000 B",
        "layers=1",
        "zero=0,zero_group=0",
        "sequence_parallel=false",
        "offload=activations",
        "offload=optimizer",
        "offload=activations+optimizer",
        "tp=8,pp=4,dp=16,cp=2,ep=1,virtual_stages=3,sequence_parallel=true,microbatch=2,schedule=zb-h1,zero="
        "3,zero_group=8,"
        "recompute=selective,aggregation=hierarchical,bucket=25 MiB,compression=topk:0.001,"
        "axis_order=pipeline-data-expert-context-tensor,precision=bf16,offload=none,layers=2:10:10:10"}) {
    const Result<StrategyConstraints> read = parse_strategy(text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(write_strategy(*read), text);
  }
}

TEST(StrategyText, LayersMayBeALayoutWithCommasOfItsOwn) {
  const Result<StrategyConstraints> read = parse_strategy("tp=2,layers=E,t*2|(t,t|)*2,L,pp=4");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->layers_per_stage, (std::vector<std::int32_t>{2, 2, 2, 0}));
  EXPECT_EQ(write_strategy(*read), "tp=2,pp=4,layers=2:2:2:0");
}

TEST(StrategyText, LayersThatAreRecomputedAlikeAreWrittenAsRuns) {
  const auto recompute_of = [](const std::string& text) { return parse_recompute(text).value(); };
  EXPECT_EQ(recompute_of("full*2:none:none:full"), recompute_of("full:full:none * 2:full*1"));
  EXPECT_EQ(write_recompute(recompute_of("full:full:none:none:full")), "full*2:none*2:full");
  EXPECT_NE(recompute_of("full*2"), recompute_of("full"));
  EXPECT_EQ(recompute_of("full*1"), recompute_of("full:"));
}

// What is not named goes where it usually is: context and expert parallelism stay inside the node.
TEST(StrategyText, AxesThatAreNotNamedStayBehindTheirUsualNeighbour) {
  for (const auto& [text, complete] : std::vector<std::pair<std::string, std::string>>{
           {"tensor-data-pipeline", "tensor-context-expert-data-pipeline"},
           {"tensor-pipeline-data", "tensor-context-expert-pipeline-data"},
           {"data-tensor", "data-pipeline-tensor-context-expert"},
           {"pipeline", "tensor-context-expert-data-pipeline"},
           {"expert-tensor", "expert-data-pipeline-tensor-context"}}) {
    EXPECT_EQ(write_axis_order(parse_axis_order(text).value()), complete) << text;
  }
}

TEST(StrategyText, UniformRecomputationOfSingleLayersIsFull) {
  EXPECT_EQ(parse_strategy("recompute=uniform:1").value(), parse_strategy("recompute=full").value());
}

TEST(StrategyText, AStrategyIsFixedByItsConstraints) {
  Strategy strategy;
  strategy.tensor_parallel = 4;
  strategy.layers_per_stage = {3, 5};
  strategy.pipeline_parallel = 2;
  EXPECT_EQ(
      write_strategy(constraints_of(strategy)),
      "tp=4,pp=2,dp=1,cp=1,ep=1,virtual_stages=1,sequence_parallel=false,microbatch=1,schedule=1f1b,zero=0,"
      "zero_group=0,recompute=none,aggregation=ring,bucket=0,overlap=false,compression=none,"
      "axis_order=tensor-context-expert-data-pipeline,precision=bf16,offload=none,layers=3:5");
}

TEST(StrategyText, SaysWhatIsWrongInOneLine) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"tp", "strategy: \"tp\" is not WORD=VALUE (try \"tp=8,pp=4\")"},
      {"=8", "strategy: \"=8\" is not WORD=VALUE (try \"tp=8,pp=4\")"},
      {"tp=8,", "strategy: \"\" is not WORD=VALUE (try \"tp=8,pp=4\")"},
      {"tp=8,tp=8", "strategy.tp: is there twice"},
      {"tpp=8", "strategy.tpp: unknown word (did you mean \"tp\"?)"},
      {"tensor=8",
       "strategy.tensor: unknown word (allowed: tp, pp, dp, cp, ep, virtual_stages, sequence_parallel, "
       "microbatch, schedule, "
       "zero, zero_group, recompute, aggregation, bucket, overlap, compression, axis_order, precision, "
       "offload, "
       "layers)"},
      {"tp=", "strategy.tp: \"\" is not a whole number (allowed: 1 to 1000000)"},
      {"tp=x", "strategy.tp: \"x\" is not a whole number (allowed: 1 to 1000000)"},
      {"tp=1.5", "strategy.tp: \"1.5\" is not a whole number (allowed: 1 to 1000000)"},
      {"tp=0", "strategy.tp: \"0\" is out of range (allowed: 1 to 1000000)"},
      {"pp=-4", "strategy.pp: \"-4\" is out of range (allowed: 1 to 1000000)"},
      {"dp=4294967297", "strategy.dp: \"4294967297\" is out of range (allowed: 1 to 1000000)"},
      {"dp=99999999999999999999",
       "strategy.dp: \"99999999999999999999\" is not a whole number (allowed: 1 to 1000000)"},
      {"tp=1000000,dp=1000000", "strategy: tp x pp x dp x cp is over 1000000 ranks"},
      {"zero=4", "strategy.zero: \"4\" is out of range (allowed: 0 to 3)"},
      {"schedule=zb-v",
       "strategy.schedule: \"zb-v\" is not available yet (allowed: gpipe, 1f1b, interleaved, zb-h1)"},
      {"schedule=dualpipe",
       "strategy.schedule: \"dualpipe\" is not available yet (allowed: gpipe, 1f1b, interleaved, zb-h1)"},
      {"schedule=fast",
       "strategy.schedule: \"fast\" is not known (allowed: gpipe, 1f1b, interleaved, zb-h1)"},
      {"recompute=block:-1", "strategy.recompute: \"-1\" is out of range (allowed: 0 to 1000000)"},
      {"recompute=block:", "strategy.recompute: \"\" is not a whole number (allowed: 0 to 1000000)"},
      {"recompute=uniform:0", "strategy.recompute: \"0\" is out of range (allowed: 1 to 1000000)"},
      {"recompute=uniform:two", "strategy.recompute: \"two\" is not a whole number (allowed: 1 to 1000000)"},
      {"recompute=full*0:none", "strategy.recompute: \"0\" is out of range (allowed: 1 to 100000)"},
      {"recompute=full*:none", "strategy.recompute: \"\" is not a whole number (allowed: 1 to 100000)"},
      {"recompute=full*60000:none*60000",
       "strategy.recompute: \"full*60000:none*60000\" lists too many layers (allowed: up to 100000)"},
      {"recompute=optimal:full",
       "strategy.recompute: \"optimal\" is not known (allowed: none, selective, full, optimal, block:N, "
       "uniform:N, or of norm1, qkv, attention_core, attention_context, projection, norm2, mlp, other joined "
       "by \"+\")"},
      {"recompute=some",
       "strategy.recompute: \"some\" is not known (allowed: none, selective, full, optimal, block:N, "
       "uniform:N, or "
       "of norm1, "
       "qkv, "
       "attention_core, "
       "attention_context, projection, norm2, mlp, other joined by \"+\")"},
      {"bucket=25", "strategy.bucket: \"25\" has no unit (try \"25 GiB\")"},
      {"compression=gzip",
       "strategy.compression: \"gzip\" is not known (allowed: none, bf16, fp8, int8, int4, topk:SHARE with a "
       "share above 0 and below 1, powersgd:RANK with a rank of 1 to 1024)"},
      {"offload=cpu",
       "strategy.offload: \"cpu\" is not known (allowed: none, activations, optimizer, "
       "activations+optimizer)"},
      {"axis_order=tensor-tensor", "strategy.axis_order: \"tensor-tensor\" names tensor twice"},
      {"axis_order=depth",
       "strategy.axis_order: \"depth\" is not an order of axes (allowed: of tensor, context, expert, data, "
       "pipeline, joined by \"-\")"},
      {"layers=2:0:2",
       "strategy.layers: \"2:0:2\" is not a number of layers for each stage (allowed: such as 2:10:10:10, 0 "
       "in the "
       "first and the last only, or a layout such as Et*2|(t*10|)*3L)"},
      {"layers=0",
       "strategy.layers: \"0\" is not a number of layers for each stage (allowed: such as 2:10:10:10, 0 in "
       "the "
       "first and the last only, or a layout such as Et*2|(t*10|)*3L)"},
      {"layers=",
       "strategy.layers: \"\" is not a number of layers for each stage (allowed: such as 2:10:10:10, 0 in "
       "the "
       "first and the last only, or a layout such as Et*2|(t*10|)*3L)"},
      {"sequence_parallel=yes", "strategy.sequence_parallel: \"yes\" is not known (allowed: true, false)"},
      {"precision=fp4", "strategy.precision: \"fp4\" is not known (allowed: fp32, tf32, fp16, bf16, fp8)"},
      {"t\np=8", "strategy.t?p: unknown word (did you mean \"tp\"?)"},
  };
  for (const auto& [text, message] : table) {
    const Result<StrategyConstraints> read = parse_strategy(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().message, message);
  }
}

}  // namespace
}  // namespace portolan
