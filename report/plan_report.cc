#include "report/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "base/parse_quantity.h"
#include "plan/search_fields.h"
#include "report/table.h"

namespace portolan {

namespace {

using Term = std::pair<std::string_view, Seconds>;

std::array<Term, 11> terms(const Breakdown& b) {
  return {{{"compute", b.compute},
           {"recompute", b.recompute},
           {"exposed tensor", b.exposed_tensor},
           {"exposed pipeline", b.exposed_pipeline},
           {"exposed data", b.exposed_data},
           {"exposed context", b.exposed_context},
           {"exposed expert", b.exposed_expert},
           {"offload", b.offload},
           {"bubble", b.bubble},
           {"optimizer", b.optimizer},
           {"other", b.other}}};
}

std::string gib(Bytes size) {
  return size.value < kGibi / 10
             ? format_bytes(size)
             : fmt::format("{:.1f} GiB", static_cast<double>(size.value) / static_cast<double>(kGibi));
}

std::string percent(double share) { return fmt::format("{:.1f}%", share); }

std::string signed_seconds(Seconds difference) {
  const std::string size = format_seconds(Seconds(std::abs(difference.value)));
  return (difference.value < 0 ? "-" : "+") + size;
}

std::string tokens(double rate) {
  return rate >= 1000 ? fmt::format("{:.1f}k", rate / 1000) : fmt::format("{:.0f}", rate);
}

/// "block:7" as "block:" and 7.
std::optional<std::pair<std::string, std::int64_t>> numbered(const std::string& value) {
  const std::size_t colon = value.find(':');
  if (colon == std::string::npos || colon + 1 == value.size() || value.size() - colon > 9 ||
      value.find_first_not_of("0123456789", colon + 1) != std::string::npos) {
    return std::nullopt;
  }
  return std::pair(value.substr(0, colon + 1), std::stoll(value.substr(colon + 1)));
}

/// Joined by commas; of "block:1", "block:2", ... the first and the last.
std::string listed(const std::vector<std::string>& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size();) {
    std::size_t end = i + 1;
    if (const auto first = numbered(values[i])) {
      while (end < values.size() &&
             numbered(values[end]) ==
                 std::pair(first->first, first->second + static_cast<std::int64_t>(end - i))) {
        ++end;
      }
    }
    text += (text.empty() ? "" : ", ") + values[i];
    if (end - i > 2) {
      text += " to " + values[end - 1];
    } else {
      end = i + 1;
    }
    i = end;
  }
  return text;
}

}  // namespace

std::string space_table(const SearchSpace& space, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (const FieldValues& field : field_values(space)) {
    rows.push_back({field.word, std::to_string(field.values.size()), listed(field.values)});
  }
  return render_table({{.header = "field", .align = Column::Align::kLeft},
                       {.header = "values"},
                       {.header = "which", .align = Column::Align::kLeft, .wraps = true}},
                      rows, width) +
         fmt::format("\n{} strategies, legal or not\n", space.num_strategies());
}

std::string loss_against(const Estimate& estimate, const Estimate& winner) {
  const auto mine = terms(estimate.breakdown);
  const auto best = terms(winner.breakdown);
  std::vector<Term> losses;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    losses.emplace_back(mine[i].first, mine[i].second - best[i].second);
  }
  std::stable_sort(losses.begin(), losses.end(),
                   [](const Term& a, const Term& b) { return a.second > b.second; });
  const Seconds difference = estimate.step_time - winner.step_time;
  if (difference.value <= 0) {
    return estimate.step_time == winner.step_time ? "equal time" : signed_seconds(difference);
  }
  std::string text = signed_seconds(difference);
  std::string separator = ": ";
  for (std::size_t i = 0; i < 2 && losses[i].second.value > 0.1 * difference.value; ++i) {
    text += fmt::format("{}{} {}", separator, losses[i].first, signed_seconds(losses[i].second));
    separator = ", ";
  }
  return text;
}

std::string ranking_table(const std::vector<Estimate>& ranking, std::size_t count, std::size_t width) {
  const std::vector<Column> columns{
      {.header = "#"},
      {.header = "strategy", .align = Column::Align::kLeft, .wraps = true},
      {.header = "step"},
      {.header = "tokens/s"},
      {.header = "MFU"},
      {.header = "memory"},
      {.header = "against the first", .align = Column::Align::kLeft, .wraps = true}};
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < std::min(count, ranking.size()); ++i) {
    const Estimate& e = ranking[i];
    rows.push_back({std::to_string(i + 1), short_name(e.strategy), format_seconds(e.step_time),
                    tokens(e.tokens_per_s), percent(e.mfu_pct), gib(e.peak_memory),
                    i == 0 ? "" : loss_against(e, ranking.front())});
  }
  return render_table(columns, rows, width);
}

