#include <algorithm>

#include "plan/costed_program.h"

namespace portolan {

namespace {

using Kind = Predecessor::Kind;

/// Whether `op` waits for nothing but compute of its own template, which the lane orders before it anyway.
bool waits_for_compute_only(const CostedTemplate& t, const CostedOp& op) {
  return std::all_of(op.predecessors.begin(), op.predecessors.end(), [&](const Predecessor& p) {
    return p.kind == Kind::kOp && t.ops[static_cast<std::size_t>(p.op)].kind == OpKind::kCompute;
  });
}

/// Whether an op of another lane waits for compute op `index`: it must stay the end of its activity.
std::vector<bool> awaited_by_communication(const CostedTemplate& t) {
  std::vector<bool> awaited(t.ops.size(), false);
  for (const CostedOp& op : t.ops) {
    for (const Predecessor& p : op.predecessors) {
      if (op.kind != OpKind::kCompute && p.kind == Kind::kOp) {
        awaited[static_cast<std::size_t>(p.op)] = true;
      }
    }
  }
  return awaited;
}

CostedTemplate coalesce_template(const CostedTemplate& t) {
  const std::vector<bool> awaited = awaited_by_communication(t);
  CostedTemplate merged;
  std::vector<std::int32_t> new_index(t.ops.size(), 0);
  std::int32_t open = -1;  // the compute op in `merged` that may still grow
  for (std::size_t o = 0; o < t.ops.size(); ++o) {
    const CostedOp& op = t.ops[o];
    if (op.kind == OpKind::kCompute && open >= 0 && waits_for_compute_only(t, op)) {
      CostedOp& into = merged.ops[static_cast<std::size_t>(open)];
      into.duration += op.duration;
      into.parts.insert(into.parts.end(), op.parts.begin(), op.parts.end());
      new_index[o] = open;
    } else {
      new_index[o] = static_cast<std::int32_t>(merged.ops.size());
      merged.ops.push_back(op);
      if (op.kind == OpKind::kCompute) {
        open = new_index[o];
      }
    }
    if (op.kind == OpKind::kCompute && awaited[o]) {
      open = -1;
    }
  }
  for (std::size_t o = 0; o < merged.ops.size(); ++o) {
    auto& predecessors = merged.ops[o].predecessors;
    for (Predecessor& p : predecessors) {
      if (p.kind == Kind::kOp) {
        p.op = new_index[static_cast<std::size_t>(p.op)];
      }
    }
    std::erase_if(predecessors, [&](const Predecessor& p) {
      return p.kind == Kind::kOp && p.op == static_cast<std::int32_t>(o);
    });
  }
  return merged;
}

}  // namespace

CostedProgram coalesce(CostedProgram program) {
  for (CostedStage& stage : program.stages) {
    for (CostedTemplate& t : stage.templates) {
      t = coalesce_template(t);
    }
  }
  return program;
}

}  // namespace portolan
