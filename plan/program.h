#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "model/block.h"
#include "model/kernel.h"
#include "plan/collective.h"
#include "topology/placement.h"

namespace portolan {

enum class Phase : std::uint8_t {
  kForward,
  kBackward,  ///< input and weight gradients in one op
  kBackwardInput,
  kBackwardWeight,
  kRecompute,
  kParameterGather,
  kGradientSync,
  kOptimizer,
};

enum class OpKind : std::uint8_t {
  kCompute,
  kSend,
  kReceive,
  kCollective,
  kCopy,  ///< between a rank's device and the memory of its node's host
};

/// Ranks that a communication op joins, found from a rank's own coordinates.
enum class GroupKind : std::uint8_t {
  kAxes,               ///< all ranks that differ from this one along `axes` only
  kFirstAndLastStage,  ///< the first and the last stage's rank with this one's other coordinates
  kBlock,              ///< of kAxes, `group_size` neighbours: those in one block with this rank
  kStride,  ///< of kAxes, one rank of each block of `group_size`: those in one place with this rank
};

/// Ops of one lane run one after another, in order.
struct Lane {
  enum class Kind : std::uint8_t { kCompute, kCopy, kCommunication };
  Kind kind = Kind::kCompute;
  std::string name;  ///< "compute", "pipeline send next"

  bool operator==(const Lane&) const = default;
};

/// What an op waits for, beside the op before it in its lane.
struct Predecessor {
  enum class Kind : std::uint8_t {
    kOp,           ///< op `op` of the template of this slot
    kLastCompute,  ///< the compute lane up to and including the slot `slots_back` before this one
    kAllOps,       ///< every op of the slot `slots_back` before this one, but copies
    kToHost,       ///< copies to the host in the slots before this one, but for the last `op` of them
    kOwnToHost,    ///< those in the slot before this one of the same chunk and microbatch
  };
  Kind kind = Kind::kOp;
  std::int32_t op = 0;
  std::int32_t slots_back = 0;  ///< a slot before the first is already done

  bool operator==(const Predecessor&) const = default;
};

/// In which of its template's slots an op runs, in the order of the stage's list: gradients are summed after
/// the last microbatch, parameters gathered before the first.
enum class Occurrence : std::uint8_t { kEvery, kFirst, kLast };

/// One thing that a rank does: a block of kernels in the compute lane, or one communication.
struct Op {
  OpKind kind = OpKind::kCompute;
  std::int32_t lane = 0;
  Phase phase = Phase::kForward;
  Occurrence occurrence = Occurrence::kEvery;  ///< others: communication of persistent buffers
  std::int32_t layer = kNoLayer;
  std::vector<Kernel> kernels;            ///< kCompute; operands index Stage::buffers
  std::vector<Predecessor> predecessors;  ///< an op that does not run in this slot is not waited for

  // Communication only.
  CollectiveKind collective = CollectiveKind::kAllReduce;
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::kRing;
  GroupKind group = GroupKind::kAxes;
  AxisSet axes = {Axis::kTensor};  ///< kSend, kReceive and kFirstAndLastStage: pipeline; kCopy: none
  std::int32_t group_size = 1;     ///< kBlock, kStride: divides the number of ranks along `axes`
  std::int32_t peer_offset = 0;    ///< kSend, kReceive: the peer's stage, relative
  std::int32_t channel = 0;  ///< kSend, kReceive: a send pairs with the receive of its channel and microbatch
  bool to_host = false;      ///< kCopy: from the device to the host; else the other way
  Bytes bytes;               ///< payload of each rank (whole vector of a collective)
  /// What is sent, received into, or combined, in order. Of a copy, and where a collective is not done in
  /// place: as many destinations, then their sources. One of kind kCommunication is what the payload goes
  /// through.
  std::vector<std::int32_t> buffers;

  static constexpr std::int32_t kNoLayer = -1;
  bool operator==(const Op&) const = default;
};

/// What a stage does for one microbatch in one phase; or once a step (gradient synchronisation, optimizer).
struct Template {
  std::string name;  ///< "forward 0", "optimizer"
  std::int32_t chunk = 0;
  std::vector<Op> ops;

