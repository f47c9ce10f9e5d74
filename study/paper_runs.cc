#include "study/paper_runs.h"

#include <algorithm>
#include <utility>

namespace portolan {

namespace {

constexpr std::uint32_t kParallelism = 1, kAggregation = 2, kRematerialization = 4;

/// What tiers keep to that do not plan.
std::optional<Strategy> find_tier_base(const std::vector<PaperRun>& runs, const std::string& model) {
  const auto base = std::find_if(runs.begin(), runs.end(), [&](const PaperRun& run) {
    return run.row.part == PaperPart::kBaselines && run.row.model == model && run.row.device == "80 GB" &&
           run.row.planner == "megatron-2022" && run.row.settings == PaperSettings::kDefaults;
  });
  return base != runs.end() && base->best ? std::optional(base->best->strategy) : std::nullopt;
}

/// Rows that ask the same question, such as all tiers together and the plan itself, are planned once.
class Answers {
 public:
  explicit Answers(const PaperPlanner& planner) : planner_(planner) {}

  Result<Estimate> find(const Scenario& scenario) {
    const auto known = std::find_if(list_.begin(), list_.end(),
                                    [&](const auto& answer) { return answer.first == scenario; });
    return known != list_.end() ? known->second : list_.emplace_back(scenario, planner_(scenario)).second;
  }

 private:
  const PaperPlanner& planner_;
  std::vector<std::pair<Scenario, Result<Estimate>>> list_;
};

}  // namespace

StrategyConstraints fix_tiers(const Strategy& base, std::uint32_t planned) {
  StrategyConstraints fixed;
  if ((planned & kParallelism) == 0) {
    fixed.tensor_parallel = base.tensor_parallel;
    fixed.pipeline_parallel = base.pipeline_parallel;
    fixed.data_parallel = base.data_parallel;
    fixed.context_parallel = base.context_parallel;
    fixed.virtual_stages = base.virtual_stages;
    fixed.sequence_parallel = base.sequence_parallel;
    fixed.microbatch_size = base.microbatch_size;
    fixed.schedule = base.schedule;
    fixed.axis_order = base.axis_order;
  }
  if ((planned & kAggregation) == 0) {
    fixed.aggregation = base.gradient_aggregation.algorithm;
    fixed.overlap = base.gradient_aggregation.overlap;
    fixed.bucket = base.gradient_aggregation.bucket;
    fixed.compression = base.gradient_aggregation.compression;
    fixed.zero_stage = base.zero_stage;
    fixed.zero_group = base.zero_group;
  }
  if ((planned & kRematerialization) == 0) {
    fixed.recompute = base.recompute;
    fixed.offload = base.offload;
  }
  return fixed;
}

Result<PaperRun> run_paper_case(const PaperCase& row, const CatalogPaths& paths,
                                const PredictionErrors& errors, const std::optional<Strategy>& tier_base,
                                const PaperPlanner& planner) {
  PaperRun run{.row = row, .software = "", .best = {}, .reason = "", .margins = {}};
  if (row.part == PaperPart::kTiers && !tier_base) {
    run.reason = "Megatron-LM of 2022 with its defaults does not fit";
    return run;
  }
  std::vector<std::optional<std::int32_t>> degrees(row.smallest.values.begin(), row.smallest.values.end());
  if (degrees.empty()) {
    degrees.emplace_back();
  }
  for (const std::optional<std::int32_t>& degree : degrees) {
    PORTOLAN_TRY(Scenario scenario, paper_scenario(row, paths, degree));
    run.software = scenario.software.name;
    run.margins = margins_of(errors, scenario);
    if (row.part == PaperPart::kTiers) {
      scenario.constraints = fix_tiers(*tier_base, row.tiers);
    }
    Result<Estimate> best = planner(scenario);
    if (best) {
      run.best = *std::move(best);
      run.reason.clear();
      return run;
    }
    if (best.error().kind != ErrorKind::kInfeasible) {
      return best.error();
    }
    run.reason = best.error().message;
  }
  return run;
}

Result<std::vector<PaperRun>> run_paper(const PaperQuestion& question, const CatalogPaths& paths,
                                        const PredictionErrors& errors, const PaperPlanner& planner,
                                        const std::function<void(const PaperCase&, double share)>& on_row) {
  const std::vector<PaperCase> rows = paper_cases(question);
  for (const PaperCase& row : rows) {
    PORTOLAN_CHECK_OK(paper_scenario(row, paths, {}));
  }
  std::vector<PaperRun> runs;
  runs.reserve(rows.size());
  Answers answers(planner);
  const PaperPlanner remembering = [&](const Scenario& scenario) { return answers.find(scenario); };
  for (const PaperCase& row : rows) {
    on_row(row, static_cast<double>(runs.size()) / static_cast<double>(rows.size()));
    const auto base = row.part == PaperPart::kTiers ? find_tier_base(runs, row.model) : std::nullopt;
    PORTOLAN_TRY(PaperRun run, run_paper_case(row, paths, errors, base, remembering));
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace portolan
