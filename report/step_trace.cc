#include "report/step_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "plan/op_places.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

/// A JSON string, quotes included.
std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// In whole nanoseconds: neighbours that touch still do.
std::int64_t nanoseconds(Seconds time) { return std::llround(time.value * 1e9); }

/// Nanoseconds as a decimal number of microseconds.
std::string microseconds(std::int64_t nanoseconds) {
  return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
}

/// "all_reduce data+context", "send to stage 3", "forward layer 7", "optimizer".
std::string event_name(const Op& op, std::size_t stage) {
  switch (op.kind) {
    case OpKind::kCompute:
      break;
    case OpKind::kSend:
      return fmt::format("send to stage {}", static_cast<std::int64_t>(stage) + op.peer_offset);
    case OpKind::kReceive:
      return fmt::format("receive from stage {}", static_cast<std::int64_t>(stage) + op.peer_offset);
    case OpKind::kCopy:
      return op.to_host ? "copy to host" : "copy from host";
    case OpKind::kCollective: {
      std::string axes;
      for (const Axis axis : kAllAxes) {
        if (op.axes.contains(axis)) {
          axes += fmt::format("{}{}", axes.empty() ? " " : "+", axis_name(axis));
        }
      }
      return fmt::format("{}{}", collective_name(op.collective), axes);
    }
  }
  return op.layer == Op::kNoLayer ? std::string(phase_name(op.phase))
                                  : fmt::format("{} layer {}", phase_name(op.phase), op.layer);
}

class TraceWriter {
 public:
  TraceWriter(const Program& program, const Timeline& timeline)
      : program_(program), timeline_(timeline), places_(program) {}

  std::string write(const std::vector<SlotMemory>& memory, const std::string& title,
                    const std::vector<TraceMark>& marks) {
    begin(title);
    write_names();
    for (const TimelineEntry& entry : timeline_.entries) {
      write_op(entry);
    }
    write_memory(memory);
    for (const TraceMark& mark : marks) {
      add(R"({{"ph":"i","s":"g","name":{},"cat":"event","pid":0,"tid":0,"ts":{}}})", json_string(mark.name),
          microseconds(nanoseconds(mark.at)));
    }
    text_ += "\n]}\n";
    return std::move(text_);
  }

 private:
  void begin(const std::string& title) {
    text_ = fmt::format(
        R"({{"displayTimeUnit": "ms", "otherData": {{"title":{},"program_hash":"{}"}}, "traceEvents": [)",
        json_string(title), program_hash(program_));
  }

  template <typename... Arguments>
  void add(fmt::format_string<Arguments...> form, Arguments&&... arguments) {
    text_ += is_empty_ ? "\n" : ",\n";
    fmt::format_to(std::back_inserter(text_), form, std::forward<Arguments>(arguments)...);
    is_empty_ = false;
  }

  /// Of ranks and of the lanes that have events.
  void write_names() {
    std::set<std::pair<std::int32_t, std::int32_t>> lanes;
    for (const TimelineEntry& entry : timeline_.entries) {
      const OpPlaces::Place& place = places_.of(entry.op_id);
      lanes.insert({entry.rank, op_at(place).lane});
      first_rank_of_.try_emplace(place.stage, entry.rank);
    }
    std::optional<std::int32_t> last;
    for (const auto& [rank, lane] : lanes) {
      if (last != rank) {
        write_name("process_name", rank, 0,
                   json_string(fmt::format("stage {}, rank {}", stage_of(program_, rank), rank)));
        write_place("process_sort_index", rank, 0, rank);
        last = rank;
      }
      write_name("thread_name", rank, lane, json_string(program_.lanes[static_cast<std::size_t>(lane)].name));
      write_place("thread_sort_index", rank, lane, lane);
    }
  }
  void write_name(const char* what, std::int32_t rank, std::int32_t lane, const std::string& name) {
    add(R"({{"ph":"M","name":"{}","pid":{},"tid":{},"args":{{"name":{}}}}})", what, rank, lane, name);
  }
  void write_place(const char* what, std::int32_t rank, std::int32_t lane, std::int32_t place) {
    add(R"({{"ph":"M","name":"{}","pid":{},"tid":{},"args":{{"sort_index":{}}}}})", what, rank, lane, place);
  }

