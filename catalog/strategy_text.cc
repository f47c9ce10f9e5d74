#include "catalog/strategy_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <vector>

#include "base/parse_quantity.h"
#include "catalog/document/node.h"
#include "catalog/pipeline_layout.h"
#include "catalog/words.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostRanks = 1'000'000;
constexpr std::int64_t kMostLayers = 100'000;

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(separator); end != std::string_view::npos; end = text.find(separator)) {
    parts.push_back(trim(text.substr(0, end)));
    text.remove_prefix(end + 1);
  }
  parts.push_back(trim(text));
  return parts;
}

Error refused(std::string_view value, std::string_view message) {
  return bad_input(fmt::format("\"{}\" {}", printable(value), message));
}

/// What a later version will know.
Error unavailable(std::string_view value, std::string_view allowed) {
  return refused(value, fmt::format("is not available yet (allowed: {})", allowed));
}

Result<std::int64_t> parse_whole(std::string_view value, std::int64_t least, std::int64_t most) {
  const Result<std::int64_t> number = parse_integer(value);
  if (!number) {
    return refused(value, fmt::format("is not a whole number (allowed: {} to {})", least, most));
  }
  if (*number < least || *number > most) {
    return refused(value, fmt::format("is out of range (allowed: {} to {})", least, most));
  }
  return *number;
}

template <std::int64_t least, std::int64_t most>
Result<std::int32_t> parse_count(std::string_view value) {
  PORTOLAN_TRY(const std::int64_t number, parse_whole(value, least, most));
  return static_cast<std::int32_t>(number);
}

Result<std::int64_t> parse_microbatch(std::string_view value) { return parse_whole(value, 1, kMostRanks); }

Result<bool> parse_flag(std::string_view value) {
  if (value != "true" && value != "false" && value != "1" && value != "0") {
    return refused(value, "is not known (allowed: true, false)");
  }
  return value == "true" || value == "1";
}

template <typename Enum>
Result<Enum> parse_word(std::string_view value) {
  if (const std::optional<Enum> found = find_word<Enum>(value)) {
    return *found;
  }
  return refused(value, fmt::format("is not known (allowed: {})", list_words(words<Enum>())));
}

Result<ScheduleKind> parse_schedule(std::string_view value) {
  if (value == "zb-v" || value == "dualpipe") {
    return unavailable(value, list_words(words<ScheduleKind>()));
  }
  return parse_word<ScheduleKind>(value);
}

Result<Bytes> parse_bucket(std::string_view value) {
  return value == "0" ? Result<Bytes>(Bytes(0)) : parse_bytes(value);
}

Result<std::vector<std::int32_t>> parse_layers(std::string_view value) {
  if (looks_like_pipeline_layout(value)) {
    return parse_pipeline_layout(value);
  }
  std::vector<std::int32_t> layers;
  const std::vector<std::string_view> parts = split(value, ':');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    // The embedding or the head may have a stage to itself.
    const std::int64_t least = parts.size() > 1 && (i == 0 || i + 1 == parts.size()) ? 0 : 1;
    const Result<std::int64_t> count = parse_integer(parts[i]);
    if (!count || *count < least || *count > kMostRanks) {
      return refused(
          value,
          "is not a number of layers for each stage (allowed: such as 2:10:10:10, 0 in the first and "
          "the last only, or a layout such as Et*2|(t*10|)*3L)");
    }
    layers.push_back(static_cast<std::int32_t>(*count));
  }
  return layers;
}

Result<RecomputeSet> parse_recompute_set(std::string_view text) {
  if (const std::optional<RecomputeSet> known = find_recompute(text)) {
    return *known;
  }
  RecomputeSet set;
  for (std::string_view part : split(text, '+')) {
    const std::optional<KernelGroup> group = find_word<KernelGroup>(part);
    if (!group) {
      return refused(
          text,
          fmt::format(
              "is not known (allowed: none, selective, full, optimal, block:N, uniform:N, or of {} joined by "
              "\"+\")",
              list_words(words<KernelGroup>())));
    }
    set.set(static_cast<std::size_t>(*group));
  }
  return set;
}

