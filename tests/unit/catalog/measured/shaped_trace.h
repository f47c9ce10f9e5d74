#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace portolan {

/// A call of an operation with the kernels that it launched, to be written as profilers record it.
struct ShapedCall {
  std::string operation;
  std::vector<std::vector<std::int64_t>> dims;
  std::string type = "c10::BFloat16";                   ///< of all inputs
  std::vector<std::string> values = {};                 ///< "Concrete Inputs"
  std::vector<std::pair<std::string, double>> kernels;  ///< name and us
  bool is_backward = false;
};

/// A collective with what c10d records of it.
struct ShapedCollective {
  std::string kernel = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)";
  std::string collective = "allreduce";
  std::int64_t elements_in = 0;
  std::int64_t elements_out = 0;
  std::int64_t group_size = 8;
  std::string ranks = "[0, 1, 2, 3, 4, 5, 6, 7]";
  double us = 0;
};

struct ShapedTrace {
  std::vector<ShapedCall> calls;
  std::vector<ShapedCollective> collectives;
  bool with_launches = true;  ///< else kernels name their operation by its external id
};

/// As torch.profiler exports it with record_shapes=True.
std::string kineto_text(const ShapedTrace& trace);

struct NsysSchema {
  bool has_processes = true;   ///< kernels say whose they are (globalPid)
  bool has_payloads = true;    ///< of NCCL's ranges
  bool text_in_table = false;  ///< ranges have their text themselves, rather than an id into StringIds
};
/// Writes a database as `nsys export --type sqlite` does of a run within emit_nvtx(record_shapes=True). Types
/// of inputs and values of others are not in it.
void write_nsys_database(const ShapedTrace& trace, const std::string& path, const NsysSchema& schema = {});
/// The same by any statements.
void write_database(const std::string& statements, const std::string& path);

/// Kernels as cuBLAS and flash-attention name them.
inline const std::string kGemmKernel = "ampere_bf16_s16816gemm_bf16_128x256_ldg8_f2f_stages_64x3_tn";
inline const std::string kFlashForward =
    "void pytorch_flash::flash_fwd_kernel<pytorch_flash::Flash_fwd_kernel_traits<128, 64, 64, 4, 0, 0, "
    "cutlass::bfloat16_t>, 0, 1, 0, 0, 1, 1, 0>(pytorch_flash::Flash_fwd_params)";
inline const std::string kFlashBackward =
    "void "
    "pytorch_flash::flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<pytorch_flash::Flash_bwd_kernel_traits<128, "
    "64, "
    "cutlass::bfloat16_t>, (bool)0, (bool)1, (bool)0>(pytorch_flash::Flash_bwd_params)";
inline const std::string kElementwiseKernel =
    "void at::native::vectorized_elementwise_kernel<4, at::native::GeluCUDAKernelImpl(c10::BFloat16)>";

}  // namespace portolan
