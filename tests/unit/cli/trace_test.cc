// Traces of predicted steps, held against the rules by which Perfetto's importer reads the Trace Event Format
// (perfetto.dev, "Trace Event Format", and src/trace_processor/importers/json): what breaks one is dropped
// there without a word.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "command.h"

namespace portolan {
namespace {

using Json = nlohmann::json;
using Track = std::pair<int, int>;  ///< process, thread

struct Slice {
  double begin = 0;
  double end = 0;
};

/// A slice of the track that the time lies in, its end not included: what a flow binds to.
bool lies_in_a_slice(const std::vector<Slice>& slices, double at) {
  return std::any_of(slices.begin(), slices.end(),
                     [&](const Slice& slice) { return slice.begin <= at && at < slice.end; });
}

struct Trace {
  std::map<Track, std::vector<Slice>> slices;
  std::set<Track> named;
  std::map<std::int64_t, std::vector<Json>> flows;  ///< by id
  std::int64_t num_counters = 0;
};

void expect_rules_of_an_event(const Json& event, Trace& trace) {
  const std::string phase = event.at("ph");
  const int process = event.at("pid");
  ASSERT_TRUE(event.at("name").is_string());
  if (phase == "C") {
    EXPECT_GE(event.at("ts").get<double>(), 0);
    for (const auto& [name, value] : event.at("args").items()) {
      EXPECT_TRUE(value.is_number()) << name;
    }
    ++trace.num_counters;
    return;
  }
  const Track track{process, event.at("tid")};
  if (phase == "M") {
    if (event.at("name") == "thread_name") {
      EXPECT_TRUE(trace.named.insert(track).second) << "named twice";
      EXPECT_FALSE(event.at("args").at("name").get<std::string>().empty());
    }
  } else if (phase == "X") {
    const double begin = event.at("ts"), duration = event.at("dur");
    EXPECT_GE(begin, 0);
    EXPECT_GE(duration, 0);
    trace.slices[track].push_back({begin, begin + duration});
  } else {
    ASSERT_TRUE(phase == "s" || phase == "f") << phase;
    trace.flows[event.at("id")].push_back(event);
  }
}

void expect_rules_of_a_flow(const std::vector<Json>& ends, const Trace& trace) {
  ASSERT_EQ(ends.size(), 2U);
  const bool in_order = ends.front().at("ph") == "s";
  const Json& from = ends[in_order ? 0 : 1];
  const Json& to = ends[in_order ? 1 : 0];
  EXPECT_EQ(from.at("ph"), "s");
  EXPECT_EQ(to.at("ph"), "f");
  EXPECT_EQ(to.at("bp"), "e");
  EXPECT_EQ(from.at("cat"), to.at("cat"));
  EXPECT_LE(from.at("ts").get<double>(), to.at("ts").get<double>());
  for (const Json& end : ends) {
    EXPECT_TRUE(lies_in_a_slice(trace.slices.at({end.at("pid"), end.at("tid")}), end.at("ts")));
  }
}

Trace expect_rules(const Json& document) {
  Trace trace;
  for (const Json& event : document.at("traceEvents")) {
    expect_rules_of_an_event(event, trace);
  }
  for (const auto& [track, slices] : trace.slices) {
    EXPECT_TRUE(trace.named.contains(track));
    for (std::size_t i = 1; i < slices.size(); ++i) {
      // Half a nanosecond: sums of decimals.
      EXPECT_LE(slices[i - 1].end, slices[i].begin + 5e-4) << "lane " << track.second << " overlaps";
    }
  }
  for (const auto& [id, ends] : trace.flows) {
    SCOPED_TRACE("flow " + std::to_string(id));
    expect_rules_of_a_flow(ends, trace);
  }
  return trace;
}

Trace trace_of(const std::string& arguments) {
  const ScratchFolder scratch;
  const std::string file = scratch.file("step.json");
  const CommandResult result = portolan_command("simulate " + arguments + " --trace " + file);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return expect_rules(Json::parse(content_of(file)));
}

constexpr const char* kPipeline =
    "gpt3-175b-512xa100 --strategy tp=8,pp=8,dp=8,microbatch=4,schedule=1f1b,recompute=full,zero=1";

TEST(Trace, OfAPipelineKeepsTheRulesOfTheImporter) {
  const Trace trace = trace_of(kPipeline);
  std::set<int> processes;
  for (const auto& [track, slices] : trace.slices) {
    processes.insert(track.first);
  }
  EXPECT_EQ(processes.size(), 8U);
  // 48 microbatches over 7 boundaries, both ways.
  EXPECT_EQ(trace.flows.size(), 2U * 48 * 7);
  EXPECT_GT(trace.num_counters, 8 * 2 * 48);
}

TEST(Trace, OfInterleavedStagesHasAFlowForEachOfTheirSends) {
  const Trace trace = trace_of(
      "gpt3-175b-512xa100 --strategy "
      "tp=8,pp=8,dp=8,microbatch=4,schedule=interleaved,virtual_stages=2,recompute=full,zero=1");
  EXPECT_EQ(trace.flows.size(), 2U * 48 * 15);
}

TEST(Trace, OfReplicasHasAProcessEach) {
  const ScratchFolder scratch;
  const std::string scenario = scratch.write(
      "small.yaml",
      "model: gpt2-124m\nhardware: p4d\nsoftware: generic\nnum_gpus: 16\n"
      "sequence_length: 1024\nglobal_batch: 64\n"
      "strategy: {tp: 1, pp: 2, dp: 8, microbatch: 2, zero: 0, recompute: none, schedule: 1f1b}\n");
  const Trace trace = trace_of(scenario + " --fidelity replicas");
  std::set<int> processes;
  for (const auto& [track, slices] : trace.slices) {
    processes.insert(track.first);
  }
  EXPECT_EQ(processes.size(), 16U);
  EXPECT_EQ(trace.flows.size(), 8U * 2 * 4);
}

}  // namespace
}  // namespace portolan
