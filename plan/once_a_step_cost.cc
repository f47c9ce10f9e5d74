#include "plan/once_a_step_cost.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "plan/collectives/collective_flows.h"
#include "plan/legality.h"
#include "plan/offload_pass.h"

namespace portolan {

namespace {

class OnceAStepPricing {
 public:
  OnceAStepPricing(const OnceAStepContext& context, const StageParameters& stage)
      : context_(context),
        strategy_(context.strategy),
        stage_(stage),
        shards_(strategy_.zero_stage >= 1 ? zero_sharers(strategy_) : 1),
        expert_shards_(strategy_.zero_stage >= 1 ? expert_sharers(strategy_) : 1),
        compressed_(compressed_sums(context.scenario, context.strategy, stage)),
        gradient_bytes_(gradient_width(context.scenario.software, strategy_.precision)) {}

  OnceAStepCost run(Seconds fill) const {
    OnceAStepCost cost;
    cost.packing = packing();
    cost.sync = sync() + cost.packing;
    cost.sync_ends = sync_ends();
    const std::int64_t elements = updated();
    const std::int64_t copies = update_copy_width(context_.scenario.software, strategy_);
    const std::int64_t read = copies > 0 ? kUpdateReads : gradient_bytes_;
    cost.update = per_tensor(KernelKind::kAdamW, elements,
                             elements * (2 * parameter_bytes() + read + 2 * state_bytes()));
    if (copies > 0) {
      cost.update +=
          per_tensor(KernelKind::kGradientConvert, elements, elements * (gradient_bytes_ + copies));
    }
    const bool divided = divides_gradients(strategy_);
    const std::int64_t zeroed = gradients().value / (divided ? shards_ : 1) +
                                expert_gradients().value / (divided ? expert_shards_ : 1);
    cost.zeroing = per_tensor(KernelKind::kFillZero, zeroed, zeroed);
    if (stage_.holds_loss) {
      cost.zeroing += time_of(KernelKind::kFillZero, 8, 8);
    }
    cost.gather = gather(cost.zeroing + fill);
    cost.offload = streaming(cost, Seconds(0));
    return cost;
  }

  Seconds streaming(const OnceAStepCost& cost, Seconds wait) const {
    std::vector<StreamedBlock> blocks;
    for (const std::int64_t elements : stage_.streamed) {
      const double share = static_cast<double>(elements) / static_cast<double>(updated());
      blocks.push_back({cost.update * share, context_.machine.copy.of(Bytes(elements * state_bytes()))});
    }
    return blocks.empty() ? Seconds(0)
                          : streaming_wait(blocks, cost.sync + wait + cost.sync_ends, cost.gather);
  }

 private:
  double share_of_collectives() const { return context_.kernel_cost.share_of_collectives(); }
  std::int64_t state_bytes() const { return context_.scenario.software.optimizer_bytes_per_parameter.value; }
  std::int64_t updated() const { return stage_.elements / shards_ + stage_.expert_elements / expert_shards_; }
  std::int64_t parameter_bytes() const { return compute_bytes(strategy_.precision); }
  Bytes gradients() const { return Bytes(stage_.elements * gradient_bytes_); }
  Bytes expert_gradients() const { return Bytes(stage_.expert_elements * gradient_bytes_); }
  bool whole_group() const { return shards_ == num_data_ranks(strategy_); }

  /// Where every rank has a shard of the gradients only, that is what is summed.
  double held() const { return divides_gradients(strategy_) ? static_cast<double>(shards_) : 1.0; }

  Seconds sync() const {
    const Seconds data =
        !compressed_.empty() ? compressed_wire()
        : sums_beside_backward(strategy_)
            ? exposed_sums(
                  stage_.backward_blocks, strategy_.gradient_aggregation.bucket,
                  [&](Bytes bucket, Bytes experts) { return data_sum(bucket) + expert_sum(experts); },
                  share_of_collectives())
            : data_sum(gradients()) + expert_sum(expert_gradients());
    return context_.machine.tensor.of(stage_.partial_gradients) / held() + data;
  }

  /// Kernels of compressed sums, with what the host takes longer to launch them.
  Seconds packing() const {
    Seconds time;
    std::int64_t num_kernels = 0;
    for (const CompressedSum& sum : compressed_) {
      for (const SumStep& step : sum.steps) {
        if (const auto* computed = std::get_if<SumKernel>(&step)) {
          time += context_.kernel_cost.time(computed->kernel) * static_cast<double>(computed->count);
          num_kernels += computed->count;
        }
      }
    }
    return time + context_.kernel_cost.host_excess(time, num_kernels);
  }

  Seconds compressed_wire() const {
    Seconds time;
    for (const CompressedSum& sum : compressed_) {
      for (const SumStep& step : sum.steps) {
        if (const auto* sent = std::get_if<SumCollective>(&step)) {
          time += sent->group == GroupKind::kAxes && !sum.expert && is_measured()
                      ? data_collective(sent->kind, sent->bytes)
                      : sum_line(*sent, sum.expert).of(sent->bytes);
        }
      }
    }
    return time;
  }

  Seconds sync_ends() const {
    return context_.machine.ends.of(Bytes(stage_.tied * gradient_bytes_)) / held();
  }

  Seconds data_sum(Bytes gradients_of_bucket) const {
    if (strategy_.zero_stage == 0) {
      return data_collective(CollectiveKind::kAllReduce, gradients_of_bucket);
    }
    // Reduced within the sharding group, added up across groups.
    Seconds time;
    if (shards_ > 1 && !divides_gradients(strategy_)) {
      time += within(CollectiveKind::kReduceScatter, gradients_of_bucket);
    }
    if (!whole_group()) {
      const std::int64_t shard = gradients_of_bucket.value / shards_;
      const std::int64_t reduced = reduction_width(context_.scenario.software, strategy_.precision);
      time += context_.machine.strides.all_reduce.of(
          Bytes(divides_gradients(strategy_) ? shard / gradient_bytes_ * reduced : shard));
    }
    return time;
  }

