#include "report/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

namespace {

Column text_column(std::string header) {
  return {.header = std::move(header), .align = Column::Align::kLeft, .wraps = true};
}
Column number_column(std::string header) { return {.header = std::move(header)}; }

std::string kinds_table(const Divergence& divergence, std::size_t width) {
  const auto has = [&](auto member) {
    return std::any_of(divergence.by_kind.begin(), divergence.by_kind.end(), member);
  };
  const bool has_axis = has([](const KindDivergence& k) { return !k.axis.empty(); });
  const bool has_phase = has([](const KindDivergence& k) { return !k.phase.empty(); });
  const bool has_noise = has([](const KindDivergence& k) { return k.noise.has_value(); });
  std::vector<Column> columns = {text_column("kind")};
  const auto add_column_if = [&](bool is_there, Column column) {
    if (is_there) {
      columns.push_back(std::move(column));
    }
  };
  add_column_if(has_axis, text_column("axis"));
  add_column_if(has_phase, text_column("phase"));
  columns.insert(columns.end(),
                 {number_column("predicted"), number_column("measured"), number_column("divergence")});
  add_column_if(has_noise, number_column("noise"));
  std::vector<std::vector<std::string>> rows;
  for (const KindDivergence& kind : divergence.by_kind) {
    std::vector<std::string>& row =
        rows.emplace_back(1, kind.kind + (kind.includes_waiting ? " (and waiting)" : ""));
    const auto add_if = [&](bool is_there, const std::string& cell) {
      if (is_there) {
        row.push_back(cell);
      }
    };
    add_if(has_axis, kind.axis);
    add_if(has_phase, kind.phase);
    row.insert(row.end(), {format_seconds(kind.predicted), format_seconds(kind.measured),
                           signed_percent(kind.divergence_pct)});
    add_if(has_noise, kind.noise && kind.measured > Seconds(0)
                          ? fmt::format("{:.2f}%", 100 * (*kind.noise / kind.measured))
                          : "-");
  }
  const StepDivergence& step = divergence.step;
  std::vector<std::string>& last = rows.emplace_back(columns.size());
  const std::size_t first_number = 1 + (has_axis ? 1U : 0U) + (has_phase ? 1U : 0U);
  last[0] = "step";
  last[first_number] = format_seconds(step.predicted);
  last[first_number + 1] = format_seconds(step.measured);
  last[first_number + 2] = signed_percent(step.divergence_pct);
  return render_table(columns, rows, width);
}

std::string memory_divergence_table(const Divergence& divergence, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (const MemoryDivergence& memory : divergence.memory) {
    rows.push_back({std::to_string(memory.rank), memory.what, format_bytes(memory.predicted),
                    format_bytes(memory.measured), signed_percent(memory.divergence_pct)});
  }
  return render_table({number_column("rank"), text_column("memory"), number_column("predicted"),
                       number_column("measured"), number_column("divergence")},
                      rows, width);
}

std::string attribution_table(const Divergence& divergence, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (const Attribution& one : divergence.attribution) {
    const Seconds size(std::abs(one.excess.value));
    rows.push_back({one.kind, one.axis.empty() ? one.phases : one.axis,
                    format_seconds(size) + (one.excess > Seconds(0) ? " longer" : " shorter"),
                    signed_percent(one.excess_pct),
                    one.noise > Seconds(0) ? fmt::format("{:.0f} x", size / one.noise) : "-",
                    one.share_pct ? fmt::format("{:.0f}%", *one.share_pct) : "-"});
  }
  return render_table(
      {text_column("explained by"), text_column("axis or phases"), number_column("than predicted"),
       number_column("change"), number_column("noise"), number_column("of the step's")},
      rows, width);
}

/// The longest; the rest is counted.
std::string unknown_kernels_table(const Divergence& divergence, std::size_t width) {
  constexpr std::size_t kMostShown = 10;
  Seconds rest;
  std::vector<std::vector<std::string>> rows;
  const auto share = [&](Seconds time) {
    const Seconds step = divergence.step.measured;
    return step > Seconds(0) ? fmt::format("{:.2f}%", 100 * (time / step)) : "-";
  };
  for (std::size_t i = 0; i < divergence.unknown.size(); ++i) {
    const UnknownKernel& kernel = divergence.unknown[i];
    if (i < kMostShown) {
      rows.push_back(
          {kernel.name, std::to_string(kernel.count), format_seconds(kernel.time), share(kernel.time)});
    } else {
      rest += kernel.time;
    }
  }
  if (divergence.unknown.size() > kMostShown) {
    rows.push_back({fmt::format("{} others", divergence.unknown.size() - kMostShown), "",
                    format_seconds(rest), share(rest)});
  }
  return render_table({text_column("kernels that no rule knows"), number_column("launches"),
                       number_column("a step"), number_column("of it")},
                      rows, width);
}

/// `text` in lines of at most `width`, broken at spaces.
std::string paragraph(std::string text, std::size_t width) {
  for (std::size_t begin = 0; text.size() - begin > width;) {
    const std::size_t space = text.rfind(' ', begin + width);
    if (space == std::string::npos || space <= begin) {
      break;
    }
    text[space] = '\n';
    begin = space + 1;
  }
  return text + '\n';
}

}  // namespace

std::string divergence_report(const Divergence& divergence, std::size_t width) {
  std::string out = kinds_table(divergence, width);
  out += fmt::format("noise floor of the step: {:.1f}% (median absolute deviation)\n",
                     divergence.step.noise_pct);
  out +=
      paragraph(divergence.valid ? "the measurement is valid"
                                 : fmt::format("the measurement is NOT valid: {}", divergence.invalid_reason),
                width);
  for (const std::string& note : divergence.notes) {
    out += paragraph(note, width);
  }
  if (!divergence.attribution.empty()) {
    out += '\n' + attribution_table(divergence, width);
  }
  if (!divergence.unknown.empty()) {
    out += '\n' + unknown_kernels_table(divergence, width);
  }
  return divergence.memory.empty() ? out : out + '\n' + memory_divergence_table(divergence, width);
}

}  // namespace portolan
