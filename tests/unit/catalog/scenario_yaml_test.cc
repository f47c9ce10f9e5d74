#include "catalog/scenario_yaml.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "catalog/hardware_yaml.h"
#include "sample_scenario.h"
#include "tests/unit/catalog/folder.h"

namespace portolan {
namespace {

namespace fs = std::filesystem;

const CatalogPaths kShipped{{fs::path(PORTOLAN_SOURCE_DIR) / "scenarios"}};

const std::string kGood =
    "model: llama2-7b\n"
    "hardware: dgx-a100-80g-hdr\n"
    "software: megatron-2022\n"
    "sequence_length: 4096\n"
    "global_batch: 256\n";

Result<Scenario> read(const std::string& text) {
  return read_scenario_text(text, "folder/what.yaml", kShipped);
}

TEST(ScenarioYaml, ResolvesNamesAndDefaults) {
  const Result<Scenario> scenario = read(kGood);
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_EQ(scenario->name, "what");
  EXPECT_EQ(scenario->model.name, "llama2-7b");
  EXPECT_EQ(scenario->num_gpus, 512);
  EXPECT_EQ(scenario->precision, Precision::kBf16);
  EXPECT_EQ(scenario->objective, Objective::kTime);
  EXPECT_EQ(scenario->constraints, StrategyConstraints{});
  EXPECT_EQ(scenario->training, TrainingOptions{});
}

TEST(ScenarioYaml, WritesWhatItReads) {
  const Scenario scenario = sample_scenario();
  const std::string text = write_scenario(scenario);
  const Result<Scenario> again = read_scenario_text(text, "again.yaml", {});
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, scenario);
}

TEST(ScenarioYaml, OverridesChangeSingleKeys) {
  const Result<Scenario> scenario =
      read(kGood +
           "hardware_overrides: {num_nodes: 16, device: {memory: 40 GiB}}\nmodel_overrides: {num_layers: 8}\n"
           "software_overrides:\n  dropout: false\n");
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_EQ(scenario->hardware.num_nodes, 16);
  EXPECT_EQ(scenario->hardware.device.memory, (Sourced<Bytes>{Bytes(40 * kGibi), "what.yaml"}));
  EXPECT_EQ(scenario->hardware.device.power_busy.value, Watts(400));
  EXPECT_EQ(scenario->model.num_layers, 8);
  EXPECT_FALSE(scenario->software.dropout.value);
  EXPECT_EQ(scenario->num_gpus, 128);
}

TEST(ScenarioYaml, StrategyTakesTheWordsOfTheCommandLine) {
  const Result<Scenario> scenario = read(
      kGood +
      "strategy: {tp: 8, recompute: full, layers: [16, 16], sequence_parallel: false, bucket: 25 MiB}\n");
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_EQ(scenario->constraints.tensor_parallel, 8);
  EXPECT_EQ(scenario->constraints.recompute, (RecomputeChoice(Recompute{recompute_full(), {}})));
  EXPECT_EQ(scenario->constraints.layers_per_stage, (std::vector<std::int32_t>{16, 16}));
  EXPECT_EQ(scenario->constraints.bucket, Bytes(25 * kMebi));
}

TEST(ScenarioYaml, FilesAreRelativeToTheScenarioAndCatalogsComeFirst) {
  const Folder folder;
  Hardware hardware = sample_hardware();
  hardware.name = "mine";
  folder.write("hardware/dgx-a100-80g-hdr.yaml", write_hardware(hardware));
  hardware.name = "direct";
  folder.write("direct.yaml", write_hardware(hardware));
  folder.write(
      "config.json",
      R"({"model_type": "gpt2", "n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 10, "n_positions": 4096})");
  const CatalogPaths paths{{folder.path(), kShipped.folders[0]}};