  void write_op(const TimelineEntry& entry) {
    const OpPlaces::Place& place = places_.of(entry.op_id);
    const Op& op = op_at(place);
    const std::int32_t microbatch = program_.stages[place.stage].order[place.slot].microbatch;
    const std::int64_t start = nanoseconds(entry.start);
    const std::int64_t end = nanoseconds(entry.end);
    const Words& words = words_of(place, op);
    add(R"({{"ph":"X",{},"pid":{},"tid":{},"ts":{},"dur":{},"args":{{"microbatch":{},{}}}}})", words.what,
        entry.rank, op.lane, microseconds(start), microseconds(end - start), microbatch, words.more);
    if (op.kind == OpKind::kSend || op.kind == OpKind::kReceive) {
      // Within the event that it belongs to, and the end behind the beginning.
      write_flow(entry.rank, op, microbatch, op.kind == OpKind::kSend ? start : std::max(start, end - 1));
    }
  }

  /// Both ends name the receiving rank, the channel and the microbatch.
  void write_flow(std::int32_t rank, const Op& op, std::int32_t microbatch, std::int64_t at) {
    const bool sends = op.kind == OpKind::kSend;
    const std::int32_t receiver = sends ? peer_of(program_, rank, op) : rank;
    const auto id = flows_.try_emplace({receiver, op.channel, microbatch}, flows_.size() + 1).first->second;
    add(R"({{"ph":"{}","name":"pipeline","cat":"pipeline","id":{},"pid":{},"tid":{},"ts":{}{}}})",
        sends ? "s" : "f", id, rank, op.lane, microseconds(at), sends ? "" : R"(,"bp":"e")");
  }

  void write_memory(const std::vector<SlotMemory>& memory) {
    for (const SlotMemory& row : memory) {
      if (const auto rank = first_rank_of_.find(static_cast<std::size_t>(row.stage));
          rank != first_rank_of_.end()) {
        add(R"({{"ph":"C","name":"memory, bytes","pid":{},"ts":{},"args":{{"allocated":{},"reserved":{}}}}})",
            rank->second, microseconds(nanoseconds(row.start)), row.allocated.value, row.reserved.value);
      }
    }
  }

  /// What is the same in all events of an op.
  struct Words {
    std::string what;  ///< name and category
    std::string more;  ///< arguments
  };
  const Words& words_of(const OpPlaces::Place& place, const Op& op) {
    const auto [known, is_new] = words_.try_emplace(&op);
    if (is_new) {
      known->second.what = fmt::format(R"("name":{},"cat":"{}")", json_string(event_name(op, place.stage)),
                                       op_kind_name(op.kind));
      std::string& more = known->second.more;
      more = fmt::format(R"("phase":"{}")", phase_name(op.phase));
      more += op.layer == Op::kNoLayer ? "" : fmt::format(R"(,"layer":{})", op.layer);
      more += op.kind == OpKind::kCompute ? "" : fmt::format(R"(,"bytes":{})", op.bytes.value);
    }
    return known->second;
  }

  const Op& op_at(const OpPlaces::Place& place) const {
    const Stage& stage = program_.stages[place.stage];
    return stage.templates[static_cast<std::size_t>(stage.order[place.slot].template_index)].ops[place.op];
  }

  const Program& program_;
  const Timeline& timeline_;
  OpPlaces places_;
  std::string text_;
  bool is_empty_ = true;
  std::map<std::size_t, std::int32_t> first_rank_of_;  ///< by stage
  std::map<const Op*, Words> words_;
  /// By receiving rank, channel and microbatch.
  std::map<std::tuple<std::int32_t, std::int32_t, std::int32_t>, std::size_t> flows_;
};

}  // namespace

std::string step_trace(const Program& program, const Timeline& timeline,
                       const std::vector<SlotMemory>& memory, const std::string& title,
                       const std::vector<TraceMark>& marks) {
  return TraceWriter(program, timeline).write(memory, title, marks);
}

}  // namespace portolan
