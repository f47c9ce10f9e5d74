#include "report/degraded_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/parse_quantity.h"
#include "report/run_forecast_report.h"
#include "report/table.h"

namespace portolan {

namespace {

/// Of the step: below it a rank does not count as slower.
constexpr double kNoticed = 1e-4;

std::string signed_time(Seconds time) {
  const std::string size = format_seconds(Seconds(std::abs(time.value)));
  return size == format_seconds(Seconds(0)) || std::abs(time.value) < 1e-9
             ? "0"
             : (time.value < 0 ? "-" : "+") + size;
}

std::string against(Seconds time, Seconds healthy) {
  return fmt::format("{} ({:+.1f}%)", signed_time(time - healthy), 100 * (time / healthy - 1));
}

/// "24-31, 40 and 6 more": the ranks that each stands for.
std::string rank_list(const std::vector<std::int32_t>& firsts, std::int32_t together) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < firsts.size() && i < kShown; ++i) {
    text += text.empty() ? "" : ", ";
    text +=
        together == 1 ? std::to_string(firsts[i]) : fmt::format("{}-{}", firsts[i], firsts[i] + together - 1);
  }
  return firsts.size() > kShown
             ? fmt::format("{} ... {} in all", text, firsts.size() * static_cast<std::size_t>(together))
             : text;
}

/// "0-2, 4": of stages, ascending.
std::string stage_list(const std::vector<std::int32_t>& stages) {
  std::string text;
  for (std::size_t i = 0; i < stages.size();) {
    std::size_t last = i;
    while (last + 1 < stages.size() && stages[last + 1] == stages[last] + 1) {
      ++last;
    }
    text += text.empty() ? "" : ", ";
    text += last == i ? std::to_string(stages[i]) : fmt::format("{}-{}", stages[i], stages[last]);
    i = last + 1;
  }
  return text;
}

/// Groups that read alike, in one row.
std::string rank_table(const DegradedStep& degraded, std::int32_t together, std::size_t width) {
  struct Row {
    std::vector<std::int32_t> stages, ranks;
  };
  std::vector<std::pair<std::string, std::string>> texts;  // in the order of the first group
  std::map<std::pair<std::string, std::string>, Row> rows_of;
  std::vector<RankGroup> groups = rank_groups(degraded);
  std::stable_partition(groups.begin(), groups.end(), [](const RankGroup& group) { return group.slower; });
  for (const RankGroup& group : groups) {
    const std::pair key{signed_time(group.longer_compute), signed_time(group.longer_wait)};
    const auto [found, is_new] = rows_of.try_emplace(key);
    if (is_new) {
      texts.push_back(key);
    }
    found->second.stages.push_back(group.stage);
    found->second.ranks.insert(found->second.ranks.end(), group.ranks.begin(), group.ranks.end());
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& key : texts) {
    Row& row = rows_of.at(key);
    std::sort(row.ranks.begin(), row.ranks.end());
    rows.push_back({rank_list(row.ranks, together), stage_list(row.stages), key.first, key.second});
  }
  return render_table({{.header = "ranks", .align = Column::Align::kLeft, .wraps = true},
                       {.header = "stages", .align = Column::Align::kLeft},
                       {.header = "computing"},
                       {.header = "waiting"}},
                      rows, width);
}

std::string stop_text(const DegradedStep& degraded, const DegradedStory& story) {
  const JobStop& stop = *degraded.stop;
  std::string text =
      fmt::format("the job stops {} into the step: {}\n", format_seconds(stop.at), story.events[stop.event]);
  text += fmt::format("lost: {} of this step", format_seconds(stop.at));
  if (story.forecast && story.forecast->checkpoints) {
    const Seconds interval = story.forecast->checkpoints->interval;
    text += fmt::format(",\n      and the work since the last checkpoint, {} at most, half of it on average",
                        format_duration(interval));
  } else if (story.forecast) {
    text += ",\n      and all work before it: no checkpoints are stated";
  }
  const auto& run = story.scenario.training_run;
  if (run && run->restart_time) {
    text += fmt::format("\nthen {} until the next step (restart_time)", format_duration(*run->restart_time));
  }
  text += "\n";
  if (!stop.step_time_after) {
    return text + fmt::format("it cannot be set up anew: {}\n", stop.no_restart);
  }
  return text + fmt::format("set up anew, a step takes {}: {} against the healthy one\n",
                            format_seconds(*stop.step_time_after),
                            against(*stop.step_time_after, degraded.healthy));
}

}  // namespace

std::vector<RankGroup> rank_groups(const DegradedStep& degraded) {
  const Seconds added = degraded.added();
  const double noticed = kNoticed * degraded.healthy.value;
  std::map<std::pair<std::int32_t, bool>, RankGroup> groups;
  for (std::size_t i = 0; i < degraded.step.ranks.size(); ++i) {
    const RankTime& rank = degraded.step.ranks[i];
    const Seconds longer = rank.compute - degraded.healthy_ranks[i].compute;
    const bool slower = longer.value > noticed;
    RankGroup& group = groups[{rank.stage, !slower}];
    group.stage = rank.stage;
    group.slower = slower;
    group.ranks.push_back(rank.rank);
    group.longer_compute += longer;
    group.longer_wait += added - longer;
  }
  std::vector<RankGroup> list;
  for (auto& [key, group] : groups) {
    const auto count = static_cast<double>(group.ranks.size());
    group.longer_compute = group.longer_compute / count;
    group.longer_wait = group.longer_wait / count;
    list.push_back(std::move(group));
  }
  return list;
}

std::string condition_text(const Condition& condition) {
  std::string text;
  for (const Impairment& impairment : condition) {
    text += fmt::format("wrong all the time: {}\n", impairment_text(impairment));
  }
  return text;
}

std::string degraded_text(const DegradedStep& degraded, const DegradedStory& story, std::size_t width) {
  std::string text = condition_text(story.scenario.hardware.condition);
  for (const std::string& event : story.events) {
    text += fmt::format("event: {}\n", event);
  }
  if (degraded.stop) {
    return text + fmt::format("healthy step: {}\n", format_seconds(degraded.healthy)) +
           stop_text(degraded, story);
  }
  const Seconds time = degraded.step.estimate.step_time;
  text += fmt::format("healthy step: {}; so it takes {}: {}\n", format_seconds(degraded.healthy),
                      format_seconds(time), against(time, degraded.healthy));
  text += "\nlonger than in the healthy step, on average of the ranks\n";
  return text + rank_table(degraded, story.ranks_together, width);
}

}  // namespace portolan
