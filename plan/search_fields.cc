#include "plan/search_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

/// Values of one field, each once, as they come.
class Values {
 public:
  explicit Values(std::string word) { values_.word = std::move(word); }
  void add(std::string value) {
    if (seen_.insert(value).second) {
      values_.values.push_back(std::move(value));
    }
  }
  void add(std::int64_t value) { add(std::to_string(value)); }
  void add(bool value) { add(std::string(value ? "true" : "false")); }
  /// Numbers in ascending order, as branches come with them in many orders.
  FieldValues take() {
    const auto is_number = [](const std::string& value) {
      return value.find_first_not_of("0123456789") == std::string::npos;
    };
    if (std::all_of(values_.values.begin(), values_.values.end(), is_number)) {
      std::sort(values_.values.begin(), values_.values.end(), [](const auto& one, const auto& other) {
        return std::pair(one.size(), one) < std::pair(other.size(), other);
      });
    }
    return std::move(values_);
  }

 private:
  FieldValues values_;
  std::set<std::string> seen_;
};

std::string order_name(const Strategy& s) {
  std::string text;
  for (const Axis axis : s.axis_order) {
    text += (text.empty() ? "" : "-") + std::string(axis_name(axis));
  }
  return text;
}

std::string choice_name(const RecomputeChoice& choice) {
  if (const auto* block = std::get_if<RecomputeBlock>(&choice)) {
    return fmt::format("block:{}", block->num_layers);
  }
  return recompute_name(std::get<Recompute>(choice));
}

std::string bucket_name(Bytes bucket) { return bucket.value == 0 ? "0" : format_bytes(bucket); }

}  // namespace

std::vector<FieldValues> field_values(const SearchSpace& space) {
  Values tp("tp"), pp("pp"), dp("dp"), cp("cp"), ep("ep"), order("axis_order"), microbatch("microbatch");
  Values sequence("sequence_parallel"), schedule("schedule"), chunks("virtual_stages");
  Values recompute("recompute"), zero("zero"), group("zero_group"), offload("offload");
  Values aggregation("aggregation"), overlap("overlap"), bucket("bucket"), compression("compression");
  Values precision("precision"), layers("layers");
  for (std::size_t i = 0; i < space.num_branches(); ++i) {
    const SearchSpace::Branch branch = space.branch(i);
    const Strategy& stem = branch.stem;
    tp.add(std::int64_t{stem.tensor_parallel});
    pp.add(std::int64_t{stem.pipeline_parallel});
    dp.add(std::int64_t{stem.data_parallel});
    cp.add(std::int64_t{stem.context_parallel});
    ep.add(std::int64_t{stem.expert_parallel});
    order.add(order_name(stem));
    microbatch.add(stem.microbatch_size);
    sequence.add(stem.sequence_parallel);
    precision.add(std::string(precision_name(stem.precision)));
    layers.add(stem.layers_per_stage.empty() ? std::string("as even as can be")
                                             : fmt::format("{}", fmt::join(stem.layers_per_stage, ":")));
    for (const SearchSpace::Pipeline& pipeline : branch.pipelines) {
      schedule.add(std::string(schedule_name(pipeline.schedule)));
      chunks.add(std::int64_t{pipeline.virtual_stages});
      for (const RecomputeChoice& choice : pipeline.recomputes) {
        recompute.add(choice_name(choice));
      }
    }
    for (const SearchSpace::Sharding& sharding : branch.shardings) {
      zero.add(std::int64_t{sharding.zero_stage});
      group.add(std::int64_t{sharding.zero_group});
      offload.add(std::string(offload_name(sharding.offload)));
      for (const GradientAggregation& sums : sharding.aggregations) {
        aggregation.add(std::string(algorithm_name(sums.algorithm)));
        overlap.add(sums.overlap);
        bucket.add(bucket_name(sums.bucket));
        compression.add(compression_name(sums.compression));
      }
    }
  }
  std::vector<FieldValues> all;
  for (Values* values : {&tp,       &pp,          &dp,      &cp,     &ep,          &order,    &microbatch,
                         &sequence, &schedule,    &chunks,  &layers, &recompute,   &zero,     &group,
                         &offload,  &aggregation, &overlap, &bucket, &compression, &precision}) {
    all.push_back(values->take());
  }
  return all;
}

}  // namespace portolan
