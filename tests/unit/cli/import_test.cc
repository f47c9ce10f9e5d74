#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

const std::string kInputs = "tests/golden/import/";

TEST(ImportVerb, WritesAHardwareFileAndSaysWhatItFound) {
  const ScratchFolder folder;
  const std::string out = folder.file("dgx.yaml");
  const std::string arguments = "import --nccl-topo " + kInputs + "dgx-a100-nccl.xml --nvidia-smi " +
                                kInputs + "dgx-a100-nvidia-smi.txt --slurm " + kInputs +
                                "two-level-topology.conf --name dgx --out " + out;
  const CommandResult people = portolan_command(arguments);
  ASSERT_EQ(people.exit_code, 0) << people.err;
  EXPECT_NE(people.out.find("gpus_per_node               8  dgx-a100-nccl.xml: GPUs of a node\n"),
            std::string::npos)
      << people.out;
  EXPECT_NE(people.out.find("still unknown: spines device.memory"), std::string::npos) << people.out;
  const CommandResult machines = portolan_command(arguments + " --json");
  ASSERT_EQ(machines.exit_code, 0) << machines.err;
  const auto json = machines.json();
  EXPECT_EQ(json["hardware_file"], out);
  EXPECT_EQ(json["num_nodes"], 8);
  EXPECT_EQ(json["nics_per_node"], 8);
  EXPECT_TRUE(json["spines"].is_null());
  EXPECT_EQ(json["nvlink_bandwidth_bytes_per_s"], 300e9);
  EXPECT_NEAR(json["pcie_bandwidth_bytes_per_s"].get<double>(), 31.508e9, 1e6);
  EXPECT_TRUE(json["trunk_bandwidth_bytes_per_s"].is_null());
  EXPECT_EQ(json["sources"]["num_nodes"], "two-level-topology.conf: nodes below switches");
  EXPECT_EQ(json["unknown"][0], "spines");
  EXPECT_EQ(json["assumed"].size(), 4U);
  EXPECT_EQ(folder.num_files(), 1U);
  EXPECT_TRUE(content_of(out).starts_with("# Written by portolan import."));
  // What is written asks for its first unknown.
  const CommandResult plan = portolan_command("plan gpt3-175b-512xa100 --hardware " + out);
  EXPECT_EQ(plan.exit_code, 2);
  EXPECT_NE(plan.err.find("spines: unknown: fill it in"), std::string::npos) << plan.err;
}

// Only NCCL's dump tells of PCIe: without it nothing is written of it, and that is said.
TEST(ImportVerb, SaysWhereNoInputTellsOfPcie) {
  const ScratchFolder folder;
  const std::string out = folder.file("dgx.yaml");
  const CommandResult result = portolan_command("import --json --nvidia-smi " + kInputs +
                                                "dgx-a100-nvidia-smi.txt --name dgx --out " + out);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(result.json()["pcie_bandwidth_bytes_per_s"].is_null());
  EXPECT_EQ(result.json()["sources"]["pcie_bandwidth_bytes_per_s"],
            "no input says it: no pcie, never a bottleneck");
  EXPECT_EQ(content_of(out).find("pcie:"), std::string::npos);
}

TEST(ImportVerb, RefusesInOneLineAndWritesNothing) {
  const ScratchFolder folder;
  const std::string out = " --name x --out " + folder.file("x.yaml");
  const std::string levels = folder.write("three.conf",
                                          "SwitchName=a Nodes=n[0-1]\nSwitchName=b Switches=a\n"
                                          "SwitchName=c Switches=b\n");
  struct Row {
    std::string arguments;
    int exit_code;
    std::string message;
  };
  const std::vector<Row> table = {
      {"import", 2, "--name is required"},
      {"import" + out, 2, "nothing to import (allowed: at least one of --nccl-topo"},
      {"import --slurm nowhere.conf" + out, 2, "nowhere.conf: no such file"},
      {"import --slurm scenarios" + out, 2, "scenarios: is a folder"},
      {"import --slurm README.md" + out, 2, "README.md:3: \"Portolan\" is not known (allowed: SwitchName="},
      {"import --slurm " + levels + out, 1, "three.conf: 3 levels of switches below c"},
      {"import --nccl-topo " + kInputs + "dgx-a100-nccl.xml --nvidia-smi " + kInputs +
           "pcie-4gpu-nvidia-smi.txt" + out,
       2, "gpus_per_node: pcie-4gpu-nvidia-smi.txt has 4 GPUs, dgx-a100-nccl.xml has 8"},
      {"import --nccl-topo " + kInputs + "dgx-a100-nccl.xml --name x --out /nowhere/x.yaml", 2, "/nowhere"},
  };
  for (const Row& row : table) {
    const CommandResult result = portolan_command(row.arguments);
    EXPECT_EQ(result.exit_code, row.exit_code) << row.arguments << "\n" << result.err;
    EXPECT_NE(result.err.find(row.message), std::string::npos) << row.arguments << "\n" << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(result.out, "");
  }
  EXPECT_EQ(folder.num_files(), 1U);
}

}  // namespace
}  // namespace portolan
