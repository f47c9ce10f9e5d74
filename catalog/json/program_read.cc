#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "catalog/json/program_json.h"

namespace portolan {

namespace {

constexpr WholeRange kSize{0, std::int64_t{1} << 48};
constexpr WholeRange kDegree{1, 1'000'000};
constexpr std::int32_t kMostSlots = 100'000'000;

/// What indices may name. Templates are read before the buffers and the order that point at them.
struct Scope {
  std::size_t num_lanes = 0;
  std::size_t num_buffers = 0;
  std::int32_t num_microbatches = 1;
};

/// Reads an index below `count`.
bool read_index(const DocumentValue& value, std::int32_t& index, std::size_t count) {
  if (count == 0) {
    return value.refuse_value("names nothing: there is none");
  }
  return value.read(index, WholeRange{0, static_cast<std::int64_t>(count) - 1});
}

std::size_t list_length(const DocumentSection& section, std::string_view key) {
  const DocumentEntry* entry = find_entry(section.node(), key);
  return entry == nullptr ? 0 : entry->value.items.size();
}

void read_shape(DocumentSection& section, KernelShape& shape) {
  section.optional("rows", shape.rows, kSize);
  section.optional("columns", shape.columns, kSize);
  section.optional("inner", shape.inner, kSize);
  section.optional("batch", shape.batch, kSize);
  section.optional("sequence", shape.sequence, kSize);
  section.optional("heads", shape.heads, kSize);
  section.optional("kv_heads", shape.kv_heads, kSize);
  section.optional("head_dim", shape.head_dim, kSize);
  section.optional("gemm_batch", shape.gemm_batch, kSize);
  section.optional("gemm_m", shape.gemm_m, kSize);
  section.optional("gemm_n", shape.gemm_n, kSize);
  section.optional("gemm_k", shape.gemm_k, kSize);
  section.optional("factor_bytes", shape.factor_bytes, kSize);
  section.optional("window", shape.window, kSize);
}

Kernel read_kernel(const DocumentValue& item, const Scope& scope) {
  Kernel kernel;
  DocumentSection section(item);
  section.required("kind", kernel.kind);
  read_shape(section, kernel.shape);
  section.optional("flops", kernel.flops.value);
  section.optional("bytes", kernel.bytes.value, kSize);
  section.optional("scalar", kernel.scalar, NumberRange{-1e300, 1e300});
  section.optional_list("operands", [&](const DocumentValue& operand) {
    kernel.operands.emplace_back();
    read_index(operand, kernel.operands.back().tensor, scope.num_buffers);
  });
  std::size_t num_accesses = 0;
  section.optional_list("access", [&](const DocumentValue& access) {
    Access word{};
    if (access.read(word) && num_accesses < kernel.operands.size()) {
      kernel.operands[num_accesses].access = word;
    }
    ++num_accesses;
  });
  if (num_accesses != kernel.operands.size()) {
    item.refuse(fmt::format("{} operands but {} accesses", kernel.operands.size(), num_accesses));
  }
  section.finish();
  return kernel;
}

Predecessor read_predecessor(const DocumentValue& item, std::size_t num_ops) {
  Predecessor predecessor;
  DocumentSection section(item);
  section.optional("kind", predecessor.kind);
  section.optional_value("op",
                         [&](const DocumentValue& value) { read_index(value, predecessor.op, num_ops); });
  section.optional("slots_back", predecessor.slots_back, WholeRange{0, kMostSlots});
  section.finish();
  return predecessor;
}

void read_communication(DocumentSection& section, const Scope& scope, Op& op) {
  section.optional("collective", op.collective);
  section.optional("group", op.group);
  section.optional("group_size", op.group_size, kDegree);
  section.optional("algorithm", op.algorithm);
  AxisSet axes;
  section.optional_list("axes", [&](const DocumentValue& value) {
    Axis axis{};
    if (value.read(axis)) {
      axes.insert(axis);
    }
  });
  op.axes = axes.empty() && op.kind != OpKind::kCopy ? op.axes : axes;
  section.optional("peer_offset", op.peer_offset, WholeRange{-kDegree.most, kDegree.most});
  section.optional("channel", op.channel, WholeRange{0, kMostSlots});
  section.optional("to_host", op.to_host);
  section.optional("bytes", op.bytes.value, kSize);
  section.optional_list("buffers", [&](const DocumentValue& buffer) {
    read_index(buffer, op.buffers.emplace_back(), scope.num_buffers);
  });
}

Op read_op(const DocumentValue& item, const Scope& scope, std::size_t num_ops) {
  Op op;
  DocumentSection section(item);
  section.required("kind", op.kind);
  section.value("lane", [&](const DocumentValue& value) { read_index(value, op.lane, scope.num_lanes); });
  section.required("phase", op.phase);
  section.optional("occurrence", op.occurrence);
  section.optional("layer", op.layer, WholeRange{Op::kNoLayer, 1 << 24});
  read_communication(section, scope, op);
  section.optional_list("predecessors", [&](const DocumentValue& predecessor) {
    op.predecessors.push_back(read_predecessor(predecessor, num_ops));
  });
  section.optional_list(
      "kernels", [&](const DocumentValue& kernel) { op.kernels.push_back(read_kernel(kernel, scope)); });
  section.finish();
  return op;
}

Template read_template(const DocumentValue& item, const Scope& scope) {
  Template t;
  DocumentSection section(item);
  const std::size_t num_ops = list_length(section, "ops");
  section.required("name", t.name);
  section.optional("chunk", t.chunk, WholeRange{0, 1'000'000});
  section.optional_list("ops",
                        [&](const DocumentValue& op) { t.ops.push_back(read_op(op, scope, num_ops)); });
  section.finish();
  return t;
}

void read_step(const DocumentValue& value, const std::vector<Template>& templates, Step& step) {
  const std::vector<DocumentNode>& items = value.node().items;
  if (items.size() != 3) {
    value.refuse("is not [template, op, kernel]");
    return;
  }
  if (!read_index(DocumentValue(value, items[0], std::size_t{0}), step.template_index, templates.size())) {
    return;
  }
  const std::vector<Op>& ops = templates[static_cast<std::size_t>(step.template_index)].ops;
  if (read_index(DocumentValue(value, items[1], std::size_t{1}), step.op, ops.size())) {
    const std::size_t num_kernels =
        std::max<std::size_t>(ops[static_cast<std::size_t>(step.op)].kernels.size(), 1);
    read_index(DocumentValue(value, items[2], std::size_t{2}), step.kernel, num_kernels);
  }
}

Buffer read_buffer(const DocumentValue& item, const std::vector<Template>& templates, const Scope& scope) {
  Buffer buffer;
  DocumentSection section(item);
  section.required("name", buffer.name);
  section.required("kind", buffer.kind);
  section.required("bytes", buffer.bytes.value, kSize);
  section.optional("persistent", buffer.persistent);
  section.optional("on_host", buffer.on_host);
  section.optional_value("first",
                         [&](const DocumentValue& value) { read_step(value, templates, buffer.first); });
  section.optional_value("last",
                         [&](const DocumentValue& value) { read_step(value, templates, buffer.last); });
  section.optional("init", buffer.init);
  section.optional("init_std", buffer.init_std, NumberRange{0, 1e6});
  section.optional("weight_decay", buffer.weight_decay);
  section.optional("partner", buffer.partner,
                   WholeRange{Buffer::kNone, static_cast<std::int64_t>(scope.num_buffers) - 1});
  section.finish();
  return buffer;
}

/// A slot's template by name or index. A name that two templates have stands for neither.
void read_template_name(const DocumentValue& value, const std::vector<Template>& templates,
                        std::int32_t& index) {
  if (!value.node().quoted) {
    read_index(value, index, templates.size());
    return;
  }
  std::string name;
  value.read(name);
  const auto matches = [&](const Template& t) { return t.name == name; };
  const auto found = std::find_if(templates.begin(), templates.end(), matches);
  if (found == templates.end() || std::find_if(found + 1, templates.end(), matches) != templates.end()) {
    std::vector<std::string_view> names;
    for (const Template& t : templates) {
      names.push_back(t.name);
    }
    value.refuse_value(
        fmt::format("is not the name of one template (allowed: {})", printable(list_words(names))));
    return;
  }
  index = static_cast<std::int32_t>(found - templates.begin());
}

Slot read_slot(const DocumentValue& item, const std::vector<Template>& templates, const Scope& scope) {
  Slot slot;
  const std::vector<DocumentNode>& items = item.node().items;
  if (items.size() != 2) {
    item.refuse("is not [template, microbatch]");
    return slot;
  }
  read_template_name(DocumentValue(item, items[0], "template"), templates, slot.template_index);
  read_index(DocumentValue(item, items[1], "microbatch"), slot.microbatch,
             static_cast<std::size_t>(scope.num_microbatches));
  return slot;
}

Stage read_stage(const DocumentValue& item, Scope scope) {
  Stage stage;
  DocumentSection section(item);
  scope.num_buffers = list_length(section, "buffers");
  section.list("templates",
               [&](const DocumentValue& t) { stage.templates.push_back(read_template(t, scope)); });
  section.list("buffers", [&](const DocumentValue& buffer) {
    stage.buffers.push_back(read_buffer(buffer, stage.templates, scope));
  });
  section.list("order", [&](const DocumentValue& slot) {
    stage.order.push_back(read_slot(slot, stage.templates, scope));
  });
  section.finish();
  return stage;
}

void read_axis_order(const DocumentValue& value, std::array<Axis, kNumAxes>& order) {
  std::array<bool, kNumAxes> seen{};
  const std::vector<DocumentNode>& items = value.node().items;
  for (std::size_t i = 0; i < std::min<std::size_t>(items.size(), kNumAxes); ++i) {
    const DocumentValue item(value, items[i], i);
    if (item.read(order[i]) && std::exchange(seen[static_cast<std::size_t>(order[i])], true)) {
      item.refuse_value("is there twice");
    }
  }
  if (items.size() != kNumAxes) {
    value.refuse(
        fmt::format("is not a list of the axes (allowed: {} in any order)", list_words(words<Axis>())));
  }
}

void read_degrees(DocumentSection& section, Program& program, std::int64_t& num_ranks) {
  for (std::size_t i = 0; i < program.degrees.size(); ++i) {
    section.required(words<Axis>()[i], program.degrees[i], kDegree);
    num_ranks = std::min(num_ranks * program.degrees[i], kDegree.most + 1);
  }
}

}  // namespace

void read_program(DocumentSection& section, Program& program) {
  std::int64_t num_ranks = 1;
  section.section("degrees", [&](DocumentSection& inner) { read_degrees(inner, program, num_ranks); });
  section.optional_value("degrees", [&](const DocumentValue& value) {
    if (num_ranks > kDegree.most) {
      value.refuse(fmt::format("make over {} ranks together", kDegree.most));
    }
  });
  section.optional_value("axis_order",
                         [&](const DocumentValue& value) { read_axis_order(value, program.axis_order); });
  section.required("num_microbatches", program.num_microbatches, WholeRange{1, 10'000'000});
  section.required("microbatch_size", program.microbatch_size, kDegree);
  section.required("sequence_length", program.sequence_length, WholeRange{1, 1 << 24});
  section.list("lanes", [&](const DocumentValue& item) {
    Lane lane;
    DocumentSection inner(item);
    inner.required("kind", lane.kind);
    inner.required("name", lane.name);
    inner.finish();
    program.lanes.push_back(std::move(lane));
  });
  // Without their number, which is then the mistake to report, any microbatch will do.
  const std::int32_t num_microbatches =
      section.has("num_microbatches") ? program.num_microbatches : kMostSlots;
  const Scope scope{
      .num_lanes = program.lanes.size(), .num_buffers = 0, .num_microbatches = num_microbatches};
  section.list("stages",
               [&](const DocumentValue& item) { program.stages.push_back(read_stage(item, scope)); });
}

}  // namespace portolan
