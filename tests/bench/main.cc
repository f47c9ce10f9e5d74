#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace {

/// The console's table, and below it each goal that was missed.
class GoalReporter : public benchmark::ConsoleReporter {
 public:
  using ConsoleReporter::ConsoleReporter;

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.error_occurred) {
        missed_.push_back(fmt::format("{}: {}", run.benchmark_name(), run.error_message));
        continue;
      }
      const auto goal_of = [&](const char* name) {
        const auto found = run.counters.find(name);
        return found == run.counters.end() ? 0.0 : found->second.value;
      };
      const double milliseconds = 1000 * run.real_accumulated_time / static_cast<double>(run.iterations);
      if (const double goal = goal_of("goal_ms"); goal > 0) {
        compare(run, goal / milliseconds, fmt::format("{:.3g} ms, goal {:g} ms", milliseconds, goal));
      }
      if (const double goal = goal_of("goal_evaluations_per_s"); goal > 0) {
        const double rate = goal_of("evaluations_per_s");
        compare(run, rate / goal, fmt::format("{:.0f}/s, goal {:.0f}/s", rate, goal));
      }
    }
  }

  void Finalize() override {
    ConsoleReporter::Finalize();
    GetOutputStream() << fmt::format("\n{} of {} goals met\n", num_met_, num_met_ + missed_.size());
    for (const std::string& line : missed_) {
      GetOutputStream() << "missed: " << line << '\n';
    }
  }

 private:
  /// met_by: at least 1 where the goal is met.
  void compare(const Run& run, double met_by, const std::string& figures) {
    if (met_by >= 1) {
      ++num_met_;
    } else {
      missed_.push_back(fmt::format("{}: {} ({:.0f} % of it)", run.benchmark_name(), figures, 100 * met_by));
    }
  }

  std::size_t num_met_ = 0;
  std::vector<std::string> missed_;
};

}  // namespace

/// Google Benchmark's own main, with the goals.
int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  GoalReporter reporter(isatty(STDOUT_FILENO) != 0 ? GoalReporter::OO_Color : GoalReporter::OO_None);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}
