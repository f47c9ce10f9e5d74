#include "catalog/measured/kernel_rules.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(KernelRules, NamesThatLibrariesUse) {
  const struct {
    const char* name;
    TimeKind kind;
  } table[] = {
      {"ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", TimeKind::kAllReduce},
      {"ncclKernel_ReduceScatter_RING_LL_Sum_half(ncclWorkElem)", TimeKind::kReduceScatter},
      {"ncclDevKernel_AllGather_RING_LL", TimeKind::kAllGather},
      {"ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)", TimeKind::kSendReceive},
      {"ncclDevKernel_Broadcast_RING_LL", TimeKind::kBroadcast},
      {"ncclDevKernel_SomethingNew", TimeKind::kUnknown},
      {"Memcpy DtoD (Device -> Device)", TimeKind::kElementwise},
      {"Memcpy HtoD (Pageable -> Device)", TimeKind::kCopy},
      {"Memset (Device)", TimeKind::kElementwise},
      {"void at::native::(anonymous namespace)::multi_tensor_apply_kernel<TensorListMetadata<4>, FusedAdam>",
       TimeKind::kOptimizer},
      {"void flash_fwd_kernel<Flash_fwd_kernel_traits<128, 128, 64, 4, false, cutlass::bfloat16_t>, true>",
       TimeKind::kAttention},
      {"fmha_cutlassF_bf16_aligned_64x128_rf_sm80(PyTorchMemEffAttention::AttentionKernel)",
       TimeKind::kAttention},
      {"cudnn_generated_fort_native_sdpa_sm90_flash_bprop_wgmma_f16_knob_3", TimeKind::kAttention},
      {"void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float, float>", TimeKind::kNorm},
      {"void cuComputePartGradGammaBeta<float, float, c10::Half>", TimeKind::kNorm},
      {"void transformer_engine::normalization::rmsnorm_fwd_tuned_kernel<Traits>", TimeKind::kNorm},
      {"void (anonymous namespace)::scaled_masked_softmax_warp_forward<__half, __half, float, 11>",
       TimeKind::kSoftmax},
      {"void at::native::(anonymous namespace)::cunn_SoftMaxForward<8, float>", TimeKind::kSoftmax},
      {"ampere_fp16_s16816gemm_fp16_128x128_ldg8_f2f_stages_32x5_tn", TimeKind::kGemm},
      {"sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64", TimeKind::kGemm},
      {"nvjet_hsh_256x128_64x4_1x2_h_bz_coopA_NNT", TimeKind::kGemm},
      {"void cutlass::Kernel<cutlass_80_tensorop_f16_s16816gemm_relu_f16_256x128>", TimeKind::kGemm},
      {"void cublasLt::splitKreduce_kernel<32, 16, int, float>", TimeKind::kGemm},
      {"void at::native::(anonymous namespace)::indexSelectLargeIndex<c10::BFloat16>", TimeKind::kEmbedding},
      {"void at::native::(anonymous namespace)::embedding_backward_feature_kernel<float>",
       TimeKind::kEmbedding},
      {"void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>>",
       TimeKind::kElementwise},
      {"void at::native::reduce_kernel<128, 4, at::native::ReduceOp<float>>", TimeKind::kElementwise},
      {"triton_poi_fused_mul_silu_3", TimeKind::kElementwise},
      {"triton_red_fused_native_layer_norm_0", TimeKind::kNorm},
      {"my_own_kernel", TimeKind::kUnknown},
      {"", TimeKind::kUnknown},
  };
  for (const auto& row : table) {
    EXPECT_EQ(time_kind_name(time_kind_of_kernel(row.name)), time_kind_name(row.kind)) << row.name;
  }
}

TEST(KernelRules, CollectivesAsPyTorchCallsThem) {
  EXPECT_EQ(time_kind_of_collective("_allgather_base"), TimeKind::kAllGather);
  EXPECT_EQ(time_kind_of_collective("_reduce_scatter_base"), TimeKind::kReduceScatter);
  EXPECT_EQ(time_kind_of_collective("allreduce"), TimeKind::kAllReduce);
  EXPECT_EQ(time_kind_of_collective("all_to_allv"), TimeKind::kAllToAll);
  EXPECT_EQ(time_kind_of_collective("send"), TimeKind::kSendReceive);
  EXPECT_EQ(time_kind_of_collective("coalesced"), TimeKind::kUnknown);
}

}  // namespace
}  // namespace portolan
