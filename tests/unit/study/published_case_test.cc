#include "study/published_case.h"

#include "sample_rows.h"

namespace portolan {
namespace {

PublishedCase case_from(const std::string& line) {
  const auto made = published_case(rows_from(line).at(0), shipped_catalog());
  EXPECT_TRUE(made) << made.error().message;
  const auto* skipped = std::get_if<SkippedRow>(&*made);
  EXPECT_EQ(skipped, nullptr) << skipped->reason;
  return skipped == nullptr ? std::get<PublishedCase>(*made) : PublishedCase{};
}

std::string reason_from(const std::string& line) {
  const auto made = published_case(rows_from(line).at(0), shipped_catalog());
  EXPECT_TRUE(made) << made.error().message;
  const auto* skipped = std::get_if<SkippedRow>(&*made);
  return skipped == nullptr ? "predicted" : skipped->reason;
}

TEST(PublishedCase, TakesWhatTheSourceSays) {
  const PublishedCase made = case_from(
      "r,T,f,dgx-a100-80g-hdr,megatron-2022,64,96,12288,96,49152,51200,2048,175,fp16,64,1,8,8,3,1,yes,0,full,"
      "no,20\n");
  EXPECT_EQ(made.scenario.num_gpus, 64);
  EXPECT_EQ(made.scenario.global_batch, 64);
  EXPECT_EQ(made.scenario.model.num_layers, 96);
  EXPECT_EQ(made.scenario.model.activation, Activation::kGelu);
  EXPECT_EQ(made.scenario.precision, Precision::kFp16);
  ASSERT_EQ(made.strategies.size(), 1U);
  EXPECT_EQ(short_name(made.strategies.front()), "tp8 pp8 dp1 mb1 interleaved v3 full sp");
  // A number of key-value heads, and of the two kinds of model the one that has 175 billion parameters.
  EXPECT_EQ(made.assumed, (std::vector<Assumption>{{"kv_heads", "96"}, {"architecture", "gpt"}}));
}

TEST(PublishedCase, WhereTheSourceIsSilentTheProfileSpeaksAndItIsSaid) {
  const PublishedCase made =
      case_from("r,T,f,a100-80g-800g,megatron-2021,64,30,3072,32,,,2048,,,512,2,8,1,1,8,,,full,no,20\n");
  EXPECT_EQ(made.scenario.model.vocab_size, 51200);
  EXPECT_EQ(made.scenario.model.ffn_size, 4 * 3072);
  EXPECT_EQ(made.assumed, (std::vector<Assumption>{{"precision", "fp16"},
                                                   {"kv_heads", "32"},
                                                   {"ffn", "12288"},
                                                   {"vocab", "51200"},
                                                   {"architecture", "gpt"},
                                                   {"seq_parallel", "no"},
                                                   {"zero", "0"}}));
}

TEST(PublishedCase, TheVersionOfFlashAttentionIsTheSources) {
  const auto software_of = [](const std::string& flash, const std::string& profile) {
    return case_from("r,T,f,a100-80g-400g," + profile +
                     ",8,32,4096,32,11008,32000,2048,7,bf16,8,1,1,1,1,8,," + "3,full," + flash + ",20\n")
        .scenario.software;
  };
  EXPECT_EQ(software_of("yes", "fsdp-2023").flash_version.value, 1);
  EXPECT_EQ(software_of("yes (v2)", "fsdp-2023").flash_version.value, 2);
  EXPECT_TRUE(software_of("yes (v2)", "fsdp-2023").recompute_whole_group.value);
  EXPECT_EQ(software_of("yes (SDPA v2)", "fsdp-2023").flash_version.value, 2);
  EXPECT_FALSE(software_of("yes (SDPA v2)", "fsdp-2023").recompute_whole_group.value);
  EXPECT_TRUE(software_of("yes (SDPA v2)", "deepspeed-zero3-2022").recompute_whole_group.value);
  EXPECT_EQ(software_of("v3", "fsdp-2023").flash_version.value, 2) << "the newest of the hardware file";
}

TEST(PublishedCase, TheKindOfModelFollowsFromItsParameters) {
  const std::string llama =
      "r,T,f,a100-80g-400g,fsdp-2023,128,32,4096,32,11008,32000,4096,6.74,bf16,256,2,1,1,1,128,no,FSDP,none,"
      "yes,9\n";
  EXPECT_EQ(case_from(llama).scenario.model.activation, Activation::kSwiGlu);
  // As many parameters with two matrices as with three: the number decides, not the width.
  const std::string gpt =
      "r,T,f,a100-80g-400g,fsdp-2023,128,32,4096,32,16384,32000,4096,6.6,bf16,256,2,1,1,1,128,no,FSDP,none,"
      "yes,9\n";
  EXPECT_EQ(case_from(gpt).scenario.model.activation, Activation::kGelu);
}

TEST(PublishedCase, AnUnknownSoftwareIsGeneric) {
  const PublishedCase made = case_from(
      "r,T,f,a100-80g-400g,newest,128,32,4096,32,11008,32000,4096,6.74,bf16,256,2,1,1,1,128,no,HSDP,full,yes,"
      "9\n");
  EXPECT_EQ(made.assumed.front(), (Assumption{"software", "generic"}));
  EXPECT_EQ(made.strategies.front().zero_stage, 3);
  EXPECT_EQ(made.strategies.front().zero_group, 8);
}

// Where a framework's "selective" is a number of layers that the source does not say, it is any number of
// them.
TEST(PublishedCase, SelectiveByLayersIsARange) {
  const auto recomputation = [](const std::string& software) {
    std::vector<std::string> names;
    for (const Strategy& strategy :
         case_from("r,T,f,a100-80g-400g," + software +
                   ",128,32,4096,32,11008,32000,4096,6.74,bf16,256,2,1,1,1,128,no,FSDP,selective,yes,9\n")
             .strategies) {
      names.push_back(recompute_name(strategy.recompute));
    }
    return names;
  };
  const std::vector<std::string> by_layers = recomputation("fsdp-2023");
  ASSERT_EQ(by_layers.size(), 9U);
  EXPECT_EQ(by_layers.front(), "none");
  EXPECT_EQ(by_layers.back(), "full");
  EXPECT_EQ(recomputation("megatron-2022"), std::vector<std::string>{"selective"});
}

TEST(PublishedCase, EveryOtherLayerIsRecomputedFromTheSecondOn) {
  const auto of = [](const std::string& word) {
    return "r,T,f,a100-80g-400g,fsdp-2023,128,32,4096,32,11008,32000,4096,6.74,bf16,256,2,1,1,1,128,no,"
           "FSDP," +
           word + ",yes,9\n";
  };
  const PublishedCase made = case_from(of("selective (every other layer)"));
  ASSERT_EQ(made.strategies.size(), 1U);
  const Recompute& recompute = made.strategies.front().recompute;
  ASSERT_EQ(recompute.per_layer.size(), 32U);
  for (std::size_t layer = 0; layer < 32; ++layer) {
    EXPECT_EQ(recompute.per_layer[layer], layer % 2 == 1 ? recompute_full() : recompute_none());
  }
  EXPECT_NE(reason_from(of("selective op every other layer")).find("is not modelled"), std::string::npos);
}

TEST(PublishedCase, AnAssumedNetworkIsSaidWhereItIsCrossed) {
  const auto assumed_network = [](const std::string& gpus) {
    const PublishedCase made =
        case_from("r,T,f,a100-80g-unknown-fabric,torchtitan-2024," + gpus +
                  ",32,4096,32,14336,128256,8192,8.03,bf16,64,1,1,1,1," + gpus + ",no,FSDP,full,yes,9\n");
    return std::find(made.assumed.begin(), made.assumed.end(), Assumption{"nic.bandwidth", "25.00 GB/s"}) !=
           made.assumed.end();
  };
  EXPECT_TRUE(assumed_network("64"));
  EXPECT_FALSE(assumed_network("8"));
}

TEST(PublishedCase, AnUnknownDivisionIsEveryLegalOne) {
  const PublishedCase made = case_from(
      "r,T,f,dgx-a100-80g-hdr,megatron-2021,16,8,1024,16,4096,51200,2048,,fp16,8,,8,2,,1,no,0,full,no,20\n");
  std::vector<std::string> names;
  for (const Strategy& strategy : made.strategies) {
    names.push_back(short_name(strategy));
  }
  // Microbatches of 1, 2, 4 and 8 of a batch of 8; chunks of 8 layers over 2 stages: 1, 2, 4, as long as the
  // microbatches are a multiple of the stages.
  EXPECT_EQ(names, (std::vector<std::string>{
                       "tp8 pp2 dp1 mb1 1f1b full", "tp8 pp2 dp1 mb1 interleaved v2 full",
                       "tp8 pp2 dp1 mb1 interleaved v4 full", "tp8 pp2 dp1 mb2 1f1b full",
                       "tp8 pp2 dp1 mb2 interleaved v2 full", "tp8 pp2 dp1 mb2 interleaved v4 full",
                       "tp8 pp2 dp1 mb4 1f1b full", "tp8 pp2 dp1 mb4 interleaved v2 full",
                       "tp8 pp2 dp1 mb4 interleaved v4 full", "tp8 pp2 dp1 mb8 1f1b full"}));
}

TEST(PublishedCase, AClusterGrowsToTheRunAndSaysSo) {
  const PublishedCase made = case_from(
      "r,T,f,dgx-a100-80g-hdr,megatron-2022,2240,105,20480,128,81920,51200,2048,530,fp16,2240,1,8,35,1,8,no,"
      "0,full,no,"
      "40\n");
  EXPECT_EQ(made.scenario.hardware.num_nodes, 280);
  EXPECT_EQ(made.assumed[2], (Assumption{"num_nodes", "280"}));
}

TEST(PublishedCase, WhatCannotBePredictedIsSkippedWithItsReason) {
  EXPECT_EQ(reason_from("r,T,f,,megatron-2021,64,30,3072,32,,,2048,,,512,2,8,1,1,8,,,full,no,20\n"),
            "cluster: not published");
  EXPECT_EQ(reason_from("r,T,f,nowhere,megatron-2021,64,30,3072,32,,,2048,,,512,2,8,1,1,8,,,full,no,20\n"),
            "cluster: no hardware file describes nowhere");
  EXPECT_EQ(reason_from("r,T,f,a100-node,megatron-2021,8,,3072,32,,,2048,,,512,2,8,1,1,1,,,full,no,20\n"),
            "layers: not published");
  EXPECT_EQ(reason_from("r,T,f,a100-node,megatron-2021,16,30,3072,32,,,2048,,,512,2,8,2,1,1,,,full,no,20\n"),
            "num_gpus: 16 (cluster a100-node has 8)");
  EXPECT_EQ(reason_from("r,T,f,a100-node,megatron-2021,8,30,3072,32,,,2048,,,512,2,8,1,1,1,,,some,no,20\n"),
            "recompute: \"some\" is not modelled");
  EXPECT_EQ(reason_from("r,T,f,a100-node,megatron-2021,8,30,3072,32,,,2048,,,512,3,8,1,1,1,,,full,no,20\n"),
            "global batch 512 is not divisible by dp 1 x microbatch 3");
  // Sizes whose products are no numbers of 64 bits.
  const std::string most = "16777216";
  EXPECT_NE(reason_from("r,T,f,dgx-a100-80g-hdr,megatron-2021," + most + ",30,3072,32,,,2048,,,512,1," +
                        most + "," + most + "," + most + "," + most + ",,,full,no,20\n"),
            "predicted");
  EXPECT_NE(reason_from("r,T,f,dgx-a100-80g-hdr,megatron-2021,64," + most + "," + most + "," + most + "," +
                        most + "," + most + "," + most + ",175,,512,1,8,1,,8,,,full,no,20\n"),
            "predicted");
}

}  // namespace
}  // namespace portolan
