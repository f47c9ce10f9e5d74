#include "plan/program.h"

#include <cassert>
#include <cstring>
#include <type_traits>

#include "base/sha256.h"
#include "plan/name_table.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, 8> kPhases = {"forward",         "backward",  "backward_input",
                                                     "backward_weight", "recompute", "parameter_gather",
                                                     "gradient_sync",   "optimizer"};
constexpr std::array<std::string_view, 5> kOpKinds = {"compute", "send", "receive", "collective", "copy"};
constexpr std::array<std::string_view, 6> kBufferKinds = {"parameter",  "gradient",  "optimizer_state",
                                                          "activation", "workspace", "communication"};

/// A canonical byte string of a Program: fixed-width little-endian fields, lists with their length first.
class CanonicalBytes {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void add(T value) {
    std::array<char, sizeof(T)> raw{};
    std::memcpy(raw.data(), &value, sizeof(T));
    bytes_.append(raw.data(), raw.size());
  }
  void add(const std::string& text) {
    add(static_cast<std::uint64_t>(text.size()));
    bytes_ += text;
  }
  template <typename Unit, typename Representation>
  void add(Quantity<Unit, Representation> quantity) {
    add(quantity.value);
  }
  void add(const Operand& operand) {
    add(operand.tensor);
    add(operand.access);
  }
  void add(const KernelShape& s) {
    for (std::int64_t size : {s.rows, s.columns, s.inner, s.batch, s.sequence, s.heads, s.kv_heads,
                              s.head_dim, s.gemm_batch, s.gemm_m, s.gemm_n, s.gemm_k, s.factor_bytes}) {
      add(size);
    }
    if (s.window > 0) {
      add(s.window);
    }
  }
  void add(const Kernel& kernel) {
    add(kernel.kind);
    add(kernel.shape);
    add(kernel.flops);
    add(kernel.bytes);
    add(kernel.operands);
    add(kernel.scalar);
  }
  void add(const Lane& lane) {
    add(lane.kind);
    add(lane.name);
  }
  void add(const Predecessor& predecessor) {
    add(predecessor.kind);
    add(predecessor.op);
    add(predecessor.slots_back);
  }
  void add(const Op& op) {
    add(op.kind);
    add(op.lane);
    add(op.phase);
    add(op.occurrence);
    add(op.layer);
    add(op.kernels);
    add(op.predecessors);
    add(op.collective);
    add(op.algorithm);
    add(op.group);
    add(op.group_size);
    for (const Axis axis : kAllAxes) {
      add(op.axes.contains(axis));
    }
    add(op.peer_offset);
    add(op.channel);
    add(op.to_host);
    add(op.bytes);
    add(op.buffers);
  }
  void add(const Template& t) {
    add(t.name);
    add(t.chunk);
    add(t.ops);
  }
  void add(const Slot& slot) {
    add(slot.template_index);
    add(slot.microbatch);
  }
  void add(const Step& step) {
    add(step.template_index);
    add(step.op);
    add(step.kernel);
  }
  void add(const Buffer& buffer) {
    add(buffer.name);
    add(buffer.kind);
    add(buffer.bytes);
    add(buffer.persistent);
    add(buffer.on_host);
    add(buffer.first);
    add(buffer.last);
    add(buffer.init);
    add(buffer.init_std);
    add(buffer.weight_decay);
    add(buffer.partner);
  }
  void add(const Stage& stage) {
    add(stage.buffers);
    add(stage.templates);
    add(stage.order);
  }
  template <typename T>
  void add(const std::vector<T>& list) {
    add(static_cast<std::uint64_t>(list.size()));
    for (const T& item : list) {
      add(item);
    }
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace

std::string program_hash(const Program& program) {
  CanonicalBytes canonical;
  for (std::int32_t degree : program.degrees) {
    canonical.add(degree);
  }
  for (Axis axis : program.axis_order) {
    canonical.add(axis);
  }
  canonical.add(program.num_microbatches);
  canonical.add(program.microbatch_size);
  canonical.add(program.sequence_length);
  canonical.add(program.lanes);
  canonical.add(program.stages);
  return sha256_hex(canonical.bytes());
}

OpIds::OpIds(const Program& program) : num_microbatches_(program.num_microbatches) {
  for (const Stage& stage : program.stages) {
    std::vector<std::int64_t> bases;
    for (const Template& t : stage.templates) {
      bases.push_back(num_ids_);
      num_ids_ += static_cast<std::int64_t>(t.ops.size()) * num_microbatches_;
    }
    template_base_.push_back(std::move(bases));
  }
}

std::int64_t OpIds::id(std::int32_t stage, std::int32_t template_index, std::int32_t op,
                       std::int32_t microbatch) const {
  const std::int64_t base =
      template_base_[static_cast<std::size_t>(stage)][static_cast<std::size_t>(template_index)];
  return base + static_cast<std::int64_t>(op) * num_microbatches_ + microbatch;
}

std::string_view phase_name(Phase phase) { return kPhases[static_cast<std::size_t>(phase)]; }
std::optional<Phase> find_phase(std::string_view name) { return find_name<Phase>(kPhases, name); }
std::string_view op_kind_name(OpKind kind) { return kOpKinds[static_cast<std::size_t>(kind)]; }
std::optional<OpKind> find_op_kind(std::string_view name) { return find_name<OpKind>(kOpKinds, name); }
std::string_view buffer_kind_name(BufferKind kind) { return kBufferKinds[static_cast<std::size_t>(kind)]; }
std::optional<BufferKind> find_buffer_kind(std::string_view name) {
  return find_name<BufferKind>(kBufferKinds, name);
}

}  // namespace portolan