  EXPECT_EQ(read_scenario_text(kGood, "s.yaml", paths)->hardware.name, "mine");
  const Result<Scenario> direct = read_scenario_text(
      "model: config.json\nmodel_overrides: {num_layers: 3}\nhardware: ./direct.yaml\nsoftware: portolan\n"
      "sequence_length: 4\nglobal_batch: 2\n",
      folder.path() / "s.yaml", paths);
  ASSERT_TRUE(direct) << direct.error().message;
  EXPECT_EQ(direct->hardware.name, "direct");
  EXPECT_EQ(direct->model.num_layers, 3);
  EXPECT_EQ(direct->model.hidden_size, 8);
  EXPECT_EQ(read_scenario_text(kGood, "s.yaml", kShipped, folder.path() / "direct.yaml")->hardware.name,
            "direct");
  EXPECT_EQ(
      read_scenario_text(kGood + "model_overrides: {hidden_size: 9}\n", "s.yaml", kShipped).error().message,
      "s.yaml:6: model_overrides.hidden_size: 9 is not divisible by num_heads 32");
}

struct Wrong {
  std::string added;
  std::string message;
};

TEST(ScenarioYaml, SaysWhereAndWhatIsWrongInOneLine) {
  const std::vector<Wrong> table = {
      {"num_gpus: 513\n",
       "folder/what.yaml:6: num_gpus: \"513\" is more than hardware dgx-a100-80g-hdr has (allowed: 1 to "
       "512)"},
      {"job_nodes: 0-3,64\n",
       "folder/what.yaml:6: job_nodes: there is no node 64 (allowed: 0 to 63) in hardware dgx-a100-80g-hdr"},
      {"job_nodes: 0-3,2\n", "folder/what.yaml:6: job_nodes: node 2 is named twice (allowed: each once)"},
      {"job_nodes: [0, a]\n",
       "folder/what.yaml:6: job_nodes: \"a\" is no node and no range of nodes (allowed: as in 0-5,17,40-63)"},
      {"num_gpu: 5\n", "folder/what.yaml:6: num_gpu: unknown key (did you mean \"num_gpus\"?)"},
      {"precision: fp8\n",
       "folder/what.yaml:6: precision: \"fp8\" has no peak in hardware dgx-a100-80g-hdr (allowed: fp32, "
       "tf32, fp16, bf16)"},
      {"strategy: {precision: fp8}\n",
       "folder/what.yaml:6: strategy.precision: \"fp8\" has no peak in hardware dgx-a100-80g-hdr (allowed: "
       "fp32, tf32, fp16, bf16)"},
      {"precision: bf61\n",
       "folder/what.yaml:6: precision: \"bf61\" is not known (allowed: fp32, tf32, fp16, bf16, fp8)"},
      {"objective: speed\n",
       "folder/what.yaml:6: objective: \"speed\" is not known (allowed: time, memory, energy, cost)"},
      {"strategy:\n  tp: 0\n",
       "folder/what.yaml:7: strategy.tp: \"0\" is out of range (allowed: 1 to 1000000)"},
      {"strategy:\n  microbatches: 1\n",
       "folder/what.yaml:7: strategy.microbatches: unknown word (did you mean \"microbatch\"?)"},
      {"strategy: {schedule: zb-v}\n",
       "folder/what.yaml:6: strategy.schedule: \"zb-v\" is not available yet (allowed: gpipe, 1f1b, "
       "interleaved, zb-h1)"},
      {"strategy: {tp: 100000, pp: 100000}\n",
       "folder/what.yaml:6: strategy.pp: tp x pp x dp x cp is over 1000000 ranks"},
      {"strategy: tp=8\n",
       "folder/what.yaml:6: strategy: \"tp=8\" is not a mapping (allowed: lines of \"key: value\")"},
      {"hardware_overrides: {nic: {bandwidth: 25}}\n",
       "folder/what.yaml:6: hardware_overrides.nic.bandwidth: \"25\" has no unit (try \"25 GB/s\")"},
      {"hardware_overrides: {nick: 1}\n",
       "folder/what.yaml:6: hardware_overrides.nick: unknown key (did you mean \"nic\"?)"},
      {"hardware_overrides:\n  device:\n    memory_efficiency: 2\n",
       "folder/what.yaml:8: hardware_overrides.device.memory_efficiency: 2 is not allowed (must be above 0, "
       "at most 1)"},
      {"hardware_overrides: 4\n",
       "folder/what.yaml:6: hardware_overrides: is not a mapping (allowed: lines of \"key: value\")"},
      {"software_overrides: {dropout: maybe}\n",
       "folder/what.yaml:6: software_overrides.dropout: \"maybe\" is not known (allowed: true, false)"},
      {"training: {adam_beta1: 1}\n",
       "folder/what.yaml:6: training.adam_beta1: \"1\" is out of range (allowed: 0 to 0.999999999)"},
      {"training: {seed: -1}\n",
       "folder/what.yaml:6: training.seed: \"-1\" is not a whole number (allowed: 0 to "
       "18446744073709551615)"},
      {"model: gpt2-124m\n", "folder/what.yaml:6: model: is there twice"},
  };
  for (const Wrong& wrong : table) {
    const Result<Scenario> scenario = read(kGood + wrong.added);
    ASSERT_FALSE(scenario) << wrong.added;
    EXPECT_EQ(scenario.error().message, wrong.message);
  }
}

