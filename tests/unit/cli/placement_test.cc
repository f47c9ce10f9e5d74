#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

/// A model of 18.4 billion on eight nodes, four in each of two pods with one spine, named in turn: each hop
/// of the ring that sums gradients goes from pod to pod.
std::string irregular_scenario(const ScratchFolder& scratch) {
  return scratch.write("irregular.yaml",
                       "model: megatron-18.4b\nhardware: a100-oversubscribed-4to1\nsoftware: megatron-2022\n"
                       "hardware_overrides: {spines: {value: 1, source: one}}\n"
                       "sequence_length: 2048\nglobal_batch: 64\njob_nodes: 0,32,1,33,2,34,3,35\n"
                       "strategy: {tp: 8, pp: 1, microbatch: 2, schedule: 1f1b, recompute: full, zero: 0, "
                       "overlap: false, aggregation: ring}\n");
}

TEST(PlacementCommand, PlansTheOrderOfNodesAndSimulatesIt) {
  const ScratchFolder scratch;
  const std::string scenario = irregular_scenario(scratch), plan = scratch.file("plan.json");
  const CommandResult planned = portolan_command("plan " + scenario + " --out " + plan + " --json");
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  const auto answer = planned.json();
  const auto placement = answer["placement"];
  EXPECT_EQ(placement["fidelity"], "full");
  EXPECT_LT(placement["step_time_s"], placement["default_step_time_s"]);
  EXPECT_LT(placement["busiest_link_s"], placement["default_busiest_link_s"]);
  EXPECT_EQ(placement["node_order"], answer["best"]["strategy"]["node_order"]);

  const CommandResult simulated = portolan_command("simulate " + plan + " --json");
  ASSERT_EQ(simulated.exit_code, 0) << simulated.err;
  EXPECT_EQ(simulated.json()["fidelity"], "full");
  EXPECT_EQ(simulated.json()["estimate"]["step_time_s"], placement["step_time_s"]);

  const CommandResult again = portolan_command("plan " + scenario + " --json");
  EXPECT_EQ(again.json()["placement"], placement);
  const CommandResult table = portolan_command("plan " + scenario);
  EXPECT_NE(table.out.find("node order: " + placement["node_order"].get<std::string>()), std::string::npos);
}

TEST(PlacementCommand, RefusesRungsThatTakeReplicasToBeAlike) {
  const ScratchFolder scratch;
  for (const char* rung : {"closed-form", "folded"}) {
    const CommandResult result =
        portolan_command("simulate " + irregular_scenario(scratch) + " --fidelity " + rung);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.err.find(std::string("--fidelity: ") + rung +
                              " takes replicas to be alike, which on these nodes they are not (allowed: "
                              "replicas, full, explicit)"),
              std::string::npos)
        << result.err;
  }
}

TEST(PlacementCommand, ExportsHostsInThePlansOrder) {
  const ScratchFolder scratch;
  const std::string plan = scratch.file("plan.json"), folder = scratch.file("launch");
  ASSERT_EQ(portolan_command("plan " + irregular_scenario(scratch) + " --out " + plan).exit_code, 0);
  std::string names;
  for (int node = 0; node < 128; ++node) {
    names += "gpu" + std::to_string(node) + ".example.org\n";
  }
  const CommandResult exported = portolan_command("export " + plan + " --to megatron --out " + folder +
                                                  " --hosts " + scratch.write("hosts", names));
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  std::istringstream hosts(content_of(folder + "/hostfile"));
  std::set<std::string> found;
  for (std::string line; std::getline(hosts, line);) {
    found.insert(line);
  }
  EXPECT_EQ(found.size(), 8u);
  EXPECT_TRUE(found.contains("gpu35.example.org slots=8"));
  const std::string first_host = content_of(folder + "/hostfile").substr(0, 4);
  EXPECT_EQ(content_of(folder + "/task_hosts").substr(0, 4), first_host);

  const CommandResult short_list = portolan_command("export " + plan + " --to megatron --out " + folder +
                                                    " --hosts " + scratch.write("few", "a\nb\n"));
  EXPECT_EQ(short_list.exit_code, 2);
  EXPECT_NE(short_list.err.find("few: 2 names (allowed: 128, one for each node of the hardware)"),
            std::string::npos)
      << short_list.err;
}

}  // namespace
}  // namespace portolan
