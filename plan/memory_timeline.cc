#include "plan/memory_timeline.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "plan/allocator_replay.h"
#include "plan/op_places.h"
#include "plan/reserved_memory.h"

namespace portolan {

namespace {

/// From and to when each slot of a stage runs.
struct SlotTimes {
  std::optional<std::int32_t> rank;
  std::vector<std::optional<std::pair<Seconds, Seconds>>> times;  ///< by slot

  void note(std::size_t slot, const TimelineEntry& entry) {
    std::optional<std::pair<Seconds, Seconds>>& time = times[slot];
    time = time ? std::pair(std::min(time->first, entry.start), std::max(time->second, entry.end))
                : std::pair(entry.start, entry.end);
  }
};

std::vector<SlotTimes> slot_times(const Program& program, const Timeline& timeline) {
  const OpPlaces places(program);
  std::vector<SlotTimes> stages(program.stages.size());
  for (std::size_t s = 0; s < stages.size(); ++s) {
    stages[s].times.resize(program.stages[s].order.size());
  }
  for (const TimelineEntry& entry : timeline.entries) {
    const OpPlaces::Place& place = places.of(entry.op_id);
    SlotTimes& stage = stages[place.stage];
    stage.rank = stage.rank.value_or(entry.rank);
    if (*stage.rank == entry.rank) {
      stage.note(place.slot, entry);
    }
  }
  return stages;
}

/// Live bytes, and the most of them since asked last, as a SlotWalk goes by.
class LiveBytes {
 public:
  explicit LiveBytes(const Stage& stage) : stage_(stage) {
    for (const Buffer& buffer : stage.buffers) {
      live_ += buffer.persistent ? buffer.device_bytes() : Bytes(0);
      host_ += buffer.persistent ? buffer.host_bytes() : Bytes(0);
    }
  }

  void run(std::int32_t /*slot*/, const WalkPart& part) {
    most_ = std::max(most_, live_);
    for (const BufferEvent& event : part.events) {
      change(event.buffer, event.begins ? 1 : -1);
      most_ = std::max(most_, live_);
      most_host_ = std::max(most_host_, host_);
    }
  }
  void release(std::int32_t /*slot*/, const std::vector<std::int32_t>& buffers) {
    most_ = std::max(most_, live_);
    for (const std::int32_t buffer : buffers) {
      change(buffer, -1);
    }
  }
  Bytes take_most() { return std::exchange(most_, live_); }
  Bytes take_most_host() { return std::max(std::exchange(most_host_, host_), host_); }

 private:
  void change(std::int32_t index, std::int64_t sign) {
    const Buffer& buffer = stage_.buffers[static_cast<std::size_t>(index)];
    live_ += buffer.device_bytes() * sign;
    host_ += buffer.host_bytes() * sign;
  }

  const Stage& stage_;
  Bytes live_, most_;
  Bytes host_, most_host_;
};

/// What the rows of a stage say of memory; their times are still open.
std::vector<SlotMemory> memory_of_slots(const Stage& stage, AllocatorKind allocator, const RunAhead& ahead) {
  const std::vector<TemplateWalk> walks = template_walks(stage);
  AllocatorReplay replay(
      stage, {.expandable_segments = allocator == AllocatorKind::kExpandableSegments, .limit = {}}, ahead);
  LiveBytes live(stage);
  SlotWalk live_walk(stage, walks);
  SlotWalk replay_walk(stage, walks);
  const Bytes planned = stage_peak_memory(stage).allocated;
  std::vector<SlotMemory> rows;
  while (!live_walk.at_end()) {
    SlotMemory& row = rows.emplace_back();
    row.slot = live_walk.next_slot();
    live_walk.step(live);
    row.allocated = live.take_most();
    row.host = live.take_most_host();
    row.reserved = planned;
    if (allocator != AllocatorKind::kNone) {
      replay_walk.step(replay);
      row.reserved = replay.allocator().reserved();
    }
  }
  return rows;
}

}  // namespace

std::vector<SlotMemory> memory_timeline(const Scenario& scenario, const Strategy& strategy,
                                        const Program& program, const Timeline& timeline) {
  const std::vector<SlotTimes> times = slot_times(program, timeline);
  const std::vector<RunAhead> ahead = run_ahead_of_stages(scenario, strategy, program);
  std::vector<SlotMemory> rows;
  for (std::size_t s = 0; s < program.stages.size(); ++s) {
    const auto stage = static_cast<std::int32_t>(s);
    const Bytes outside = memory_outside_allocator(scenario, strategy, stage);
    Seconds before;
    for (SlotMemory row : memory_of_slots(program.stages[s], scenario.software.allocator.value, ahead[s])) {
      const auto time =
          times[s].times[static_cast<std::size_t>(row.slot)].value_or(std::pair(before, before));
      row.stage = stage;
      row.start = time.first;
      row.end = before = time.second;
      row.reserved += outside;
      rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace portolan
