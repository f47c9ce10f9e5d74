#include "report/run_report.h"

#include <fmt/format.h>

#include "base/parse_quantity.h"
#include "report/table.h"

namespace portolan {

namespace {

std::string signed_percent(const std::optional<double>& share) {
  return share ? fmt::format("{:+.1f}%", *share) : "-";
}

}  // namespace

std::string run_summary(const RunRecord& record, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  const Seconds step = median(record.step_times);
  const double tokens = record.predicted.tokens_per_s * record.predicted.step_time.value;
  rows.push_back({"steps", std::to_string(record.step_times.size())});
  rows.push_back({"median step", format_seconds(step)});
  rows.push_back({"tokens/s", fmt::format("{:.0f}", step.value > 0 ? tokens / step.value : 0)});
  if (!record.losses.empty()) {
    rows.push_back(
        {"training loss", fmt::format("{:.4f} to {:.4f}", record.losses.front(), record.losses.back())});
  }
  if (record.heldout_losses.size() > 1) {
    rows.push_back({"held-out loss", fmt::format("{:.4f} to {:.4f}", record.heldout_losses.front(),
                                                 record.heldout_losses.back())});
  }
  return render_table(
      {{.header = "run", .align = Column::Align::kLeft}, {.header = record.device + ", " + record.ranks_as}},
      rows, width);
}

std::string divergence_report(const Divergence& divergence, std::size_t width) {
  const auto text = [](std::string header) {
    return Column{.header = std::move(header), .align = Column::Align::kLeft, .wraps = true};
  };
  const auto number = [](std::string header) { return Column{.header = std::move(header)}; };
  const StepDivergence& step = divergence.step;
  std::vector<std::vector<std::string>> rows;
  for (const KindDivergence& kind : divergence.by_kind) {
    rows.push_back({kind.kind, format_seconds(kind.predicted), format_seconds(kind.measured),
                    signed_percent(kind.divergence_pct)});
  }
  rows.push_back({"step", format_seconds(step.predicted), format_seconds(step.measured),
                  signed_percent(step.divergence_pct)});
  std::string out = render_table(
      {text("kind"), number("predicted"), number("measured"), number("divergence")}, rows, width);
  out += fmt::format("noise floor of the step: {:.1f}% (median absolute deviation)\n", step.noise_pct);
  out += divergence.valid ? "the measurement is valid\n"
                          : fmt::format("the measurement is NOT valid: {}\n", divergence.invalid_reason);
  rows.clear();
  for (const MemoryDivergence& memory : divergence.memory) {
    rows.push_back({std::to_string(memory.rank), format_bytes(memory.predicted),
                    format_bytes(memory.measured), signed_percent(memory.divergence_pct)});
  }
  out += '\n' + render_table(
                    {number("rank"), number("predicted live"), number("measured live"), number("divergence")},
                    rows, width);
  return out;
}

}  // namespace portolan
