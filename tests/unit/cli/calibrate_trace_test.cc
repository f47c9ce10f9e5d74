#include <gtest/gtest.h>

#include <string>

#include "catalog/hardware_yaml.h"
#include "plan/gemm_tiles.h"
#include "tests/unit/catalog/measured/shaped_trace.h"
#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

constexpr double kProductFactor = 0.8;  ///< what the made-up GPU reaches of the shipped A100

/// A step of a layer on a GPU like the shipped A100, but with slower products and slow GeLUs.
ShapedTrace slower_trace(const Hardware& known) {
  ShapedTrace trace;
  const auto product = [&](std::int64_t m, std::int64_t n, std::int64_t k, bool backward) {
    KernelShape shape;
    shape.gemm_batch = 1;
    shape.gemm_m = m;
    shape.gemm_n = n;
    shape.gemm_k = k;
    const Seconds time = tiled_gemm_time(*known.device.gemm_tiles, FlopsPerSecond(312e12), shape);
    trace.calls.push_back(
        {.operation = "aten::mm",
         .dims = {{m, k}, {k, n}},
         .kernels = {{kGemmKernel, time.value * 1e6 / (kProductFactor * (backward ? 0.9 : 1))}},
         .is_backward = backward});
  };
  const std::int64_t tokens = 8192;
  for (const auto& [n, k] : {std::pair{3072, 1024}, {1024, 1024}, {4096, 1024}, {1024, 4096}}) {
    product(tokens, n, k, false);
    product(n, k, tokens, true);
  }
  const std::vector<std::int64_t> q = {8, 1024, 16, 64};
  const double products_us =
      7 * 2.0 * 8 * 16 * 1024 * 1024 * 64 / 2 / (312e12 * 0.45 / (1 + 408.0 / 1024)) * 1e6;
  trace.calls.push_back({.operation = "aten::_flash_attention_forward",
                         .dims = {q, q, q},
                         .values = {"", "", "", "", "", "", "", "0.", "True"},
                         .kernels = {{kFlashForward, products_us * 0.3}}});
  trace.calls.push_back({.operation = "aten::_flash_attention_backward",
                         .dims = {q, q, q, q},
                         .values = {"", "", "", "", "", "", "", "", "", "", "0.", "True"},
                         .kernels = {{kFlashBackward, products_us * 0.7}},
                         .is_backward = true});
  trace.calls.push_back(
      {.operation = "aten::gelu", .dims = {{8, 1024, 4096}}, .kernels = {{kElementwiseKernel, 200}}});
  trace.calls.push_back(
      {.operation = "aten::copy_", .dims = {{8, 1024}, {8, 1024}}, .kernels = {{kElementwiseKernel, 100}}});
  for (const std::int64_t elements : {1 << 10, 1 << 14, 1 << 22, 1 << 26}) {
    const double turns = 2 * 7.0 / 8;
    trace.collectives.push_back({.elements_in = elements,
                                 .elements_out = elements,
                                 .us = 60 + turns *
                                                (static_cast<double>(2 * elements) / (300e9 * 0.6) +
                                                 8 * known.intra_node_step.value.value) *
                                                1e6});
  }
  return trace;
}

void expect_the_slower_gpu(const nlohmann::json& json) {
  EXPECT_NEAR(json["products"]["factor"].get<double>(), kProductFactor, 0.01);
  EXPECT_EQ(json["products"]["rows"], 4);
  EXPECT_NEAR(json["weight_gradient_rate"].get<double>(), 0.9, 0.01);
  ASSERT_EQ(json["flash_attention"].size(), 1U);
  EXPECT_NEAR(json["flash_attention"][0]["efficiency"].get<double>(), 0.45, 0.002);
  ASSERT_EQ(json["kernel_rates"].size(), 1U);
  EXPECT_EQ(json["kernel_rates"][0]["kernel"], "gelu_forward");
  EXPECT_EQ(json["trace"]["by_kind"][0]["kind"], "gemm");
  EXPECT_EQ(json["trace"]["left_out"][0]["what"], "aten::copy_");
}

TEST(CalibrateFromKineto, FillsInWhatAStepIsPricedBy) {
  const ScratchFolder scratch;
  const std::string out = scratch.file("new.yaml");
  const Hardware known = read_hardware(PORTOLAN_SOURCE_DIR "/scenarios/hardware/a100-node.yaml",
                                       {{PORTOLAN_SOURCE_DIR "/scenarios"}})
                             .value();
  const std::string trace = scratch.write("t.json", kineto_text(slower_trace(known)));
  const CommandResult result =
      portolan_command("calibrate --json --from kineto " + trace + " --hardware a100-node --out " + out);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_the_slower_gpu(result.json());
  EXPECT_NEAR(result.json()["links"]["constants"][0]["value"].get<double>(), 0.6, 0.01);
  EXPECT_NEAR(result.json()["links"]["constants"][1]["value"].get<double>(), 60e-6, 1e-6);
  const std::string strategy = " --json --fidelity closed-form --strategy tp=1,pp=1,dp=8,zero=0,microbatch=8";
  const auto predicted = [&](const std::string& hardware) {
    const std::string scenario =
        scratch.write("s.yaml", "model: gpt2-124m\nhardware: " + hardware +
                                    "\nsoftware: megatron-2022\nsequence_length: 1024\nglobal_batch: 64\n"
                                    "num_gpus: 8\nprecision: bf16\n");
    return portolan_command("simulate " + scenario + strategy).json()["estimate"]["breakdown_s"];
  };
  const auto before = predicted("a100-node"), after = predicted(out);
  const double slower = after["compute"].get<double>() / before["compute"].get<double>();
  EXPECT_GT(slower, 1.05);
  EXPECT_LT(slower, 1 / (kProductFactor * 0.9));
  EXPECT_EQ(after["optimizer"], before["optimizer"]);  // the trace says nothing of it
}

