#include <set>
#include <string>

#include "catalog/json/notated.h"
#include "catalog/json/program_json.h"

namespace portolan {

namespace {

/// An object that leaves out what a default-made value would hold.
class CompactObject {
 public:
  template <typename T>
  CompactObject& set(std::string_view key, const T& value, const T& default_value) {
    if (!(value == default_value)) {
      object_.set(key, notated(value, Notation::kNumbers));
    }
    return *this;
  }
  template <typename T>
  CompactObject& set_always(std::string_view key, const T& value) {
    object_.set(key, notated(value, Notation::kNumbers));
    return *this;
  }
  CompactObject& set_list(std::string_view key, JsonValue list) {
    if (!list.as_array()->empty()) {
      object_.set(key, std::move(list));
    }
    return *this;
  }
  JsonValue take() { return std::move(object_); }

 private:
  JsonValue object_ = JsonValue::object();
};

template <typename T>
JsonValue list_of(const std::vector<T>& items, JsonValue (*write)(const T&)) {
  JsonValue list = JsonValue::array();
  for (const T& item : items) {
    list.append(write(item));
  }
  return list;
}

JsonValue write_kernel(const Kernel& kernel) {
  JsonValue operands = JsonValue::array();
  JsonValue accesses = JsonValue::array();
  for (const Operand& operand : kernel.operands) {
    operands.append(operand.tensor);
    accesses.append(word_of(operand.access));
  }
  const KernelShape& shape = kernel.shape;
  const std::int64_t none = 0;
  return CompactObject()
      .set_always("kind", kernel.kind)
      .set("rows", shape.rows, none)
      .set("columns", shape.columns, none)
      .set("inner", shape.inner, none)
      .set("batch", shape.batch, none)
      .set("sequence", shape.sequence, none)
      .set("heads", shape.heads, none)
      .set("kv_heads", shape.kv_heads, none)
      .set("head_dim", shape.head_dim, none)
      .set("gemm_batch", shape.gemm_batch, none)
      .set("gemm_m", shape.gemm_m, none)
      .set("gemm_n", shape.gemm_n, none)
      .set("gemm_k", shape.gemm_k, none)
      .set("factor_bytes", shape.factor_bytes, none)
      .set("window", shape.window, none)
      .set("flops", kernel.flops.value, 0.0)
      .set("bytes", kernel.bytes.value, none)
      .set_list("operands", std::move(operands))
      .set_list("access", std::move(accesses))
      .set("scalar", kernel.scalar, 0.0)
      .take();
}

JsonValue write_predecessor(const Predecessor& predecessor) {
  const Predecessor fresh;
  return CompactObject()
      .set("kind", predecessor.kind, fresh.kind)
      .set("op", predecessor.op, fresh.op)
      .set("slots_back", predecessor.slots_back, fresh.slots_back)
      .take();
}

JsonValue write_axes(AxisSet axes) {
  JsonValue list = JsonValue::array();
  for (const Axis axis : kAllAxes) {
    if (axes.contains(axis)) {
      list.append(word_of(axis));
    }
  }
  return list;
}

JsonValue write_op(const Op& op) {
  const Op fresh;
  return CompactObject()
      .set_always("kind", op.kind)
      .set_always("lane", op.lane)
      .set_always("phase", op.phase)
      .set("occurrence", op.occurrence, fresh.occurrence)
      .set("layer", op.layer, fresh.layer)
      .set("collective", op.collective, fresh.collective)
      .set("group", op.group, fresh.group)
      .set("group_size", op.group_size, fresh.group_size)
      .set("algorithm", op.algorithm, fresh.algorithm)
      .set_list("axes", op.axes == fresh.axes ? JsonValue::array() : write_axes(op.axes))
      .set("peer_offset", op.peer_offset, fresh.peer_offset)
      .set("channel", op.channel, fresh.channel)
      .set("to_host", op.to_host, fresh.to_host)
      .set("bytes", op.bytes.value, fresh.bytes.value)
      .set_list("buffers", json_list(op.buffers))
      .set_list("predecessors", list_of(op.predecessors, &write_predecessor))
      .set_list("kernels", list_of(op.kernels, &write_kernel))
      .take();
}

JsonValue write_template(const Template& t) {
  return CompactObject()
      .set_always("name", t.name)
      .set("chunk", t.chunk, 0)
      .set_list("ops", list_of(t.ops, &write_op))
      .take();
}

JsonValue write_step(const Step& step) {
  return JsonValue::array().append(step.template_index).append(step.op).append(step.kernel);
}

JsonValue write_buffer(const Buffer& buffer) {
  const Buffer fresh;
  CompactObject object;
  object.set_always("name", buffer.name)
      .set_always("kind", buffer.kind)
      .set_always("bytes", buffer.bytes.value);
  object.set("persistent", buffer.persistent, fresh.persistent).set("on_host", buffer.on_host, fresh.on_host);
  if (!(buffer.first == fresh.first && buffer.last == fresh.last)) {
    object.set_list("first", write_step(buffer.first)).set_list("last", write_step(buffer.last));
  }
  return object.set("init", buffer.init, fresh.init)
      .set("init_std", buffer.init_std, fresh.init_std)
      .set("weight_decay", buffer.weight_decay, fresh.weight_decay)
      .set("partner", buffer.partner, fresh.partner)
      .take();
}

/// Slots name their templates where the names tell them apart, else their indices.
JsonValue write_order(const Stage& stage) {
  std::set<std::string_view> names;
  for (const Template& t : stage.templates) {
    names.insert(t.name);
  }
  const bool unique = names.size() == stage.templates.size();
  JsonValue order = JsonValue::array();
  for (const Slot& slot : stage.order) {
    const auto index = static_cast<std::size_t>(slot.template_index);
    const bool named = unique && index < stage.templates.size();
    order.append(JsonValue::array()
                     .append(named ? JsonValue(stage.templates[index].name) : JsonValue(slot.template_index))
                     .append(slot.microbatch));
  }
  return order;
}

JsonValue write_stage(const Stage& stage) {
  return JsonValue::object()
      .set("order", write_order(stage))
      .set("templates", list_of(stage.templates, &write_template))
      .set("buffers", list_of(stage.buffers, &write_buffer));
}

JsonValue write_lane(const Lane& lane) {
  return CompactObject().set_always("kind", lane.kind).set_always("name", lane.name).take();
}

}  // namespace

JsonValue to_json(const Program& program) {
  JsonValue degrees = JsonValue::object();
  JsonValue axis_order = JsonValue::array();
  for (std::size_t i = 0; i < program.degrees.size(); ++i) {
    degrees.set(words<Axis>()[i], program.degrees[i]);
    axis_order.append(word_of(program.axis_order[i]));
  }
  return JsonValue::object()
      .set("degrees", std::move(degrees))
      .set("axis_order", std::move(axis_order))
      .set("num_microbatches", program.num_microbatches)
      .set("microbatch_size", program.microbatch_size)
      .set("sequence_length", program.sequence_length)
      .set("lanes", list_of(program.lanes, &write_lane))
      .set("stages", list_of(program.stages, &write_stage));
}

}  // namespace portolan