  /// Over the ranks that hold the same experts.
  Seconds expert_sum(Bytes bytes) const {
    const GroupCosts& group = context_.machine.expert_data;
    return strategy_.zero_stage == 0      ? group.all_reduce.of(bytes)
           : divides_gradients(strategy_) ? Seconds(0)
                                          : group.reduce_scatter.of(bytes);
  }

  Seconds gather(Seconds start) const {
    if (strategy_.zero_stage == 0 || shards_ == 1 || divides_parameters(strategy_)) {
      return {};
    }
    const auto gather_of = [&](Bytes bytes, Bytes experts) {
      return within(CollectiveKind::kAllGather, bytes) + context_.machine.expert_data.all_gather.of(experts);
    };
    return gathers_beside_forward(context_.scenario, strategy_)
               ? exposed_gathers(stage_.forward_blocks, strategy_.gradient_aggregation.bucket, gather_of,
                                 start, share_of_collectives())
               : gather_of(Bytes(stage_.elements * parameter_bytes()),
                           Bytes(stage_.expert_elements * parameter_bytes()));
  }

  static const CommunicationLine& line(const GroupCosts& group, CollectiveKind kind) {
    return kind == CollectiveKind::kAllReduce       ? group.all_reduce
           : kind == CollectiveKind::kReduceScatter ? group.reduce_scatter
           : kind == CollectiveKind::kAllToAll      ? group.all_to_all
                                                    : group.all_gather;
  }
  /// What is gathered are sums of gradients.
  const CommunicationLine& sum_line(const SumCollective& sent, bool expert) const {
    const MachineCosts& machine = context_.machine;
    const NodeHops& hops = expert ? machine.expert_data_hops : machine.data_hops;
    const GroupCosts& group = sent.group == GroupKind::kBlock    ? hops.within
                              : sent.group == GroupKind::kStride ? hops.across
                              : expert                           ? machine.expert_data
                                                                 : machine.data;
    return sent.kind == CollectiveKind::kAllGather ? group.sum_gather : line(group, sent.kind);
  }

  Seconds within(CollectiveKind kind, Bytes bytes) const {
    return whole_group() ? data_collective(kind, bytes) : line(context_.machine.sharers, kind).of(bytes);
  }

  bool is_measured() const { return !context_.cluster.hardware().collective_points.empty(); }

  Seconds data_collective(CollectiveKind kind, Bytes bytes) const {
    const std::int32_t ranks = num_data_ranks(strategy_);
    if (ranks == 1) {
      return {};
    }
    if (!is_measured()) {
      return line(context_.machine.data, kind).of(bytes);
    }
    std::vector<DeviceIndex> members;  // measured times are no line
    for (std::int32_t d = 0; d < ranks; ++d) {
      members.push_back(d);
    }
    return uncontended_time(
        context_.cluster,
        collective_flows(context_.cluster, {.kind = kind, .members = std::move(members), .payload = bytes}));
  }

  Seconds time_of(KernelKind kind, std::int64_t elements, std::int64_t bytes) const {
    return context_.kernel_cost.time(
        {.kind = kind, .shape = {.rows = elements}, .flops = {}, .bytes = Bytes(bytes), .operands = {}});
  }

  /// One kernel's time for the mean tensor, as often as there are tensors.
  Seconds per_tensor(KernelKind kind, std::int64_t elements, std::int64_t bytes) const {
    const std::int64_t tensors = stage_.num_tensors;
    const std::int64_t larger = bytes % tensors;
    return time_of(kind, elements / tensors, bytes / tensors) * static_cast<double>(tensors - larger) +
           time_of(kind, elements / tensors, bytes / tensors + 1) * static_cast<double>(larger);
  }

  const OnceAStepContext& context_;
  const Strategy& strategy_;
  const StageParameters& stage_;
  std::int64_t shards_;
  std::int64_t expert_shards_;
  std::vector<CompressedSum> compressed_;
  std::int64_t gradient_bytes_;
};

}  // namespace

std::vector<CompressedSum> compressed_sums(const Scenario& scenario, const Strategy& s,
                                           const StageParameters& stage) {
  const Compression& compression = s.gradient_aggregation.compression;
  std::vector<CompressedSum> sums;
  for (const bool expert : {false, true}) {
    if (compression.is_none()) {
      break;
    }
    GradientSum gradients = gradient_sum(scenario, s, expert);
    gradients.elements = expert ? stage.expert_elements : stage.elements;
    if (gradients.elements == 0 || gradients.num_ranks == 1) {
      continue;
    }
    std::copy_if(stage.matrices.begin(), stage.matrices.end(), std::back_inserter(gradients.matrices),
                 [&](const GradientMatrix& matrix) {
                   return matrix.expert == expert && matrix.is_factored(compression.rank);
                 });
    sums.push_back(compressed_sum(compression, gradients));
    sums.back().expert = expert;
  }
  return sums;
}

OnceAStepCost once_a_step_cost(const OnceAStepContext& context, const StageParameters& stage, Seconds fill) {
  return OnceAStepPricing(context, stage).run(fill);
}

Seconds offload_after(const OnceAStepContext& context, const StageParameters& stage,
                      const OnceAStepCost& cost, Seconds wait) {
  return OnceAStepPricing(context, stage).streaming(cost, wait);
}

}  // namespace portolan