  bool operator==(const Template&) const = default;
};

/// One entry of a stage's order list.
struct Slot {
  std::int32_t template_index = 0;
  std::int32_t microbatch = 0;  ///< 0 where the template is not one of a microbatch

  bool operator==(const Slot&) const = default;
};

enum class BufferKind : std::uint8_t {
  kParameter,
  kGradient,
  kOptimizerState,
  kActivation,
  kWorkspace,
  kCommunication
};

/// A place in a template: op, and kernel within the op (0 for communication).
struct Step {
  std::int32_t template_index = 0;
  std::int32_t op = 0;
  std::int32_t kernel = 0;

  bool operator==(const Step&) const = default;
};

/// Memory of one rank of a stage, on its device or on its node's host. Persistent buffers live for the whole
/// run; others exist once a microbatch, from before `first` until after `last`. `last` in a communication op
/// means: until the next compute op begins, by which the communication is complete.
struct Buffer {
  std::string name;  ///< "layer 3 norm1.output"
  BufferKind kind = BufferKind::kActivation;
  Bytes bytes;
  bool persistent = false;
  bool on_host = false;  ///< reached by copies only
  Step first;
  Step last;
  // Persistent buffers only.
  ParameterInit init = ParameterInit::kNone;
  double init_std = 0;
  bool weight_decay = false;
  std::int32_t partner = kNone;  ///< the parameter that a gradient or optimizer state belongs to

  static constexpr std::int32_t kNone = -1;
  Bytes device_bytes() const { return on_host ? Bytes(0) : bytes; }
  Bytes host_bytes() const { return on_host ? bytes : Bytes(0); }
  bool operator==(const Buffer&) const = default;
};

/// What all ranks with one coordinate along the pipeline axis do.
struct Stage {
  std::vector<Buffer> buffers;
  std::vector<Template> templates;
  std::vector<Slot> order;

  bool operator==(const Stage&) const = default;
};

/// What every rank does in one training step, in order. Both the simulator and the executor interpret this
/// and nothing else. Its size grows with stages, layers and microbatches, never with ranks.
struct Program {
  std::array<std::int32_t, kNumAxes> degrees = {1, 1, 1, 1, 1};
  std::array<Axis, kNumAxes> axis_order = {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData,
                                           Axis::kPipeline};
  std::int32_t num_microbatches = 1;
  std::int64_t microbatch_size = 1;
  std::int64_t sequence_length = 1;
  std::vector<Lane> lanes;
  std::vector<Stage> stages;

  std::int32_t num_ranks() const {
    std::int32_t ranks = 1;
    for (std::int32_t degree : degrees) {
      ranks *= degree;
    }
    return ranks;
  }
  bool operator==(const Program&) const = default;
};

/// SHA-256 of everything in `program`, 64 hexadecimal digits.
std::string program_hash(const Program& program);

/// Whether an interpreter can run `program`: indices in range, lanes and predecessors acyclic, each receive
/// matched by one send, collectives in one order in all members, buffers used within their lifetimes,
/// and the whole free of deadlock. Errors (kBadInput) name stage, slot and op.
Result<void> check_program(const Program& program);

/// Identity of an op instance, the same however the order lists are shuffled: dense over (stage, template,
/// op, microbatch).
class OpIds {
 public:
  explicit OpIds(const Program& program);
  std::int64_t id(std::int32_t stage, std::int32_t template_index, std::int32_t op,
                  std::int32_t microbatch) const;
  std::int64_t num_ids() const { return num_ids_; }

 private:
  std::int32_t num_microbatches_;
  std::int64_t num_ids_ = 0;
  std::vector<std::vector<std::int64_t>> template_base_;  ///< (stage, template)
};

std::string_view phase_name(Phase phase);
std::optional<Phase> find_phase(std::string_view name);
std::string_view op_kind_name(OpKind kind);
std::optional<OpKind> find_op_kind(std::string_view name);
std::string_view buffer_kind_name(BufferKind kind);
std::optional<BufferKind> find_buffer_kind(std::string_view name);

}  // namespace portolan
