#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "topology/hardware.h"

namespace portolan {

/// Who gives tensors their memory.
enum class AllocatorKind : std::uint8_t {
  kNone,                ///< it is planned before the run: what is reserved is what is allocated
  kCaching,             ///< PyTorch's caching allocator
  kExpandableSegments,  ///< the same with expandable segments
};

/// What gradients of a block are laid out in before ranks reduce them.
enum class ReduceCopy : std::uint8_t {
  kNone,        ///< they are where they were computed
  kAsComputed,  ///< one buffer of the same width
  kAsReduced,   ///< one buffer as wide as they are reduced
};

enum class UsualRecompute : std::uint8_t { kNone, kSelective, kFull };

/// What runs of a framework were made with where their source does not say: a published step is predicted
/// with these (`validate`), and each is printed as assumed. No other prediction looks at them.
struct UsualRun {
  Sourced<std::int64_t> vocab_size{0, ""};  ///< 0: unknown
  Sourced<Precision> precision{Precision::kBf16, ""};
  Sourced<std::int64_t> zero_stage{0, ""};
  Sourced<UsualRecompute> recompute{UsualRecompute::kNone, ""};
  /// Its "selective" recomputes some layers whole, how many a setting says; else attention's core of each.
  Sourced<bool> selective_by_layers{false, ""};