TEST(CalibrateFromNsys, FindsWhatTheSameKernelsOfATraceSay) {
  const ScratchFolder scratch;
  const Hardware known = read_hardware(PORTOLAN_SOURCE_DIR "/scenarios/hardware/a100-node.yaml",
                                       {{PORTOLAN_SOURCE_DIR "/scenarios"}})
                             .value();
  const std::string out = scratch.file("new.yaml");
  write_nsys_database(slower_trace(known), scratch.file("report.sqlite"));
  const CommandResult result =
      portolan_command("calibrate --json --from nsys-sqlite " + scratch.file("report.sqlite") +
                       " --hardware a100-node --out " + out);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_the_slower_gpu(result.json());
  const Hardware written = read_hardware_text(content_of(out), "new.yaml").value();
  EXPECT_NEAR(written.device.gemm_tiles->sizes[0].efficiency / known.device.gemm_tiles->sizes[0].efficiency,
              kProductFactor, 0.01);
  EXPECT_NEAR(written.nvlink.efficiency.value, 0.6, 0.01);
  const std::string scenario =
      scratch.write("s.yaml", "model: gpt2-124m\nhardware: " + out +
                                  "\nsoftware: generic\nsequence_length: 1024\nglobal_batch: 8\nnum_gpus: 8\n"
                                  "precision: bf16\n");
  EXPECT_EQ(portolan_command("simulate --fidelity closed-form --strategy tp=1,pp=1 " + scenario).exit_code,
            0);
}

TEST(CalibrateFromNsys, RefusesInOneLine) {
  const ScratchFolder scratch;
  scratch.write("text.sqlite", std::string(4096, 'x'));
  write_database("CREATE TABLE t (a);", scratch.file("other.sqlite"));
  for (const auto& [file, message] : {std::pair{"text.sqlite", "text.sqlite: is no database of SQLite"},
                                      std::pair{"other.sqlite", "other.sqlite: has no kernels"},
                                      std::pair{"none.sqlite", "none.sqlite: no such file"}}) {
    const CommandResult result = portolan_command("calibrate --from nsys-sqlite " + scratch.file(file) +
                                                  " --hardware a100-node --out " + scratch.file("out.yaml"));
    EXPECT_EQ(result.exit_code, 2) << file;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
  }
}

TEST(CalibrateFromKineto, PrintsWhatWasUsedAndWhatWasNot) {
  const ScratchFolder scratch;
  const Hardware known = read_hardware(PORTOLAN_SOURCE_DIR "/scenarios/hardware/a100-node.yaml",
                                       {{PORTOLAN_SOURCE_DIR "/scenarios"}})
                             .value();
  const CommandResult result = portolan_command("calibrate --from kineto " +
                                                scratch.write("t.json", kineto_text(slower_trace(known))) +
                                                " --hardware a100-node --out " + scratch.file("new.yaml"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* text :
       {"4 shapes of products: efficiencies of the hardware file times 0.800", "aten::copy_",
        "of no kind that is fitted", "gelu_forward", "nvlink.efficiency", "weight_gradient_rate: 0.9"}) {
    EXPECT_NE(result.out.find(text), std::string::npos) << text << "\n" << result.out;
  }
}

TEST(CalibrateFromKineto, RefusesInOneLine) {
  const ScratchFolder scratch;
  const struct {
    std::string text;
    const char* message;
  } cases[] = {{"{}", "has no traceEvents"},
               {"[", "is no trace"},
               {R"({"traceEvents": [{"ph": "X", "cat": "kernel", "name": "k", "ts": 1, "dur": 2}]})",
                "record_shapes=True"},
               {kineto_text({.calls = {{.operation = "aten::copy_", .dims = {{8}}, .kernels = {{"k", 1}}}},
                             .collectives = {}}),
                "nothing of its kernels can be used (aten::copy_: of no kind that is fitted)"}};
  for (const auto& [text, message] : cases) {
    const CommandResult result = portolan_command("calibrate --from kineto " + scratch.write("t.json", text) +
                                                  " --hardware a100-node --out " + scratch.file("out.yaml"));
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_EQ(content_of(scratch.file("out.yaml")), "");
  }
  EXPECT_NE(portolan_command("calibrate --from kineto a b --hardware a100-node --out " + scratch.file("o"))
                .err.find("2 files (allowed: one)"),
            std::string::npos);
}

}  // namespace
}  // namespace portolan
