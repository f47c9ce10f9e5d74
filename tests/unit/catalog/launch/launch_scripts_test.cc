// Launch scripts in the manner of public ones (tests/golden/launch), with what a person reads in them.
#include <fmt/format.h>

#include "plan/legality.h"
#include "sample_launch.h"

namespace portolan {
namespace {

MegatronArguments arguments_of(const std::string& name, const ScriptEnvironment& environment = {}) {
  const auto text = read_file(PORTOLAN_SOURCE_DIR "/tests/golden/launch/" + name);
  EXPECT_TRUE(text) << text.error().message;
  auto arguments = read_megatron_arguments(*text, name, environment);
  EXPECT_TRUE(arguments) << arguments.error().message;
  return *arguments;
}

MegatronRun run_script(const MegatronArguments& arguments, const std::string& hardware) {
  auto run = megatron_run(arguments, bare_context(hardware));
  EXPECT_TRUE(run) << run.error().message;
  EXPECT_FALSE(find_rejection(run->scenario, run->strategy));
  return *run;
}

TEST(LaunchScripts, ArraysAndArgumentsOfTheScript) {
  const MegatronArguments arguments = arguments_of("gpt-arrays.sh");
  EXPECT_TRUE(arguments.unread.empty());
  EXPECT_TRUE(arguments.notes.empty());
  EXPECT_EQ(arguments.line_of("--tensor-model-parallel-size"), 48);
  const MegatronRun run = run_script(arguments, "dgx-a100-80g-hdr");
  EXPECT_EQ(short_name(run.strategy), "tp8 pp16 dp4 mb1 interleaved v3 selective sp");
  EXPECT_EQ(run.scenario.num_gpus, 512);
  EXPECT_EQ(run.scenario.global_batch, 1536);
  EXPECT_EQ(run.scenario.precision, Precision::kFp16);
  EXPECT_EQ(run.scenario.model.vocab_size, 50257);
  EXPECT_EQ(run.scenario.model.activation, Activation::kGelu);  // --swiglu is commented out
  EXPECT_EQ(run.scenario.model.initializer_std, 0.006);
}

TEST(LaunchScripts, StringsWithinStringsUnderSlurm) {
  const MegatronArguments arguments = arguments_of("bloom-slurm.sh");
  EXPECT_TRUE(arguments.unread.empty());
  const MegatronRun run = run_script(arguments, "dgx-a100-80g-hdr");
  EXPECT_EQ(short_name(run.strategy), "tp4 pp12 dp8 mb2 1f1b full zero1");
  // The embedding and the head count as layers: 72 over 12 stages.
  EXPECT_EQ(layers_of_stages(run.scenario, run.strategy),
            (std::vector<std::int32_t>{5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 5}));
  EXPECT_EQ(run.scenario.num_gpus, 384);
  EXPECT_EQ(run.scenario.model.position, PositionEncoding::kAlibi);
  EXPECT_TRUE(run.scenario.model.embedding_norm);
  EXPECT_EQ(run.scenario.model.vocab_size, 250680);
}

TEST(LaunchScripts, BranchesJoinedValuesAndTheEnvironment) {
  const MegatronArguments arguments = arguments_of("llama-sizes.sh");
  ASSERT_EQ(arguments.unread.size(), 1U);
  EXPECT_EQ(arguments.unread.front().flag, "--some-flag-of-a-fork");
  EXPECT_EQ(arguments.unread.front().line, 49);
  const MegatronRun run = run_script(arguments, "dgx-h100");
  EXPECT_EQ(short_name(run.strategy), "tp8 pp4 dp1 mb1 1f1b block:5 sp zero1 overlap 152.6 MiB");
  EXPECT_EQ(run.scenario.model.num_kv_heads, 8);
  EXPECT_EQ(run.scenario.global_batch, 128);
  EXPECT_TRUE(run.scenario.software.parameter_gather_overlap.value);

  const MegatronRun small = run_script(
      arguments_of("llama-sizes.sh", {{"1", "7b"}, {"NNODES", "1"}, {"NO_OVERLAP", "1"}}), "dgx-h100");
  EXPECT_EQ(short_name(small.strategy), "tp1 pp1 dp8 mb4 1f1b block:5 zero1");
  EXPECT_EQ(small.scenario.model.num_layers, 32);
  EXPECT_EQ(small.scenario.model.num_kv_heads, 32);
}

TEST(LaunchScripts, FunctionsExpertsAndALayout) {
  const MegatronArguments arguments = arguments_of("mixtral-functions.sh");
  EXPECT_TRUE(arguments.unread.empty());
  const MegatronRun run = run_script(arguments, "dgx-h100-400g-16k");
  EXPECT_EQ(short_name(run.strategy),
            "tp2 pp4 dp8 mb1 1f1b norm1+attention_core+norm2 cp2 ep4 tree overlap 95.37 MiB order tensor "
            "context expert pipeline data layers=7:9:9:7");
  EXPECT_EQ(run.scenario.num_gpus, 128);
  EXPECT_EQ(run.scenario.model.experts->num_experts, 8);
  EXPECT_EQ(run.scenario.model.experts->expert_ffn_size, 14336);
  EXPECT_EQ(run.scenario.sequence_length, 8192);
}

TEST(LaunchScripts, OldNamesAndSlips) {
  const MegatronArguments arguments = arguments_of("turing-slips.sh");
  std::vector<std::string> unread;
  for (const UnreadFlag& flag : arguments.unread) {
    unread.push_back(fmt::format("{} {}", flag.line, flag.flag));
  }
  EXPECT_EQ(unread, (std::vector<std::string>{"18 --distribute-checkpointed-activations", "24 $EXTRA_ARGS"}));
  std::vector<std::int64_t> notes;
  for (const ShellNote& note : arguments.notes) {
    notes.push_back(note.line);
  }
  EXPECT_EQ(notes, (std::vector<std::int64_t>{13, 15, 20, 23, 23}));
  const MegatronRun run = run_script(arguments, "dgx-a100-80g-hdr");
  EXPECT_EQ(short_name(run.strategy), "tp8 pp35 dp1 mb1 interleaved v3 full");
  EXPECT_EQ(run.scenario.num_gpus, 280);
  EXPECT_FALSE(run.strategy.sequence_parallel);  // it is commented out
  EXPECT_FALSE(run.scenario.software.fused_softmax.value);
}

}  // namespace
}  // namespace portolan