TEST(ScenarioYaml, SaysWhatIsWrongWithItsParts) {
  const std::string tail = "software: portolan\nsequence_length: 4096\nglobal_batch: 0\n";
  const std::vector<Wrong> table = {
      {"model: gpt3\nhardware: dgx-a100-80g-hdr\nsoftware: portolan\nsequence_length: 1\nglobal_batch: 1\n",
       "folder/what.yaml:1: model: \"gpt3\" is not in any models/ folder (there are: bloom-176b, "
       "deepseek-v3, "
       "gpt-neox-20b, gpt2-124m, gpt3-175b, llama2-70b, llama2-7b, megatron-18.4b, megatron-1t, "
       "megatron-39.1b, "
       "megatron-530b, mistral-7b, mixtral-8x7b, opt-175b, opt-66b, qwen2-72b, qwen3-235b-a22b; or name a "
       "file)"},
      {"model: gone.yaml\nhardware: dgx-a100-80g-hdr\nsoftware: portolan\nsequence_length: 1\nglobal_batch: "
       "1\n",
       "folder/what.yaml:1: model: folder/gone.yaml: no such file"},
      {"model: gpt3-175b\nhardware: dgx-a100-80g-hdr\n" + tail,
       "folder/what.yaml:5: global_batch: \"0\" is out of range (allowed: 1 to 4294967296)"},
      {"model: gpt3-175b\nhardware: dgx-a100-80g-hdr\nsoftware: portolan\nsequence_length: "
       "4096\nglobal_batch: 1\n",
       "folder/what.yaml:4: sequence_length: \"4096\" is longer than the learned positions of model "
       "gpt3-175b (allowed: 1 to 2048)"},
      {"model: {num_layers: x}\nhardware: dgx-a100-80g-hdr\nsoftware: portolan\nsequence_length: "
       "1\nglobal_batch: 1\n",
       "folder/what.yaml:1: model.num_layers: \"x\" is not a whole number (allowed: 1 to 16777216)"},
      {"model: [a]\nhardware: dgx-a100-80g-hdr\nsoftware: portolan\nsequence_length: 1\nglobal_batch: 1\n",
       "folder/what.yaml:1: model: is neither a name, nor a file, nor a mapping"},
      {"model: gpt3-175b\nsoftware: portolan\nsequence_length: 1\nglobal_batch: 1\n",
       "folder/what.yaml:1: key \"hardware\" is missing (allowed: a name, a file or a mapping)"},
  };
  for (const Wrong& wrong : table) {
    const Result<Scenario> scenario = read(wrong.added);
    ASSERT_FALSE(scenario) << wrong.added;
    EXPECT_EQ(scenario.error().message, wrong.message);
  }
}

}  // namespace
}  // namespace portolan