std::string search_summary(const SearchResult& result) {
  std::string text =
      fmt::format("{} candidates: {} evaluated, {} of them feasible, {} simulated", result.num_enumerated,
                  result.num_evaluated, result.num_feasible, result.num_simulated);
  std::string separator = "; dropped: ";
  for (std::size_t i = 0; i < result.num_rejected.size(); ++i) {
    if (result.num_rejected[i] > 0) {
      text += fmt::format("{}{} {}", separator, reject_reason_name(static_cast<RejectReason>(i)),
                          result.num_rejected[i]);
      separator = ", ";
    }
  }
  if (!result.not_in_full.empty()) {
    text += "\nfinalists as folded sees them; " + result.not_in_full;
  }
  if (result.none_better) {
    text += "\nfinalists simulated with what is wrong with the cluster; ";
    text += *result.none_better ? "none of the others can be better" : "others might be better";
  }
  return text + "\n";
}

std::string breakdown_table(const Estimate& estimate, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, time] : terms(estimate.breakdown)) {
    if (time.value != 0) {
      rows.push_back({std::string(name), format_seconds(time), percent(100 * (time / estimate.step_time))});
    }
  }
  rows.push_back({"step", format_seconds(estimate.step_time), percent(100)});
  return render_table(
      {{.header = "term", .align = Column::Align::kLeft}, {.header = "time"}, {.header = "share"}}, rows,
      width);
}

std::string interval_line(const Estimate& estimate, const PredictionMargins& margins) {
  if (!margins.step_time) {
    return "";
  }
  const ValueInterval interval = margins.step_time->around(estimate.step_time.value);
  return fmt::format("90% of steps expected from {} to {} ({})\n", format_seconds(Seconds(interval.low)),
                     format_seconds(Seconds(interval.high)), interval_basis_name(margins.step_time->basis));
}

std::string odds_line(const std::vector<FinalistOdds>& odds) {
  if (odds.empty()) {
    return "";
  }
  return fmt::format("best of the {} ranked in {:.0f}% of cases, out of memory in {:.0f}%\n", odds.size(),
                     100 * odds.front().best, 100 * odds.front().out_of_memory);
}

std::string memory_table(const Estimate& estimate, std::size_t width) {
  std::vector<Column> columns{{.header = "stage"},     {.header = "reserved"},  {.header = "parameters"},
                              {.header = "gradients"}, {.header = "optimizer"}, {.header = "activations"}};
  // Of a deep pipeline the ends and the fullest stage: between them memory falls evenly.
  const auto& stages = estimate.stage_memory;
  constexpr std::size_t kShown = 8;
  const auto fullest = static_cast<std::size_t>(
      std::max_element(stages.begin(), stages.end(),
                       [](const StageMemory& a, const StageMemory& b) { return a.reserved < b.reserved; }) -
      stages.begin());
  const bool on_host =
      std::any_of(stages.begin(), stages.end(), [](const StageMemory& m) { return m.host.value > 0; });
  if (on_host) {
    columns.push_back({.header = "on host"});
  }
  std::vector<std::vector<std::string>> rows;
  bool skipping = false;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const bool shown =
        stages.size() <= kShown || s < 3 || s + 3 > stages.size() || s == fullest || s == stages.size() / 2;
    if (shown) {
      const StageMemory& m = stages[s];
      rows.push_back({std::to_string(s), gib(m.reserved), gib(m.parameters), gib(m.gradients),
                      gib(m.optimizer_states), gib(m.activations)});
      if (on_host) {
        rows.back().push_back(gib(m.host));
      }
    } else if (!skipping) {
      rows.emplace_back(columns.size(), "").front() = "...";
    }
    skipping = !shown;
  }
  return render_table(columns, rows, width);
}

std::string comparison_table(const Estimate& estimate, const Estimate& winner, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  const auto mine = terms(estimate.breakdown);
  const auto best = terms(winner.breakdown);
  for (std::size_t i = 0; i < mine.size(); ++i) {
    if (mine[i].second.value != 0 || best[i].second.value != 0) {
      rows.push_back({std::string(mine[i].first), format_seconds(mine[i].second),
                      format_seconds(best[i].second), signed_seconds(mine[i].second - best[i].second)});
    }
  }
  rows.push_back({"step", format_seconds(estimate.step_time), format_seconds(winner.step_time),
                  signed_seconds(estimate.step_time - winner.step_time)});
  rows.push_back({"memory", gib(estimate.peak_memory), gib(winner.peak_memory), ""});
  rows.push_back({"MFU", percent(estimate.mfu_pct), percent(winner.mfu_pct), ""});
  return render_table({{.header = "term", .align = Column::Align::kLeft},
                       {.header = "candidate"},
                       {.header = "winner"},
                       {.header = "difference"}},
                      rows, width);
}

}  // namespace portolan
