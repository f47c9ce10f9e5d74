#include "kineto_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <vector>

#include "plan/rank_place.h"

namespace portolan {

namespace {

constexpr double kGapUs = 2;  ///< of a host between launches

/// Names that kernels of a kind go by; one is taken for each kind of kernel.
std::string_view kernel_label(KernelKind kind) {
  const auto pick = [&](std::initializer_list<std::string_view> names) {
    return *(names.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(kind) % names.size()));
  };
  switch (time_kind_of(kind)) {
    case TimeKind::kGemm:
      return pick({"ampere_bf16_s16816gemm_bf16_128x128_ldg8_f2f_stages_32x5_tn",
                   "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_bf16_256x128_32x3_nt_align8>",
                   "sm80_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64",
                   "nvjet_tst_192x192_64x3_2x1_v_bz_coopB_TNN"});
    case TimeKind::kAttention:
      return pick({"void flash_fwd_kernel<Flash_fwd_kernel_traits<128, 128, 64, 4>, true>",
                   "void pytorch_flash::flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<128>"});
    case TimeKind::kSoftmax:
      return "void (anonymous namespace)::scaled_upper_triang_masked_softmax_warp_forward<__nv_bfloat16>";
    case TimeKind::kNorm:
      return pick({"void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float>",
                   "void cuComputeGradInput<__nv_bfloat16, float>"});
    case TimeKind::kEmbedding:
      return "void at::native::(anonymous namespace)::indexSelectLargeIndex<c10::BFloat16>";
    case TimeKind::kOptimizer:
      return "void multi_tensor_apply_kernel<TensorListMetadata<4>, AdamFunctor<float>>";
    default:
      return "void at::native::vectorized_elementwise_kernel<4, at::native::GeluCUDAKernelImpl>";
  }
}

struct CollectiveLabel {
  std::string_view kernel;
  std::string_view call;
};
CollectiveLabel collective_label(TimeKind kind) {
  switch (kind) {
    case TimeKind::kAllReduce:
      return {"ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "allreduce"};
    case TimeKind::kReduceScatter:
      return {"ncclDevKernel_ReduceScatter_Sum_f32_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
              "_reduce_scatter_base"};
    case TimeKind::kAllGather:
      return {"ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "_allgather_base"};
    case TimeKind::kBroadcast:
      return {"ncclDevKernel_Broadcast_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "broadcast"};
    case TimeKind::kAllToAll:
      return {"ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)", "all_to_allv"};
    default:
      return {"ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)", "recv"};
  }
}

/// The list as c10d writes it: shortened in the middle where it is long.
std::string rank_list(const std::vector<std::int32_t>& ranks) {
  constexpr std::size_t kShown = 6;
  if (ranks.size() <= kShown) {
    return fmt::format("[{}]", fmt::join(ranks, ", "));
  }
  return fmt::format("[{}, ..., {}]", fmt::join(ranks.begin(), ranks.begin() + kShown - 1, ", "),
                     ranks.back());
}

class KinetoWriter {
 public:
  KinetoWriter(const Program& program, const KernelCost& cost, const Timeline& timeline, std::int32_t rank,
               const MadeUpRun& run, RandomStream random)
      : program_(program),
        cost_(cost),
        rank_(rank),
        run_(run),
        random_(random),
        makespan_us_(timeline.makespan.value * 1e6) {
    for (const TimelineEntry& entry : timeline.entries) {
      if (entry.rank == rank) {
        times_[entry.op_id] = {entry.start.value * 1e6, entry.end.value * 1e6};
      }
    }
  }

  std::string write() {
    double start_us = 1000;
    for (int step = 0; step < run_.num_steps; ++step) {
      start_us = write_step(step, start_us);
    }
    return fmt::format(
        "{{\"schemaVersion\": 1, \"distributedInfo\": {{\"backend\": \"nccl\", \"rank\": {}, \"world_size\": "
        "{}}},\n"
        "\"traceEvents\": [\n{}\n]}}\n",
        rank_, program_.num_ranks(), fmt::join(events_, ",\n"));
  }

 private:
  struct Times {
    double start_us = 0;
    double end_us = 0;
  };

  void event(std::string_view category, std::string_view name, double start_us, double length_us,
             std::int64_t thread, const std::string& arguments = "") {
    events_.push_back(
        fmt::format("{{\"ph\": \"X\", \"cat\": \"{}\", \"name\": \"{}\", \"pid\": 1, \"tid\": {}, "
                    "\"ts\": {:.3f}, \"dur\": {:.3f}, \"args\": {{{}}}}}",
                    category, name, thread, start_us, length_us, arguments));
  }

  /// The operations around a launch: threads are autograd's (7) and the main one (5).
  void launch(const Op& op, std::int64_t correlation) {
    if (!run_.with_launches) {
      return;
    }
    const double at = host_us_;
    host_us_ += kGapUs;
    const Phase phase = op.phase;
    const bool in_backward = phase == Phase::kBackward || phase == Phase::kBackwardInput ||
                             phase == Phase::kBackwardWeight || phase == Phase::kRecompute;
    const std::int64_t thread = in_backward ? 7 : 5;
    if (in_backward) {
      event("cpu_op", "autograd::engine::evaluate_function: CheckpointFunctionBackward", at, 1.5, thread,
            "\"Sequence number\": 12, \"Fwd thread id\": 1");
    }
    if (phase == Phase::kRecompute || phase == Phase::kForward) {
      event("cpu_op", "aten::linear", at + 0.1, 1.2, thread, "\"Sequence number\": 15, \"Fwd thread id\": 0");
    }
    if (phase == Phase::kOptimizer) {
      event("user_annotation", "Optimizer.step#AdamW.step", at, 1.5, thread);
    }
    event("cuda_runtime", "cudaLaunchKernel", at + 0.5, 0.5, thread,
          fmt::format("\"correlation\": {}", correlation));
  }

  double noisy(double length_us) {
    return length_us * step_factor_ * std::max(0.1, 1 + run_.kernel_noise * random_.next_normal());
  }

  /// Its kernels from `at_us` on; returns what they took beyond the prediction.
  double write_compute(const Op& op, double at_us) {
    double clock = at_us;
    double beyond = 0;
    for (const Kernel& kernel : op.kernels) {
      const double predicted = cost_.time(kernel).value * 1e6;
      const double length = noisy(predicted * run_.slowdown(time_kind_of(kernel.kind), op));
      launch(op, ++correlation_);
      event("kernel", kernel_label(kernel.kind), clock, length, 100,
            fmt::format("\"stream\": 7, \"correlation\": {}", correlation_));
      clock += length;
      beyond += length - predicted;
    }
    return beyond;
  }

  double write_communication(const Op& op, double at_us, double predicted_us) {
    const TimeKind kind = time_kind_of(op);
    const double length = noisy(predicted_us * run_.slowdown(kind, op));
    launch(op, ++correlation_);
    if (kind == TimeKind::kCopy) {
      event("gpu_memcpy", "Memcpy DtoH (Device -> Pinned)", at_us, length, 103,
            fmt::format("\"stream\": 30, \"correlation\": {}", correlation_));
      return length - predicted_us;
    }
    const CollectiveLabel label = collective_label(kind);
    std::vector<std::int32_t> ranks;
    if (op.kind == OpKind::kCollective) {
      ranks = group_of(program_, rank_, op);
    } else {
      ranks = placement_of(program_).ranks_along(rank_, {Axis::kPipeline});
    }
    const std::string list =
        run_.with_rank_lists ? fmt::format(", \"Process Group Ranks\": \"{}\"", rank_list(ranks)) : "";
    event("kernel", label.kernel, at_us, length, 102,
          fmt::format(
              "\"stream\": 22, \"correlation\": {}, \"Collective name\": \"{}\", \"In msg nelems\": {}, "
              "\"dtype\": \"BFloat16\", \"Group size\": {}{}",
              correlation_, label.call, op.bytes.value / 2, ranks.size(), list));
    return length - predicted_us;
  }

  /// Everything is as late as the compute lane has become; returns where the next step starts.
  double write_step(int step, double start_us) {
    const std::int32_t stage_index = stage_of(program_, rank_);
    const Stage& stage = program_.stages[static_cast<std::size_t>(stage_index)];
    const OpIds ids(program_);
    struct Placed {
      const Op* op;
      Times times;
    };
    std::vector<Placed> ops;
    for (const Slot& slot : stage.order) {
      const Template& t = stage.templates[static_cast<std::size_t>(slot.template_index)];
      for (std::size_t o = 0; o < t.ops.size(); ++o) {
        const auto found = times_.find(
            ids.id(stage_index, slot.template_index, static_cast<std::int32_t>(o), slot.microbatch));
        if (found != times_.end() && t.ops[o].kind != OpKind::kSend) {
          ops.push_back({&t.ops[o], found->second});
        }
      }
    }
    std::stable_sort(ops.begin(), ops.end(),
                     [](const Placed& a, const Placed& b) { return a.times.start_us < b.times.start_us; });
    const double host_start = start_us - 500;
    host_us_ = host_start + 1;
    double late = 0;
    step_factor_ = (step == run_.disturbed_step ? 1.5 : 1) * (1 + run_.step_noise * random_.next_normal());
    for (const Placed& one : ops) {
      const double at = start_us + one.times.start_us + late;
      if (one.op->kind == OpKind::kCompute) {
        late += write_compute(*one.op, at);
      } else {
        // Within kernels compute waits for it; beside them it does not.
        const double beyond = write_communication(*one.op, at, one.times.end_us - one.times.start_us);
        late += one.op->axes == AxisSet{Axis::kTensor} ? beyond : 0;
      }
    }
    const double end_us = start_us + makespan_us_ + late;
    const double host_end = std::max(end_us - 500, host_us_ + 1);
    if (run_.with_step_marks) {
      event("user_annotation", fmt::format("ProfilerStep#{}", step + 3), host_start, host_end - host_start,
            5);
    }
    return std::max(end_us, host_end + 500);
  }

  const Program& program_;
  const KernelCost& cost_;
  std::int32_t rank_;
  const MadeUpRun& run_;
  RandomStream random_;
  double makespan_us_;
  std::unordered_map<std::int64_t, Times> times_;
  std::vector<std::string> events_;
  std::int64_t correlation_ = 0;
  double host_us_ = 0;
  double step_factor_ = 1;
};

}  // namespace

std::string write_kineto_trace(const Program& program, const KernelCost& cost, const Timeline& timeline,
                               std::int32_t rank, const MadeUpRun& run, RandomStream random) {
  return KinetoWriter(program, cost, timeline, rank, run, random).write();
}

}  // namespace portolan
