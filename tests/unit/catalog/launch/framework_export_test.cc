#include "catalog/launch/framework_export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catalog/launch/launch_files.h"
#include "sample_launch.h"

namespace portolan {
namespace {

Plan plan_of(Scenario scenario, Strategy strategy) {
  return {.scenario = std::move(scenario),
          .strategy = std::move(strategy),
          .program = {},
          .hash = "0123456789abcdef"};
}

const std::string& content(const LaunchExport& launch, const std::string& name) {
  const auto found = std::find_if(launch.files.begin(), launch.files.end(),
                                  [&](const LaunchFile& file) { return file.name == name; });
  EXPECT_NE(found, launch.files.end()) << name;
  return found->content;
}

std::string inexpressible(const LaunchExport& launch) {
  std::string names;
  for (const LaunchField& field : launch.fields) {
    names += field.why.empty() ? "" : field.field + " ";
  }
  return names;
}

/// A strategy whose every field is away from its default.
Strategy unusual_strategy() {
  Strategy s;
  s.tensor_parallel = 4;
  s.pipeline_parallel = 2;
  s.data_parallel = 16;
  s.context_parallel = 4;
  s.expert_parallel = 2;
  s.virtual_stages = 2;
  s.sequence_parallel = true;
  s.microbatch_size = 3;
  s.schedule = ScheduleKind::kZeroBubbleH1;
  s.zero_stage = 2;
  s.zero_group = 8;
  s.recompute.all_layers.set(static_cast<std::size_t>(KernelGroup::kQkv));
  s.gradient_aggregation = {CollectiveAlgorithm::kHierarchical, Bytes(1001), true,
                            Compression{.kind = CompressionKind::kTopK, .share = 0.01}};
  s.precision = Precision::kTf32;
  s.offload = Offload::kActivations;
  s.layers_per_stage = {20, 28, 28, 20};
  s.axis_order = {Axis::kPipeline, Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData};
  return s;
}

// A field that is added to Strategy must be mapped or listed by all writers: this does not compile until it
// is named here, and the test below fails until each writer speaks of it.
TEST(FrameworkExport, EveryFieldOfAStrategyIsMappedOrListed) {
  const auto& [tensor, pipeline, data, context, expert, chunks, sequence, microbatch, schedule, zero, group,
               recompute, aggregation, precision, offload, layers, order, nodes] = unusual_strategy();
  const auto& [algorithm, bucket, overlap, compression] = aggregation;
  EXPECT_EQ(algorithm, CollectiveAlgorithm::kHierarchical);
  const std::vector<std::string> fields = {"tp",
                                           "pp",
                                           "dp",
                                           "cp",
                                           "ep",
                                           "virtual_stages",
                                           "sequence_parallel",
                                           "microbatch",
                                           "schedule",
                                           "zero",
                                           "zero_group",
                                           "recompute",
                                           "aggregation",
                                           "bucket",
                                           "overlap",
                                           "compression",
                                           "axis_order",
                                           "precision",
                                           "offload",
                                           "layers",
                                           "node_order"};
  for (const Strategy& strategy : {Strategy{}, unusual_strategy()}) {
    for (const auto& write : {&megatron_export, &deepspeed_export, &torchtitan_export}) {
      const LaunchExport launch = write(plan_of(gpt3_scenario(), strategy));
      std::vector<std::string> named;
      for (const LaunchField& field : launch.fields) {
        EXPECT_NE(field.why, kFieldForgotten) << field.field;
        EXPECT_NE(field.as.empty(), field.why.empty()) << field.field;
        named.push_back(field.field);
      }
      ASSERT_GE(named.size(), fields.size());
      named.resize(fields.size());
      EXPECT_EQ(named, fields);
    }
  }
}

TEST(FrameworkExport, WhatNoFrameworkSaysIsListed) {
  const Plan plan = plan_of(gpt3_scenario(), unusual_strategy());
  EXPECT_EQ(inexpressible(megatron_export(plan)),
            "schedule recompute aggregation bucket compression axis_order precision offload ");
  EXPECT_EQ(inexpressible(deepspeed_export(plan)),
            "pp cp ep virtual_stages sequence_parallel schedule zero_group recompute aggregation compression "
            "axis_order precision offload layers model ");
  EXPECT_EQ(inexpressible(torchtitan_export(plan)),
            "cp schedule recompute aggregation bucket compression axis_order precision offload model ");
  Strategy plain;
  plain.tensor_parallel = 8;
  plain.data_parallel = 64;
  plain.sequence_parallel = true;
  EXPECT_EQ(inexpressible(megatron_export(plan_of(gpt3_scenario(), plain))), "");
}

TEST(FrameworkExport, ValuesAreWrittenAsStrategyTakesThem) {
  const LaunchExport launch = megatron_export(plan_of(gpt3_scenario(), unusual_strategy()));
  const auto value = [&](const std::string& name) {
    const auto found = std::find_if(launch.fields.begin(), launch.fields.end(),
                                    [&](const LaunchField& field) { return field.field == name; });
    return found == launch.fields.end() ? "none" : found->value;
  };
  EXPECT_EQ(value("layers"), "20:28:28:20");
  EXPECT_EQ(value("axis_order"), "pipeline-tensor-context-expert-data");
  EXPECT_EQ(value("bucket"), "1001");
  EXPECT_EQ(value("sequence_parallel"), "true");
  const LaunchExport plain = megatron_export(plan_of(gpt3_scenario(), Strategy{}));
  EXPECT_EQ(plain.fields.back().field, "node_order");
  EXPECT_EQ(plain.fields.back().value, "default");
}

// Ranks fill nodes 5 and 2 of the cluster, in this order: hosts and ranks are listed so.
TEST(FrameworkExport, HostsAreInTheOrderOfNodes) {
  Scenario scenario = gpt3_scenario();
  scenario.num_gpus = 16;
  Strategy s;
  s.tensor_parallel = 8;
  s.data_parallel = 2;
  s.node_order = {5, 2};
  const LaunchExport launch = megatron_export(plan_of(scenario, s));
  const auto content = [&](const std::string& name) {
    const auto found = std::find_if(launch.files.begin(), launch.files.end(),
                                    [&](const LaunchFile& file) { return file.name == name; });
    return found == launch.files.end() ? "" : found->content;
  };
  EXPECT_EQ(content("hostfile"), "node-5 slots=8\nnode-2 slots=8\n");
  EXPECT_NE(content("ranks.csv").find("\n9,2,1,1,0,0,1,0\n"), std::string::npos) << content("ranks.csv");
}

TEST(FrameworkExport, MegatronScriptsAreRead) {
  Strategy s;
  s.tensor_parallel = 8;
  s.pipeline_parallel = 16;
  s.data_parallel = 4;
  s.gradient_aggregation.algorithm = CollectiveAlgorithm::kTree;
  const LaunchExport launch = megatron_export(plan_of(gpt3_scenario(), s));
  const std::string& script = content(launch, "train.sh");
  EXPECT_EQ(script.substr(0, 12), "#!/bin/bash\n");
  for (const char* line : {"\nGPUS_PER_NODE=8\n", "\nNNODES=64\n", "\nexport NCCL_ALGO=Tree\n",
                           "\n  --tensor-model-parallel-size 8\n", "\n  --global-batch-size 1536\n",
                           "\n  --vocab-size 51199\n"}) {
    EXPECT_NE(script.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(content(launch, "hostfile").substr(0, 30), "node-0 slots=8\nnode-1 slots=8\n");
  const std::string& ranks = content(launch, "ranks.csv");
  EXPECT_EQ(ranks.substr(0, ranks.find("\n2,")),
            "rank,node,gpu,tensor,context,expert,data,pipeline\n0,0,0,0,0,0,0,0\n1,0,1,1,0,0,0,0");
  EXPECT_NE(ranks.find("\n511,63,7,7,0,0,3,15\n"), std::string::npos);
}

TEST(FrameworkExport, RanksThatDoNotFillNodesAreListed) {
  Strategy s;
  s.data_parallel = 12;
  EXPECT_EQ(inexpressible(megatron_export(plan_of(gpt3_scenario(), s))), "num_gpus ");
  s.data_parallel = 4;  // part of one node
  const LaunchExport launch = megatron_export(plan_of(gpt3_scenario(), s));
  EXPECT_EQ(inexpressible(launch), "");
  EXPECT_NE(content(launch, "train.sh").find("\nGPUS_PER_NODE=4\nNNODES=1\n"), std::string::npos);
}

TEST(FrameworkExport, DeepSpeedConfiguration) {
  Scenario scenario = gpt3_scenario("deepspeed-zero3-2022");
  Strategy s;
  s.data_parallel = 512;
  s.microbatch_size = 1;
  s.zero_stage = 3;
  s.zero_group = 8;
  s.offload = Offload::kOptimizer;
  const LaunchExport launch = deepspeed_export(plan_of(scenario, s));
  EXPECT_EQ(inexpressible(launch), "model ");
  const auto root = nlohmann::json::parse(content(launch, "ds_config.json"));
  EXPECT_EQ(root.at("train_batch_size"), 1536);
  EXPECT_EQ(root.at("train_micro_batch_size_per_gpu"), 1);
  EXPECT_EQ(root.at("gradient_accumulation_steps"), 3);
  EXPECT_EQ(root.at("bf16").at("enabled"), true);
  EXPECT_EQ(root.at("zero_optimization").at("stage"), 3);
  EXPECT_EQ(root.at("zero_optimization").at("mics_shard_size"), 8);
  EXPECT_EQ(root.at("zero_optimization").at("offload_optimizer").at("device"), "cpu");
  EXPECT_FALSE(root.contains("activation_checkpointing"));
  EXPECT_NE(content(launch, "launch.sh").find("deepspeed --hostfile hostfile --num_nodes 64 --num_gpus 8"),
            std::string::npos);
}

TEST(FrameworkExport, DeepSpeedBucketsAreOfElements) {
  Strategy s;
  s.data_parallel = 512;
  s.zero_stage = 1;
  s.gradient_aggregation.overlap = true;
  s.gradient_aggregation.bucket = Bytes(1000);
  const std::string config = content(deepspeed_export(plan_of(gpt3_scenario(), s)), "ds_config.json");
  EXPECT_NE(config.find("\"reduce_bucket_size\": 500"), std::string::npos) << config;
  EXPECT_NE(config.find("\"overlap_comm\": true"), std::string::npos);
}

TEST(FrameworkExport, TorchtitanConfiguration) {
  Strategy s;
  s.tensor_parallel = 8;
  s.sequence_parallel = true;
  s.pipeline_parallel = 4;
  s.virtual_stages = 2;
  s.schedule = ScheduleKind::kInterleaved;
  s.data_parallel = 16;
  s.zero_stage = 3;
  s.zero_group = 4;
  s.microbatch_size = 2;
  s.recompute = recompute_every_other(96);
  const LaunchExport launch = torchtitan_export(plan_of(gpt3_scenario("torchtitan-2024"), s));
  EXPECT_EQ(inexpressible(launch), "model ");
  const toml::parse_result root = toml::parse(content(launch, "train.toml"));
  const auto number = [&](const char* path) { return root.at_path(path).value<std::int64_t>(); };
  const auto text = [&](const char* path) { return root.at_path(path).value<std::string>(); };
  EXPECT_EQ(number("parallelism.tensor_parallel_degree"), 8);
  EXPECT_EQ(number("parallelism.data_parallel_shard_degree"), 4);
  EXPECT_EQ(number("parallelism.data_parallel_replicate_degree"), 4);
  EXPECT_EQ(text("parallelism.pipeline_parallel_schedule"), "Interleaved1F1B");
  EXPECT_EQ(number("parallelism.pipeline_parallel_microbatch_size"), 2);
  EXPECT_EQ(root.at_path("parallelism.pipeline_parallel_split_points[6]").value<std::string>(), "layers.84");
  EXPECT_FALSE(root.at_path("parallelism.pipeline_parallel_split_points[7]"));
  EXPECT_EQ(number("training.local_batch_size"), 96);  // a replica's 48 microbatches at once
  EXPECT_EQ(number("training.global_batch_size"), 1536);
  EXPECT_EQ(text("training.mixed_precision_param"), "bfloat16");
  EXPECT_EQ(text("activation_checkpoint.mode"), "selective");
  EXPECT_EQ(text("activation_checkpoint.selective_ac_option"), "2");
}

}  // namespace
}  // namespace portolan