/// Sets of all layers in order, "full*2:none:full".
Result<std::vector<RecomputeSet>> parse_recompute_layers(std::string_view text) {
  std::vector<std::string_view> runs = split(text, ':');
  if (runs.size() > 1 && runs.back().empty()) {
    runs.pop_back();  // "full:" is the list of a model of one layer
  }
  std::vector<RecomputeSet> layers;
  for (std::string_view run : runs) {
    const std::size_t star = run.find('*');
    PORTOLAN_TRY(const RecomputeSet set, parse_recompute_set(trim(run.substr(0, star))));
    std::int64_t count = 1;
    if (star != std::string_view::npos) {
      PORTOLAN_TRY(count, parse_whole(trim(run.substr(star + 1)), 1, kMostLayers));
    }
    if (std::ssize(layers) + count > kMostLayers) {
      return refused(text, fmt::format("lists too many layers (allowed: up to {})", kMostLayers));
    }
    layers.insert(layers.end(), static_cast<std::size_t>(count), set);
  }
  return layers;
}

template <typename T>
Result<void> assign(std::optional<T>& field, Result<T> parsed) {
  if (!parsed) {
    return parsed.error();
  }
  field = std::move(*parsed);
  return {};
}

using Setter = Result<void> (*)(StrategyConstraints&, std::string_view);

/// A word of --strategy and what it does to the constraints.
struct StrategyWord {
  std::string_view word;
  Setter set;
};

template <auto member, auto parse>
constexpr Setter setter() {
  return [](StrategyConstraints& constraints, std::string_view value) {
    return assign(constraints.*member, parse(value));
  };
}

using C = StrategyConstraints;
constexpr std::array<StrategyWord, 20> kStrategyWords{{
    {"tp", setter<&C::tensor_parallel, &parse_count<1, kMostRanks>>()},
    {"pp", setter<&C::pipeline_parallel, &parse_count<1, kMostRanks>>()},
    {"dp", setter<&C::data_parallel, &parse_count<1, kMostRanks>>()},
    {"cp", setter<&C::context_parallel, &parse_count<1, kMostRanks>>()},
    {"ep", setter<&C::expert_parallel, &parse_count<1, kMostRanks>>()},
    {"virtual_stages", setter<&C::virtual_stages, &parse_count<1, 1000>>()},
    {"sequence_parallel", setter<&C::sequence_parallel, &parse_flag>()},
    {"microbatch", setter<&C::microbatch_size, &parse_microbatch>()},
    {"schedule", setter<&C::schedule, &parse_schedule>()},
    {"zero", setter<&C::zero_stage, &parse_count<0, 3>>()},
    {"zero_group", setter<&C::zero_group, &parse_count<0, kMostRanks>>()},
    {"recompute", setter<&C::recompute, &parse_recompute>()},
    {"aggregation", setter<&C::aggregation, &parse_word<CollectiveAlgorithm>>()},
    {"bucket", setter<&C::bucket, &parse_bucket>()},
    {"overlap", setter<&C::overlap, &parse_flag>()},
    {"compression", setter<&C::compression, &parse_compression>()},
    {"axis_order", setter<&C::axis_order, &parse_axis_order>()},
    {"precision", setter<&C::precision, &parse_word<Precision>>()},
    {"offload", setter<&C::offload, &parse_word<Offload>>()},
    {"layers", setter<&C::layers_per_stage, &parse_layers>()},
}};

std::vector<std::string_view> all_words() {
  std::vector<std::string_view> all;
  for (const StrategyWord& known : kStrategyWords) {
    all.push_back(known.word);
  }
  return all;
}

/// WORD=VALUE and WORD=VALUE. A pipeline layout may hold commas itself: what follows one without "=" belongs
/// to it.
std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::string_view part : split(text, ',')) {
    const bool goes_on = !parts.empty() && parts.back().starts_with("layers") &&
                         looks_like_pipeline_layout(parts.back()) && part.find('=') == std::string_view::npos;
    if (goes_on) {
      const std::string_view layout = parts.back();
      parts.back() = {layout.data(), static_cast<std::size_t>(part.data() + part.size() - layout.data())};
    } else {
      parts.push_back(part);
    }
  }
  return parts;
}

}  // namespace

