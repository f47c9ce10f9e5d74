#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/launch_report.h"
#include "plan/divergence.h"
#include "plan/finalist_odds.h"
#include "plan/placed_finalists.h"
#include "plan/prediction_error.h"
#include "plan/run_forecast.h"
#include "plan/run_record.h"
#include "plan/search.h"
#include "plan/simulate.h"
#include "plan/unvalidated.h"
#include "study/memory_validation.h"
#include "study/validation.h"

namespace portolan {

/// What --json prints: one object, keys as documented in docs/command-line.md. What is not computed is null.

/// `fields` by word, each with its values, and how many strategies there are.
std::string space_json(const SearchSpace& space);

struct SearchOutput {
  std::size_t top = 5;
  double wall_s = 0;
  PredictionMargins margins = {};
  std::vector<FinalistOdds> odds = {};  ///< of the ranking
  const PlacedFinalists* placement = nullptr;
  std::optional<RunForecast> training_run = {};
  std::string gpus_for_deadline = "null";  ///< an object, as text
};
std::string search_json(const SearchResult& result, const SearchOutput& output);
std::string verdict_json(const Verdict& verdict, const std::vector<std::string>& reasons,
                         const Estimate* winner, const PredictionMargins& margins);
struct SimulationOutput {
  std::string fidelity;
  double wall_s = 0;
  std::vector<UnvalidatedFigure> unvalidated;
  PredictionMargins margins = {};
  const LaunchReading* launch = nullptr;  ///< of --megatron-args
  std::optional<RunForecast> training_run = {};
  std::string degraded = "null";  ///< an object, as text
};
std::string simulation_json(const Simulation& simulation, const SimulationOutput& output);
std::string run_json(const RunRecord& record);
std::string divergence_json(const Divergence& divergence, const std::string& program_hash);

std::string validation_json(const Validation& validation, const MemoryValidation* memory = nullptr);

struct CalibrationOutput {
  std::size_t gemm_points = 0;
  std::size_t collective_points = 0;
  double noise_pct = 0;
};
std::string calibration_json(const CalibrationOutput& output);

}  // namespace portolan
