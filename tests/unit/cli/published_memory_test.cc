// Memory figures that others computed or laid down, from the Programs that Portolan lowers for the same runs.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <regex>
#include <set>

#include "catalog/hardware_yaml.h"
#include "catalog/software_yaml.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/memory.h"
#include "plan/reserved_memory.h"
#include "tests/unit/cli/published_rows.h"

namespace portolan {
namespace {

// Figures computed from formulas leave out norm statistics, biases and norms: less than a thousandth.
constexpr double kLargestErrorOfFormula = 0.001;
// Bars of a figure, read off.
constexpr double kLargestErrorOfBar = 0.03;

std::int64_t number(const Row& row, const std::string& column) { return std::stoll(row.at(column)); }

TransformerConfig model_of(const Row& row) {
  TransformerConfig model;
  model.name = row.at("model");
  model.num_layers = number(row, "layers");
  model.hidden_size = number(row, "hidden");
  model.num_heads = model.num_kv_heads = number(row, "heads");
  model.ffn_size = number(row, "ffn");
  model.vocab_size = number(row, "vocab");
  model.max_positions = number(row, "seq_len");
  return model;
}

/// The row's run, under the features of Megatron-LM in 2022.
Scenario scenario_of(const Row& row) {
  const std::string folder = PORTOLAN_SOURCE_DIR "/scenarios/";
  Scenario scenario;
  scenario.name = row.at("id");
  scenario.model = model_of(row);
  scenario.hardware = *read_hardware(folder + "hardware/dgx-a100-80g-hdr.yaml", {{folder}});
  scenario.software = *read_software(folder + "software/megatron-2022.yaml");
  scenario.sequence_length = number(row, "seq_len");
  scenario.global_batch = number(row, "global_batch");
  scenario.num_gpus = number(row, "num_gpus");
  scenario.precision = *find_precision(row.at("precision"));
  return scenario;
}

Strategy strategy_of(const Row& row) {
  Strategy strategy;
  strategy.tensor_parallel = static_cast<std::int32_t>(number(row, "tp"));
  strategy.pipeline_parallel = static_cast<std::int32_t>(number(row, "pp"));
  strategy.virtual_stages = static_cast<std::int32_t>(number(row, "vpp"));
  strategy.data_parallel = static_cast<std::int32_t>(number(row, "dp"));
  strategy.sequence_parallel = row.at("seq_parallel") == "yes";
  strategy.microbatch_size = number(row, "microbatch");
  strategy.zero_stage = static_cast<std::int32_t>(number(row, "zero_fsdp"));
  strategy.recompute.all_layers = *find_recompute(row.at("recompute"));
  strategy.precision = *find_precision(row.at("precision"));
  if (strategy.virtual_stages > 1) {
    strategy.schedule = ScheduleKind::kInterleaved;
  }
  return strategy;
}

Stage first_stage(const Scenario& scenario, const Strategy& strategy) {
  return lower(scenario, strategy).stages.front();
}

/// Buffers that ops of layers touch: in backward and what is recomputed for it, or in forward too.
std::set<std::int32_t> touched_by_layers(const Stage& stage, bool forward_too) {
  std::set<std::int32_t> touched;
  for (const Template& t : stage.templates) {
    for (const Op& op : t.ops) {
      if (op.layer == Op::kNoLayer || (op.phase == Phase::kForward && !forward_too)) {
        continue;
      }
      touched.insert(op.buffers.begin(), op.buffers.end());
      for (const Kernel& kernel : op.kernels) {
        for (const Operand& operand : kernel.operands) {
          touched.insert(operand.tensor);
        }
      }
    }
  }
  return touched;
}

/// Peak of the buffers that `counts` says yes to, by the sweep that predicts all peaks.
template <typename Counts>
Bytes peak_of(Stage stage, const Counts& counts) {
  for (std::size_t i = 0; i < stage.buffers.size(); ++i) {
    stage.buffers[i].bytes = counts(static_cast<std::int32_t>(i)) ? stage.buffers[i].bytes : Bytes(0);
  }
  return stage_peak_memory(stage).allocated;
}

/// Figures 1 and 7 of Korthikanti et al. 2022 (arXiv 2205.05198) count of the first stage's activations what
/// its layers keep from forward to backward, of all microbatches in flight (sections 4.1 to 4.2.3). They
/// leave out what the ends keep (section 4.3), and what lives within a pass alone.
Bytes layer_activations(const Stage& stage) {
  const std::set<std::int32_t> touched = touched_by_layers(stage, false);
  return peak_of(stage, [&](std::int32_t i) {
    const Buffer& buffer = stage.buffers[static_cast<std::size_t>(i)];
    return !buffer.persistent && touched.contains(i) &&
           buffer.first.template_index != buffer.last.template_index;
  });
}

/// Figure 1 counts of parameters, gradients and optimizer states those of the layers (12 h^2 a layer), an
/// L / p of them a stage: neither embedding nor positions. Gradients are fp32 (18 bytes a parameter in all).
Bytes layer_parameters_and_states(const Stage& stage) {
  const std::set<std::int32_t> touched = touched_by_layers(stage, true);
  return peak_of(stage, [&](std::int32_t i) {
    const Buffer& buffer = stage.buffers[static_cast<std::size_t>(i)];
    return buffer.persistent && (touched.contains(i) || touched.contains(buffer.partner));
  });
}

double gib(Bytes bytes) { return static_cast<double>(bytes.value) / kGibi; }

/// One line a row: what was published, what is predicted as the source counts, and, for information, all that
/// lives at the stage's peak.
double report(const Row& row, double predicted, const std::string& more) {
  const double published = std::stod(row.at("mem_gb"));
  const double error = predicted / published - 1;
  const std::string unit = row.at("unit").substr(0, row.at("unit").find(' '));
  std::printf("%-30s published %9.4f predicted %9.4f %s error %+6.2f %%  %s\n", row.at("id").c_str(),
              published, predicted, unit.c_str(), 100 * error, more.c_str());
  return error;
}

bool is_analytic(const Row& row) { return row.at("kind").starts_with("analytic"); }
bool is_relative(const Row& row) { return row.at("kind").starts_with("relative activation memory"); }

class PublishedMemory : public PublishedMeasurements {
 protected:
  std::vector<Row> memory_rows(bool (*chosen)(const Row&)) const {
    std::vector<Row> rows = rows_of("memory.csv");
    std::erase_if(rows, [&](const Row& row) { return !chosen(row); });
    return rows;
  }
};

// The unit is GiB, as the rows say: 12 L h^2 / t x 18 bytes of 22B are 45.5625 of them, the published figure.
TEST_F(PublishedMemory, AnalyticFiguresOfTheFirstStage) {
  const std::vector<Row> rows = memory_rows(is_analytic);
  EXPECT_EQ(rows.size(), 16U);
  for (const Row& row : rows) {
    const Scenario scenario = scenario_of(row);
    const Strategy strategy = strategy_of(row);
    const auto rejection = find_rejection(scenario, strategy);
    ASSERT_FALSE(rejection) << row.at("id") << ": " << rejection->message;
    ASSERT_EQ(row.at("unit"), "GiB") << row.at("id");
    const Stage stage = first_stage(scenario, strategy);
    const bool activations = row.at("kind") == "analytic (activations)";
    const Bytes predicted = activations ? layer_activations(stage) : layer_parameters_and_states(stage);
    const StageMemory peak = stage_peak_memory(stage);
    const Bytes all = activations ? peak.activations + peak.workspace + peak.communication
                                  : peak.parameters + peak.gradients + peak.optimizer_states;
    const double error = report(row, gib(predicted), "with ends: " + std::to_string(gib(all)) + " GiB");
    EXPECT_LE(std::abs(error), kLargestErrorOfFormula) << row.at("id");
  }
}

// Shares of what tensor parallelism alone keeps: the bars of figure 7.
TEST_F(PublishedMemory, RelativeActivationMemory) {
  const std::vector<Row> rows = memory_rows(is_relative);
  EXPECT_EQ(rows.size(), 20U);
  int baselines = 0;
  for (const Row& row : rows) {
    const Scenario scenario = scenario_of(row);
    Strategy strategy = strategy_of(row);
    const auto rejection = find_rejection(scenario, strategy);
    ASSERT_FALSE(rejection) << row.at("id") << ": " << rejection->message;
    const Bytes kept = layer_activations(first_stage(scenario, strategy));
    Strategy baseline = strategy;
    baseline.sequence_parallel = false;
    baseline.recompute.all_layers = recompute_none();
    baselines += strategy == baseline ? 1 : 0;  // 100 by definition
    const double predicted = 100 * gib(kept) / gib(layer_activations(first_stage(scenario, baseline)));
    EXPECT_LE(std::abs(report(row, predicted, "")), kLargestErrorOfBar) << row.at("id");
  }
  EXPECT_EQ(baselines, 4);
}

/// Bytes of parameters, gradients and optimizer states for each parameter of a small model.
double bytes_per_parameter(const std::string& parameter, const std::string& gradient, std::int32_t ranks,
                           std::int32_t zero_stage) {
  Scenario scenario = scenario_of({{"id", "small"},
                                   {"model", "small"},
                                   {"layers", "2"},
                                   {"hidden", "64"},
                                   {"heads", "4"},
                                   {"ffn", "256"},
                                   {"vocab", "1024"},
                                   {"seq_len", "64"},
                                   {"precision", parameter},
                                   {"global_batch", "64"},
                                   {"num_gpus", std::to_string(ranks)}});
  const std::int64_t parameter_bytes = parameter == "fp32" ? 4 : 2;
  const std::int64_t gradient_bytes = gradient == "fp32" ? 4 : 2;
  scenario.software.gradient_bytes.value = gradient_bytes;
  // Two fp32 moments, and fp32 copies of what is narrower: the parameter, the gradient.
  scenario.software.optimizer_bytes_per_parameter.value =
      8 + (parameter_bytes < 4 ? 4 : 0) + (gradient_bytes < 4 ? 4 : 0);
  Strategy strategy;
  strategy.data_parallel = ranks;
  strategy.zero_stage = zero_stage;
  strategy.precision = scenario.precision;
  const StageMemory memory = stage_peak_memory(first_stage(scenario, strategy));
  const auto bytes =
      static_cast<double>((memory.parameters + memory.gradients + memory.optimizer_states).value);
  return bytes / (static_cast<double>(memory.parameters.value) / static_cast<double>(parameter_bytes));
}

// Megatron-LM's table: "bf16 param/fp32 grad: 18 (6+12/d)", d: ranks that share optimizer states (ZeRO 1).
TEST_F(PublishedMemory, BytesOfAParameter) {
  const std::vector<Row> rows =
      memory_rows([](const Row& row) { return row.at("kind") == "bytes per parameter (design)"; });
  ASSERT_EQ(rows.size(), 1U);
  const std::regex entry(R"((\w+)(?: param)?/(\w+)(?: grad)?: (\d+) \((?:dist-opt )?(\d+)\+(\d+)/d\))");
  const std::string notes = rows.front().at("notes");
  int entries = 0;
  for (std::sregex_iterator i(notes.begin(), notes.end(), entry), end; i != end; ++i, ++entries) {
    const std::smatch& match = *i;
    const auto published = [&](std::size_t group) { return std::stod(match[group]); };
    EXPECT_NEAR(bytes_per_parameter(match[1], match[2], 1, 0), published(3), 1e-9) << match[0];
    for (const std::int32_t d : {2, 4, 8}) {
      EXPECT_NEAR(bytes_per_parameter(match[1], match[2], d, 0), published(3), 1e-9) << match[0];
      EXPECT_NEAR(bytes_per_parameter(match[1], match[2], d, 1), published(4) + published(5) / d, 1e-9)
          << match[0] << ", d " << d;
    }
  }
  EXPECT_EQ(entries, 3) << notes;
}

bool is_measured_bloom(const Row& row) {
  const auto known = [&](const std::string& column) { return !row.at(column).empty(); };
  return row.at("kind") == "measured peak" && row.at("id").starts_with("BLOOM") && known("layers") &&
         known("heads") && row.at("mem_gb") != "OOM";
}

/// The row's run as BLOOM was trained. In fp16 gradients are as wide as parameters, as the profile says.
Scenario bloom_scenario(const Row& row) {
  Scenario scenario = scenario_of(row);
  const std::string folder = PORTOLAN_SOURCE_DIR "/scenarios/";
  scenario.hardware = *read_hardware(folder + "hardware/a100-80g-opa-4x100.yaml", {{folder}});
  scenario.software = *read_software(folder + "software/megatron-deepspeed-2022.yaml");
  scenario.software.gradient_bytes.value = scenario.precision == Precision::kFp16 ? 0 : 4;
  return scenario;
}

Strategy bloom_strategy(const Row& row) {
  Row as_numbers = row;
  as_numbers["zero_fsdp"] = row.at("zero_fsdp").substr(0, 1);
  return strategy_of(as_numbers);
}

// Peaks that nvidia-smi showed on the nodes of the first and last stages: context, communicators and
// allocator are in them. Nothing here is tuned to them; what is asked for is that a prediction is a
// prediction.
TEST_F(PublishedMemory, MeasuredPeaksOfBloom) {
  int count = 0;
  double sum = 0;
  std::vector<double> errors;
  for (const Row& row : memory_rows(is_measured_bloom)) {
    const Scenario scenario = bloom_scenario(row);
    const Strategy strategy = bloom_strategy(row);
    if (find_rejection(scenario, strategy)) {
      continue;  // the table does not say how its layers or batch were divided
    }
    const std::vector<StageMemory> memory = program_memory(scenario, strategy, lower(scenario, strategy));
    const StageMemory& fullest =
        memory.front().reserved > memory.back().reserved ? memory.front() : memory.back();
    errors.push_back(
        report(row, gib(fullest.reserved), "allocated " + std::to_string(gib(fullest.allocated)) + " GiB"));
    sum += errors.back();
    EXPECT_LE(std::abs(errors.back()), 0.6) << row.at("id");
    ++count;
  }
  ASSERT_GE(count, 20);
  std::nth_element(errors.begin(), errors.begin() + count / 2, errors.end());
  std::printf("%d rows: error %+.1f %% on average, median %+.1f %%\n", count, 100 * sum / count,
              100 * errors[static_cast<std::size_t>(count) / 2]);
}

// What is left are measurements, which no definition gives: how many, so that a new kind of row is seen.
TEST_F(PublishedMemory, RowsThatAreMeasurements) {
  const std::vector<Row> rows =
      memory_rows([](const Row& row) { return row.at("kind").starts_with("measured"); });
  std::printf("%zu rows of memory.csv are measured peaks: context, libraries and allocator are in them\n",
              rows.size());
  EXPECT_EQ(rows.size() + 16 + 20 + 1, rows_of("memory.csv").size());
}

}  // namespace
}  // namespace portolan
