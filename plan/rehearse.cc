#include "plan/rehearse.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace portolan {

namespace {

/// Runs the stages of one replica against each other without time. A rank goes through its ops in list order;
/// a send is posted and stays under way until its receive, and the sends of a lane are received in the order
/// in which they were posted, since a lane runs one op after another. A collective of two stages waits for
/// both. What cannot complete is a deadlock.
class Rehearsal {
 public:
  explicit Rehearsal(const Program& program) : program_(program), stages_(program.stages.size()) {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      enter_slot(s);
    }
  }

  Result<void> run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t s = 0; s < stages_.size(); ++s) {
        moved |= advance(s);
      }
    }
    if (mismatch_) {
      return bad_input(*mismatch_);
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      const Progress& progress = stages_[s];
      const auto& order = program_.stages[s].order;
      if (progress.slot < order.size()) {
        const Slot& slot = order[progress.slot];
        const Template& t = program_.stages[s].templates[static_cast<std::size_t>(slot.template_index)];
        return bad_input(fmt::format(
            "program.stages[{}].order[{}]: deadlock: \"{}\" of microbatch {} waits for ever at op {} ({})", s,
            progress.slot, t.name, slot.microbatch, progress.op, op_kind_name(t.ops[progress.op].kind)));
      }
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      for (const Posted& send : stages_[s].under_way) {
        return bad_input(fmt::format(
            "program.stages[{}].order[{}]: a send on channel {} of microbatch {} is never received", s,
            send.slot, send.channel, send.microbatch));
      }
    }
    return {};
  }

 private:
  /// A send that its peer has not received yet.
  struct Posted {
    std::size_t slot = 0;
    std::size_t op = 0;
    std::int32_t lane = 0;
    std::int32_t channel = 0;
    std::int32_t microbatch = 0;
    std::int32_t destination = 0;  ///< stage
    Bytes bytes;
  };

  struct Progress {
    std::size_t slot = 0;
    std::size_t op = 0;
    std::vector<Posted> under_way;                  ///< in the order of posting
    std::map<std::int32_t, std::int32_t> arrivals;  ///< at collectives of both end stages, by lane
    bool waits_at_meeting = false;
  };

  void enter_slot(std::size_t s) {
    Progress& progress = stages_[s];
    const Stage& stage = program_.stages[s];
    while (
        progress.slot < stage.order.size() &&
        progress.op >=
            stage.templates[static_cast<std::size_t>(stage.order[progress.slot].template_index)].ops.size()) {
      ++progress.slot;
      progress.op = 0;
    }
  }

  /// Whether `op` waits for a send that is still under way. All other ops before it in the list are done.
  static bool waits_for_send(const Progress& progress, const Op& op) {
    const auto awaited = [&](const Posted& send) {
      return std::any_of(op.predecessors.begin(), op.predecessors.end(), [&](const Predecessor& p) {
        if (p.kind == Predecessor::Kind::kOp) {
          return send.slot == progress.slot && send.op == static_cast<std::size_t>(p.op);
        }
        return p.kind == Predecessor::Kind::kAllOps &&
               send.slot + static_cast<std::size_t>(p.slots_back) == progress.slot;
      });
    };
    return std::any_of(progress.under_way.begin(), progress.under_way.end(), awaited);
  }

  bool receive(std::size_t s, const Op& op, std::int32_t microbatch) {
    const auto peer = static_cast<std::size_t>(static_cast<std::int32_t>(s) + op.peer_offset);
    std::vector<Posted>& sends = stages_[peer].under_way;
    std::set<std::int32_t> lanes_seen;
    for (auto send = sends.begin(); send != sends.end(); ++send) {
      const bool next_in_lane = lanes_seen.insert(send->lane).second;
      if (!next_in_lane || send->channel != op.channel || send->microbatch != microbatch ||
          send->destination != static_cast<std::int32_t>(s)) {
        continue;
      }
      if (send->bytes != op.bytes) {
        mismatch_ = fmt::format(
            "program.stages[{}].order[{}]: receives {} B of microbatch {} on channel {}, stage {} sends {} B",
            s, stages_[s].slot, op.bytes.value, microbatch, op.channel, peer, send->bytes.value);
      }
      sends.erase(send);
      return true;
    }
    return false;
  }

  /// Both end stages must have arrived as often as this one.
  bool meet(std::size_t s, Progress& progress, const Op& op) {
    if (op.group != GroupKind::kFirstAndLastStage || stages_.size() == 1) {
      return true;
    }
    std::int32_t& arrivals = progress.arrivals[op.lane];
    if (!progress.waits_at_meeting) {
      progress.waits_at_meeting = true;
      ++arrivals;
    }
    Progress& peer = stages_[s == 0 ? stages_.size() - 1 : 0];
    progress.waits_at_meeting = peer.arrivals[op.lane] < arrivals;
    return !progress.waits_at_meeting;
  }

  bool advance(std::size_t s) {
    Progress& progress = stages_[s];
    const Stage& stage = program_.stages[s];
    bool moved = false;
    while (progress.slot < stage.order.size() && !mismatch_) {
      const Slot& slot = stage.order[progress.slot];
      const Op& op = stage.templates[static_cast<std::size_t>(slot.template_index)].ops[progress.op];
      if (waits_for_send(progress, op)) {
        return moved;
      }
      if (op.kind == OpKind::kReceive && !receive(s, op, slot.microbatch)) {
        return moved;
      }
      if (op.kind == OpKind::kCollective && !meet(s, progress, op)) {
        return moved;
      }
      if (op.kind == OpKind::kSend) {
        progress.under_way.push_back({progress.slot, progress.op, op.lane, op.channel, slot.microbatch,
                                      static_cast<std::int32_t>(s) + op.peer_offset, op.bytes});
      }
      ++progress.op;
      enter_slot(s);
      moved = true;
    }
    return moved;
  }

  const Program& program_;
  std::vector<Progress> stages_;
  std::optional<std::string> mismatch_;
};

}  // namespace

Result<void> rehearse(const Program& program) { return Rehearsal(program).run(); }

}  // namespace portolan
