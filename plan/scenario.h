#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/transformer.h"
#include "plan/software_profile.h"
#include "plan/strategy.h"
#include "plan/training_run.h"
#include "topology/hardware.h"
#include "topology/node_list.h"

namespace portolan {

enum class Objective : std::uint8_t { kTime, kMemory, kEnergy, kCost };

/// What the executor needs beyond the plan: used by `run`, ignored by predictions.
struct TrainingOptions {
  double learning_rate = 1e-3;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.95;
  double adam_epsilon = 1e-8;
  double weight_decay = 0.1;
  std::uint64_t seed = 1;
  std::int64_t heldout_batches = 2;  ///< global batches of held-out text that a loss is averaged over

  bool operator==(const TrainingOptions&) const = default;
};

/// A question: which model, on what, with which software, how large a batch. Names are resolved: the
/// values are here, so that a plan file stands alone.
struct Scenario {
  std::string name;
  TransformerConfig model;
  Hardware hardware;
  SoftwareProfile software;
  std::int64_t sequence_length = 0;
  std::int64_t global_batch = 0;  ///< sequences
  std::int64_t num_gpus = 0;      ///< used; at most hardware.num_gpus()
  /// What the job has of the hardware, in the order in which ranks fill it; those behind the last that is
  /// needed are spare.
  NodeList job_nodes;
  Precision precision = Precision::kBf16;
  Objective objective = Objective::kTime;
  /// Gradients may be compressed where part of them is lost, which can change what the model learns.
  bool lossy_gradients = false;
  StrategyConstraints constraints;  ///< what the scenario itself fixes
  TrainingOptions training;
  std::optional<TrainingRun> training_run;  ///< the whole of it: predictions of a step ignore it

  bool operator==(const Scenario&) const = default;
};

}  // namespace portolan
