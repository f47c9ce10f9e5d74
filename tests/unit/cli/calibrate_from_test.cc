#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "catalog/hardware_yaml.h"
#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

/// Products on a device of 1000 TFLOP/s whose every wave of 128 x 128 tiles takes what K says.
std::string products() {
  std::string text = "M,N,K,time_ms,gpu\n";
  for (const int n : {1024, 3072, 5120, 7168, 9216}) {
    for (int m = 1024; m <= 16384; m *= 2) {
      const int waves = (m / 128 * (n / 128) + 107) / 108;
      const double milliseconds = 1e3 * waves * 2.0 * 128 * 128 * (4096 + 100) * 108 / (312e12 * 0.7) + 2e-3;
      text += std::to_string(m) + "," + std::to_string(n) + ",4096," + std::to_string(milliseconds) + ",X1\n";
    }
  }
  return text + "4096,4096,4096,9,other\n";
}

std::string content(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(CalibrateFrom, FillsInAHardwareFileThatPlansWithIt) {
  const ScratchFolder scratch;
  const std::string table = scratch.write("p.csv", products());
  const std::string out = scratch.file("new.yaml");
  const CommandResult result = portolan_command("calibrate --json --from gemm-csv " + table +
                                                " --hardware a100-node --gpu X --out " + out);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = result.json();
  EXPECT_EQ(json["gemm_points"], 25);
  EXPECT_EQ(json["left_out"], 1);
  EXPECT_LT(json["error_pct"]["fitted"]["mean"].get<double>(), 1);
  EXPECT_GT(json["error_pct"]["one_share"]["mean"].get<double>(), 1);
  const std::string written = content(out);
  EXPECT_NE(written.find("fit to 25 products of p.csv"), std::string::npos);
  EXPECT_NE(written.find("NVIDIA A100 whitepaper"), std::string::npos);  // what the table does not say
  const std::string scenario =
      scratch.write("s.yaml", "model: gpt2-124m\nhardware: " + out +
                                  "\nsoftware: generic\nsequence_length: 1024\nglobal_batch: 8\nnum_gpus: 8\n"
                                  "precision: bf16\n");
  EXPECT_EQ(portolan_command("plan " + scenario).exit_code, 0);
}

TEST(CalibrateFrom, FillsInFlashAttention) {
  const ScratchFolder scratch;
  std::string table = "op,shape,tflops\n";
  for (int sequence = 512; sequence <= 65536; sequence *= 2) {
    table += "attention FA2,seq=" + std::to_string(sequence) + " causal=yes," +
             std::to_string(312 * 0.6 / (1 + 250.0 / sequence)) + "\n";
  }
  const std::string out = scratch.file("new.yaml");
  const std::string hardware =
      scratch.write("mine.yaml",
                    "name: mine\nnum_nodes: 1\ngpus_per_node: 8\ndevice: a100-sxm-80g\n"
                    "device_overrides: {memory: {value: 60 GiB, source: \"what is left\"}}\n"
                    "nvlink: {bandwidth: 300 GB/s, efficiency: 0.8}\n");
  const CommandResult result =
      portolan_command("calibrate --json --from attention-csv " + scratch.write("a.csv", table) +
                       " --hardware " + hardware + " --out " + out);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto fit = result.json()["flash_attention"][0];
  EXPECT_NEAR(fit["efficiency"].get<double>(), 0.6, 0.01);
  EXPECT_NEAR(fit["mask_overhead"].get<double>(), 250, 20);
  const std::string written = content(out);
  EXPECT_NE(written.find("fit to 8 kernels of a.csv"), std::string::npos);
  EXPECT_NE(written.find("fit to 48 published kernels"), std::string::npos);  // version 1 stays
  // The device that the file names is written out, and what is laid over it.
  EXPECT_NE(written.find("what is left"), std::string::npos);
  EXPECT_EQ(written.find("device_overrides"), std::string::npos);
  const Hardware read = read_hardware_text(written, "new.yaml").value();
  EXPECT_EQ(read.device.memory.value, Bytes(60 * kGibi));
  ASSERT_EQ(read.device.flash_attention.size(), 2U);
  EXPECT_NEAR(read.device.flash_attention[1].efficiency.value, 0.6, 0.01);
}

TEST(CalibrateFrom, RefusesInOneLineAndWritesNothing) {
  const ScratchFolder scratch;
  const std::string table = scratch.write("p.csv", products());
  const std::string out = scratch.file("new.yaml");
  const std::string from_datasheet =
      scratch.write("mine.yaml",
                    "name: mine\nnum_nodes: 1\ngpus_per_node: 1\n"
                    "device: {memory: 64 GiB, peak: {bf16: 200 TFLOP/s}, memory_bandwidth: 1600 GB/s, "
                    "gemm_efficiency: 0.7,\n"
                    "  attention_gemm_efficiency: 0.5, memory_efficiency: 0.9, kernel_launch: 2 us}\n"
                    "nvlink: {bandwidth: 300 GB/s, latency: 0 s, efficiency: 0.8}\nintra_node_step: 3 us\n");
  const std::string steps = scratch.write("s.csv", "id,prefix,software\na,T,generic\n");
  const struct {
    std::string arguments;
    const char* message;
  } cases[] = {
      {"--from gemm-xml " + table + " --hardware a100-node",
       "\"gemm-xml\" is not known (allowed: attention-csv, collectives-csv, gemm-csv, kineto, "
       "nccl-tests, nsys-sqlite, step-csv)"},
      {"--from gemm-csv " + table, "--hardware is missing"},
      {"--from gemm-csv " + table + " --hardware " + from_datasheet, "--multiprocessors is missing"},
      {"--from gemm-csv " + table + " --hardware no-such", "no-such"},
      {"--from gemm-csv " + table + " --hardware a100-node --gpu Y",
       "p.csv: 0 products of 1 GFLOP or more (must be at least 20)"},
      {"--from gemm-csv nowhere.csv --hardware a100-node", "nowhere.csv"},
      {"--from step-csv " + table, "--software or --clusters: one of both is needed"},
      {"--from step-csv " + table + " --software generic --clusters a100-node",
       "--software or --clusters: one of both is needed"},
      {"--from step-csv " + steps + " --clusters no-such", "no-such"},
      {"--from step-csv " + steps + " --software no-such", "no-such"},
      {"--from step-csv " + steps + " --software generic", "at least 2 are needed"},
  };
  for (const auto& [arguments, message] : cases) {
    const CommandResult result = portolan_command("calibrate " + arguments + " --out " + out);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_EQ(content(out), "") << arguments;
  }
}

}  // namespace
}  // namespace portolan
