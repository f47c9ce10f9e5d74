#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// Why a candidate was not ranked.
enum class RejectReason : std::uint8_t {
  kNotAvailable,  ///< a field asks for what is not modelled yet
  kDegrees,       ///< ranks do not make up the scenario's GPUs, or exceed them
  kHeads,         ///< heads or MLP not divisible by the tensor-parallel degree
  kLayers,        ///< fewer layers than stages, or a layer list that does not sum up
  kBatch,         ///< the global batch is not whole microbatches a replica
  kLossy,         ///< loses part of the gradients, for which the scenario has not given leave
  kMemory,        ///< does not fit
  kDominated,     ///< slower than the best by the closed form, not simulated
  kBound,         ///< no better than them, whatever its open fields are
};
inline constexpr int kNumRejectReasons = static_cast<int>(RejectReason::kBound) + 1;
std::string_view reject_reason_name(RejectReason reason);

struct Rejection {
  RejectReason reason = RejectReason::kDegrees;
  std::string message;  ///< with the numbers

  bool operator==(const Rejection&) const = default;
};

/// The first rule that `strategy` breaks for `scenario`, memory aside.
std::optional<Rejection> find_rejection(const Scenario& scenario, const Strategy& strategy);

/// Microbatches that each replica runs in a step. Precondition: no rejection.
std::int32_t num_microbatches(const Scenario& scenario, const Strategy& strategy);

/// Of the scenario's model. Precondition: no rejection.
std::vector<std::int32_t> layers_of_stages(const Scenario& scenario, const Strategy& strategy);

/// Ranks that hold the same parameters (experts' aside); those that divide what ZeRO divides; and whether
/// these are gradients and parameters too.
std::int32_t num_data_ranks(const Strategy& strategy);
std::int32_t zero_sharers(const Strategy& strategy);
/// Likewise of an expert's parameters, which the ranks of an expert-parallel group do not share.
std::int32_t num_expert_data_ranks(const Strategy& strategy);
std::int32_t expert_sharers(const Strategy& strategy);
bool divides_gradients(const Strategy& strategy);
bool divides_parameters(const Strategy& strategy);
/// Whether ranks sum gradients that they all keep: without ZeRO all of them, else one of each group that
/// shares.
bool has_all_reduces(const Strategy& strategy);
/// Whether gradients are summed while the last microbatch runs backward, bucket by bucket; and whether what
/// ZeRO stage 1 divides is gathered while the first microbatch runs forward.
bool sums_beside_backward(const Strategy& strategy);
bool gathers_beside_forward(const Scenario& scenario, const Strategy& strategy);
/// Element size of accumulated gradients.
std::int64_t gradient_width(const SoftwareProfile& software, Precision precision);
/// Bytes of copies of each gradient that is updated, while the update runs.
std::int64_t update_copy_width(const SoftwareProfile& software, const Strategy& strategy);
/// What reductions of gradients after the passes take beside the tensors, and gathers of parameters, where
/// ZeRO stage 1 divides states on the devices.
Bytes reduce_buffer(const SoftwareProfile& software, const Strategy& strategy);
Bytes gather_buffer(const Scenario& scenario, const Strategy& strategy);
/// Of which the update reads the fp32 one.
inline constexpr std::int64_t kUpdateReads = 4;
/// Element size of gradients that are reduced in every backward (ZeRO 2 and 3).
std::int64_t reduction_width(const SoftwareProfile& software, Precision precision);

/// Hidden states between two stages on one rank: what it holds, and what is sent of it (a tensor-parallel
/// shard, which the receiver's group gathers, where the profile scatters sends).
struct BoundaryBytes {
  Bytes held;
  Bytes sent;
};
BoundaryBytes boundary_bytes(const Scenario& scenario, const Strategy& strategy);

/// What the profile makes of the model on one rank of this strategy.
BlockOptions block_options(const Scenario& scenario, const Strategy& strategy);

/// Element size of parameters and activations in compute.
std::int64_t compute_bytes(Precision precision);
/// Of activations, and of products that are not the layers' linear ones: with fp8 factors, bf16.
Precision wide_precision(Precision precision);

}  // namespace portolan
