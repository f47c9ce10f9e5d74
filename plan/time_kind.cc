#include "plan/time_kind.h"

#include <array>
#include <cassert>

namespace portolan {

namespace {

constexpr std::array<std::string_view, kNumTimeKinds> kTimeKindNames = {
    "gemm",       "attention", "softmax",    "norm",         "elementwise",
    "embedding",  "optimizer", "copy",       "all_reduce",   "reduce_scatter",
    "all_gather", "broadcast", "all_to_all", "send_receive", "unknown"};

}  // namespace

std::string_view time_kind_name(TimeKind kind) { return kTimeKindNames[static_cast<std::size_t>(kind)]; }

bool is_communication(TimeKind kind) {
  return kind >= TimeKind::kAllReduce && kind <= TimeKind::kSendReceive;
}

TimeKind time_kind_of(KernelKind kind) {
  assert(!is_communication(kind));
  if (is_flash_attention(kind)) {
    return TimeKind::kAttention;
  }
  if (is_gemm(kind)) {
    return TimeKind::kGemm;
  }
  switch (kind) {
    case KernelKind::kLoadTokens:
    case KernelKind::kEmbeddingForward:
    case KernelKind::kEmbeddingBackward:
      return TimeKind::kEmbedding;
    case KernelKind::kLayerNormForward:
    case KernelKind::kLayerNormBackward:
    case KernelKind::kRmsNormForward:
    case KernelKind::kRmsNormBackward:
    case KernelKind::kQueryKeyNormForward:
    case KernelKind::kQueryKeyNormBackward:
      return TimeKind::kNorm;
    case KernelKind::kAttentionSoftmaxForward:
    case KernelKind::kAttentionSoftmaxBackward:
    case KernelKind::kCrossEntropyForward:
    case KernelKind::kCrossEntropyBackward:
      return TimeKind::kSoftmax;
    case KernelKind::kAdamW:
      return TimeKind::kOptimizer;
    default:
      return TimeKind::kElementwise;
  }
}

TimeKind time_kind_of(const Op& op) {
  assert(op.kind != OpKind::kCompute);
  if (op.kind == OpKind::kCopy) {
    return TimeKind::kCopy;
  }
  if (op.kind != OpKind::kCollective) {
    return TimeKind::kSendReceive;
  }
  switch (op.collective) {
    case CollectiveKind::kAllReduce:
      return TimeKind::kAllReduce;
    case CollectiveKind::kReduceScatter:
      return TimeKind::kReduceScatter;
    case CollectiveKind::kAllGather:
      return TimeKind::kAllGather;
    case CollectiveKind::kBroadcast:
      return TimeKind::kBroadcast;
    case CollectiveKind::kAllToAll:
      return TimeKind::kAllToAll;
    case CollectiveKind::kShift:
      return TimeKind::kSendReceive;
  }
  return TimeKind::kSendReceive;
}

}  // namespace portolan