Result<RecomputeChoice> parse_recompute(std::string_view text) {
  constexpr std::string_view kBlock = "block:";
  constexpr std::string_view kUniform = "uniform:";
  if (text == "optimal") {
    Recompute open;
    open.optimal = RecomputeOptimal{};
    return RecomputeChoice(std::move(open));
  }
  if (text.starts_with(kBlock)) {
    PORTOLAN_TRY(const std::int64_t layers, parse_whole(text.substr(kBlock.size()), 0, kMostRanks));
    return RecomputeChoice(RecomputeBlock{static_cast<std::int32_t>(layers)});
  }
  if (text.starts_with(kUniform)) {
    PORTOLAN_TRY(const std::int64_t layers, parse_whole(text.substr(kUniform.size()), 1, kMostRanks));
    return RecomputeChoice(Recompute{.all_layers = recompute_full(),
                                     .per_layer = {},
                                     .layers_per_group = static_cast<std::int32_t>(layers)});
  }
  Recompute recompute;
  if (text.find_first_of(":*") == std::string_view::npos) {
    PORTOLAN_TRY(recompute.all_layers, parse_recompute_set(text));
  } else {
    PORTOLAN_TRY(recompute.per_layer, parse_recompute_layers(text));
  }
  return RecomputeChoice(std::move(recompute));
}

Result<Compression> parse_compression(std::string_view text) {
  if (const std::optional<Compression> found = find_compression(text)) {
    return *found;
  }
  return refused(text, fmt::format("is not known (allowed: {})", allowed_compressions()));
}

Result<std::array<Axis, kNumAxes>> parse_axis_order(std::string_view text) {
  std::vector<Axis> order;
  const auto contains = [&](Axis axis) { return std::find(order.begin(), order.end(), axis) != order.end(); };
  for (std::string_view part : split(text, '-')) {
    const std::optional<Axis> axis = find_word<Axis>(part);
    if (!axis) {
      return refused(text, fmt::format("is not an order of axes (allowed: of {}, joined by \"-\")",
                                       list_words(words<Axis>())));
    }
    if (contains(*axis)) {
      return refused(text, fmt::format("names {} twice", part));
    }
    order.push_back(*axis);
  }
  // What is not named stays next to the one that it usually follows.
  auto place = order.begin();
  for (Axis axis : Strategy{}.axis_order) {
    place = contains(axis) ? std::find(order.begin(), order.end(), axis) : order.insert(place, axis);
    ++place;
  }
  std::array<Axis, kNumAxes> complete{};
  std::copy(order.begin(), order.end(), complete.begin());
  return complete;
}

Result<void> set_strategy_word(StrategyConstraints& constraints, std::string_view word,
                               std::string_view value) {
  for (const StrategyWord& known : kStrategyWords) {
    if (known.word == word) {
      return known.set(constraints, value);
    }
  }
  const std::vector<std::string_view> all = all_words();
  const std::string_view nearest = nearest_word(all, word);
  return bad_input(nearest.empty() ? fmt::format("unknown word (allowed: {})", list_words(all))
                                   : fmt::format("unknown word (did you mean \"{}\"?)", nearest));
}

Result<void> check_degrees(const StrategyConstraints& constraints) {
  std::int64_t ranks = 1;
  for (const auto& degree : {constraints.tensor_parallel, constraints.pipeline_parallel,
                             constraints.data_parallel, constraints.context_parallel}) {
    ranks *= degree.value_or(1);
    if (ranks > kMostRanks) {
      return bad_input(fmt::format("tp x pp x dp x cp is over {} ranks", kMostRanks));
    }
  }
  return {};
}

Result<StrategyConstraints> parse_strategy(std::string_view text) {
  constexpr std::size_t kLongest = 1 << 20;
  StrategyConstraints constraints;
  if (trim(text).empty()) {
    return constraints;
  }
  if (text.size() > kLongest) {
    return bad_input(fmt::format("strategy: is {} bytes (allowed: up to {})", text.size(), kLongest));
  }
  std::set<std::string_view> seen;
  for (std::string_view part : split_words(text)) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return bad_input(
          fmt::format("strategy: \"{}\" is not WORD=VALUE (try \"tp=8,pp=4\")", printable(part)));
    }
    const std::string_view word = trim(part.substr(0, equals));
    if (!seen.insert(word).second) {
      return bad_input(fmt::format("strategy.{}: is there twice", printable(word)));
    }
    if (const auto done = set_strategy_word(constraints, word, trim(part.substr(equals + 1))); !done) {
      return Error{done.error().kind, fmt::format("strategy.{}: {}", printable(word), done.error().message)};
    }
  }
  if (const auto checked = check_degrees(constraints); !checked) {
    return bad_input(fmt::format("strategy: {}", checked.error().message));
  }
  return constraints;
}

}  // namespace portolan
