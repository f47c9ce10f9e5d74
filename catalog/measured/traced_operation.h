#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "catalog/measured/trace_events.h"
#include "model/kernel.h"
#include "topology/hardware.h"

namespace portolan {

// What an operation of PyTorch computes, told by its name and the sizes that it was called with
// (`record_shapes=True`). Sizes of inputs follow the operations' schemas (pytorch,
// aten/src/ATen/native/native_functions.yaml; flash-attention, flash_attn_interface.py).

/// batch products of m x k times k x n.
struct OperationProduct {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;

  auto operator<=>(const OperationProduct&) const = default;
};
/// aten::mm, addmm, bmm, baddbmm, linear, _scaled_mm, Transformer Engine's _Linear; nothing of others, or
/// without sizes that fit.
std::optional<OperationProduct> product_of(const TraceEvents::Operation& operation);

/// Attention in one kernel, queries and keys of one length.
struct OperationAttention {
  std::int64_t batch = 0, heads = 0, sequence = 0, head_dim = 0;
  bool causal = false;

  auto operator<=>(const OperationAttention&) const = default;
};
struct OperationAttentionPass {
  OperationAttention attention;
  bool is_backward = false;
};
/// PyTorch's flash attention and that of the package flash-attn; nothing of others, of packed sequences, or
/// where neither the operation ("Concrete Inputs") nor its kernel says whether it is causal.
std::optional<OperationAttentionPass> attention_of(const TraceEvents::Operation& operation,
                                                   std::optional<bool> causal_by_kernel = std::nullopt);
/// The third template argument of FlashAttention-2's kernels (flash-attention,
/// csrc/flash_attn/src/flash_fwd_kernel.h): "flash_fwd_kernel<Flash_fwd_kernel_traits<...>, (bool)0, (bool)1,
/// ...>". Nothing of others.
std::optional<bool> causal_in_name(std::string_view kernel);
/// Whether the operation is attention of one of these, sizes or not.
bool is_flash_operation(std::string_view name);

/// A pass over memory that a plan has as a kernel of its own.
struct OperationPass {
  KernelKind kind = KernelKind::kGeluForward;
  std::int64_t elements = 0;
  std::int64_t tensors = 0;   ///< read or written, of so many elements each, as wide as the input
  std::int64_t masks = 0;     ///< read or written, of a byte for each element
  bool forward_only = false;  ///< in backward it is something else
};
std::optional<OperationPass> pass_of(const TraceEvents::Operation& operation);

/// "c10::BFloat16" (Input type) or "BFloat16" (of a collective); nothing of integers and wider types.
std::optional<Precision> precision_of_type(std::string_view type);
/// Bytes of an element of any of their numeric types; 0: not known.
std::int64_t bytes_of_type(std::string_view type);
/// Told by a kernel's name, which has the type of its inputs in it: "ampere_bf16_s16816gemm_...".
std::optional<Precision> precision_in_name(std::string_view kernel);

}  // namespace portolan