  bool operator==(const UsualRun&) const = default;
};

/// What a training framework fuses, overlaps, pads and keeps: documented features with sources, and one
/// constant that several sources' steps share (checkpoint_pause). One file in scenarios/software/.
struct SoftwareProfile {
  std::string name;
  /// Profiles of one framework's versions share it: their predictions err alike. Empty: the name.
  std::string family = {};
  Sourced<std::int64_t> vocab_padding{1, ""};  ///< vocabulary padded to a multiple of this x tensor_parallel
  Sourced<bool> dropout{false, ""};            ///< masks of attention and hidden dropout are made and kept
  Sourced<bool> logits_in_fp32{true, ""};      ///< cross-entropy on fp32 logits
  Sourced<bool> fused_gradient_accumulation{true, ""};
  Sourced<bool> flash_attention{false, ""};     ///< the attention core is one kernel that keeps no scores
  Sourced<bool> flash_skips_masked{false, ""};  ///< it leaves out what the causal mask hides
  Sourced<std::int64_t> flash_version{2, ""};   ///< of its kernels: FlashAttention::version
  // What is one kernel where eager PyTorch runs one for each tensor operation, each a pass over memory:
  Sourced<bool> fused_softmax{true, ""};            ///< scale, mask and softmax of the scores
  Sourced<bool> fused_norms{true, ""};              ///< RMS norm; layer norm is one kernel in PyTorch too
  Sourced<bool> fused_activation{true, ""};         ///< bias and GELU; SwiGLU's activation and product
  Sourced<bool> fused_dropout_add{true, ""};        ///< bias, dropout and residual addition
  Sourced<bool> fused_rotary{true, ""};             ///< rotation without conversions to fp32 and back
  Sourced<bool> fused_residual_gradient{true, ""};  ///< a norm's backward adds the gradient that passes it by
  Sourced<bool> fused_logits_conversion{true, ""};  ///< products write fp32 logits, read their fp32 gradient
  /// Reads and writes of all logits in cross-entropy's forward.
  Sourced<std::int64_t> cross_entropy_passes{2, ""};
  /// Losses of the logits that are reported and not trained on, each microbatch, in fp32 each.
  Sourced<std::int64_t> logits_metrics{0, ""};
  /// What the host takes to launch one kernel: a pass through a layer takes the longer of device and host.
  /// Updates of the optimizer launch many tensors at once and are left out.
  Sourced<Seconds> host_launch{Seconds(0), ""};
  /// Accumulated parameter gradients; 0: as wide as the parameters are in compute.
  Sourced<std::int64_t> gradient_bytes{4, ""};
  /// With fp16, where that is another width.
  std::optional<Sourced<std::int64_t>> fp16_gradient_bytes = {};
  /// Where gradients add up in a wider type by kernels of their own: a microbatch's narrow ones stay on the
  /// device, and are widened by one kernel and added by another.
  Sourced<bool> narrow_gradients_kept{false, ""};
  /// fp32 master copy (when compute is narrower than fp32) and the two moments of Adam.
  Sourced<std::int64_t> optimizer_bytes_per_parameter{12, ""};
  /// Copies of a parameter's gradient while an update with fp16 runs, of the shard that is updated.
  Sourced<std::int64_t> fp16_update_copy_bytes{0, ""};
  // With ZeRO stage 1, beside the tensors: through what gradients are reduced with fp16, and what is
  // gathered.
  Sourced<Bytes> fp16_reduce_buffer{Bytes(0), ""};
  Sourced<Bytes> gather_buffer{Bytes(0), ""};
  /// Recomputation runs all kernels of a group again, also those whose results are not read.
  Sourced<bool> recompute_whole_group{true, ""};
  /// What a layer that recomputes loses beside its kernels, once each microbatch.
  Sourced<Seconds> checkpoint_pause{Seconds(0), ""};
  /// Tensor-parallel communication of backward runs beside the weight-gradient products.
  Sourced<bool> tensor_overlap{false, ""};
  /// A pipeline send carries one tensor-parallel shard; the receiver gathers the others in its node.
  Sourced<bool> scatter_gather_pipeline{true, ""};
  /// The next microbatch's compute waits for the sends of this one.
  Sourced<bool> blocking_sends{true, ""};
  /// Pipeline receives are posted this many slots ahead of their use.
  Sourced<std::int64_t> receive_prefetch{0, ""};
  /// Parameters that ranks share are gathered this many blocks ahead of their use (ZeRO 3, FSDP).
  Sourced<std::int64_t> gather_prefetch{1, ""};
  /// They are given back after forward and gathered again for backward; else kept in between.
  Sourced<bool> reshard_after_forward{true, ""};
  /// Gathered parameters are copied from what the collective wrote into tensors of their own.
  Sourced<bool> gather_copy{false, ""};
  /// And gradients of a block before they are reduced (ZeRO 2 and 3).
  Sourced<ReduceCopy> reduce_copy{ReduceCopy::kNone, ""};
  /// Element size of gradients that are reduced after each backward (ZeRO 2 and 3); 0: as wide as computed.
  Sourced<std::int64_t> reduce_bytes{0, ""};
  /// Gradients are summed beside the last microbatch's backward, in buckets of at least so many bytes.
  Sourced<bool> gradient_overlap{false, ""};
  Sourced<Bytes> gradient_bucket{Bytes(0), ""};
  /// With that and ZeRO stage 1: updated parameters are gathered beside the first microbatch's forward.
  Sourced<bool> parameter_gather_overlap{false, ""};
  // What the framework can do. The search keeps to it; a strategy that is asked for does not have to.
  Sourced<bool> sequence_parallel{false, ""};
  Sourced<bool> interleaved_schedule{false, ""};
  Sourced<bool> zero_bubble_schedule{false, ""};
  Sourced<std::int64_t> zero_stages{1, ""};  ///< the highest ZeRO stage
  Sourced<bool> sharding_groups{false, ""};  ///< of fewer ranks than hold the same parameters
  Sourced<bool> context_parallel{false, ""};
  Sourced<bool> operator_recompute{false, ""};  ///< any operators, layer by layer
  Sourced<bool> activation_offload{false, ""};
  Sourced<bool> optimizer_offload{false, ""};
  Sourced<bool> tree_sums{false, ""};          ///< of gradients
  Sourced<bool> hierarchical_sums{false, ""};  ///< likewise, within nodes first
  // What a rank's device holds beside the tensors.
  Sourced<AllocatorKind> allocator{AllocatorKind::kNone, ""};
  /// Launches that a device's queue holds, by which the host can be ahead: what a communication used is used
  /// again once the device is past it; 0: at once.
  Sourced<std::int64_t> launch_queue_depth{0, ""};
  Sourced<Bytes> context_memory{Bytes(0), ""};         ///< of the device's driver: context and loaded code
  Sourced<std::int64_t> communicator_channels{0, ""};  ///< of each group of ranks
  Sourced<Bytes> channel_memory{Bytes(0), ""};         ///< buffers of each channel
  Sourced<Bytes> framework_memory{Bytes(0), ""};       ///< anything else
  UsualRun usual;

  bool operator==(const SoftwareProfile&) const = default;
};

}  // namespace portolan
