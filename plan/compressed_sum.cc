#include "plan/compressed_sum.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <initializer_list>
#include <map>
#include <utility>

#include "plan/legality.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

constexpr std::int64_t kWide = 4;         ///< residuals, scales, factors: fp32
constexpr std::int64_t kIndexed = 4 + 4;  ///< a value in fp32 and its place within its tensor

constexpr std::int64_t divided_up(std::int64_t number, std::int64_t by) { return (number + by - 1) / by; }

/// Appends steps and sizes buffers.
class CompressedSumBuilder {
 public:
  CompressedSumBuilder(const Compression& compression, const GradientSum& sum)
      : compression_(compression), sum_(sum) {}

  CompressedSum run() {
    switch (compression_.kind) {
      case CompressionKind::kNone:
        break;
      case CompressionKind::kBf16:
      case CompressionKind::kFp8:
        sum_narrow();
        break;
      case CompressionKind::kInt8:
      case CompressionKind::kInt4:
        exchange_parts();
        break;
      case CompressionKind::kTopK:
        gather_largest();
        break;
      case CompressionKind::kPowerSgd:
        sum_factors();
        break;
    }
    return std::move(built_);
  }

 private:
  using B = SumBuffer;
  struct Use {
    SumBuffer buffer;
    Access access;
  };

  void size(SumBuffer buffer, Bytes bytes) { built_.bytes[static_cast<std::size_t>(buffer)] = bytes; }

  SumKernel& add(KernelKind kind, Bytes bytes, std::initializer_list<Use> uses, std::int64_t elements) {
    Kernel kernel{.kind = kind,
                  .shape = {.rows = elements, .columns = 1},
                  .flops = Flops(static_cast<double>(elements)),
                  .bytes = bytes,
                  .operands = {}};
    for (const Use& use : uses) {
      kernel.operands.push_back({static_cast<int>(use.buffer), use.access});
    }
    built_.steps.emplace_back(SumKernel{.kernel = std::move(kernel)});
    return std::get<SumKernel>(built_.steps.back());
  }

  void collective(CollectiveKind kind, Bytes bytes, std::vector<SumBuffer> buffers) {
    built_.steps.emplace_back(SumCollective{.kind = kind, .bytes = bytes, .buffers = std::move(buffers)});
  }

  /// Elements whose sum a rank reads.
  std::int64_t elements_read() const {
    return sum_.scatters ? divided_up(sum_.elements, sum_.num_ranks) : sum_.elements;
  }
  Bytes gradients(std::int64_t elements) const { return Bytes(elements * sum_.gradient_bytes); }
  Bytes packed(std::int64_t elements) const { return packed_bytes(compression_.kind, elements); }

  void pack() {
    size(B::kPacked, packed(sum_.elements));
    std::initializer_list<Use> scaled = {
        {B::kPacked, Access::kWrite}, {B::kGradients, Access::kRead}, {B::kScale, Access::kRead}};
    std::initializer_list<Use> plain = {{B::kPacked, Access::kWrite}, {B::kGradients, Access::kRead}};
    add(KernelKind::kGradientPack, gradients(sum_.elements) + packed(sum_.elements),
        compression_.kind == CompressionKind::kFp8 ? scaled : plain, sum_.elements);
  }

  void unpack(std::int64_t elements) {
    add(KernelKind::kGradientUnpack, packed(elements) + gradients(elements),
        {{B::kGradients, Access::kWrite}, {B::kPacked, Access::kRead}}, elements);
  }

  /// Rounded, summed as any vector is, and widened. fp8 by the largest scale that fits all ranks, one for the
  /// whole sum: FP8-LM's one for each tensor take the same collective's latency.
  void sum_narrow() {
    if (compression_.kind == CompressionKind::kFp8) {
      size(B::kScale, Bytes(kWide));
      add(KernelKind::kGradientScale, gradients(sum_.elements) + Bytes(kWide),
          {{B::kScale, Access::kWrite}, {B::kGradients, Access::kRead}}, sum_.elements);
      collective(CollectiveKind::kAllReduce, Bytes(kWide), {B::kScale});
    }
    pack();
    collective(sum_.scatters ? CollectiveKind::kReduceScatter : CollectiveKind::kAllReduce,
               packed(sum_.elements), {B::kPacked});
    unpack(elements_read());
  }

  /// Rank i gets part i of all ranks' vectors, adds them up and, where all need all of the sum, gives it back
  /// as small as it came. In hops: first among the ranks of a node, then, with what they added up, among
  /// those of one place in all nodes (qgZ).
  void exchange_parts() {
    struct Hop {
      GroupKind group;
      std::int64_t ranks;
      std::int64_t elements;  ///< that it exchanges
    };
    std::vector<Hop> hops{{GroupKind::kAxes, sum_.num_ranks, sum_.elements}};
    if (const std::int64_t near = sum_.ranks_per_node; near > 1) {
      hops = {{GroupKind::kBlock, near, sum_.elements},
              {GroupKind::kStride, sum_.num_ranks / near, divided_up(sum_.elements, near)}};
    }
    const auto move = [&](const Hop& hop, CollectiveKind kind, std::vector<SumBuffer> buffers) {
      collective(kind, packed(hop.elements), std::move(buffers));
      auto& sent = std::get<SumCollective>(built_.steps.back());
      sent.group = hop.group;
      sent.group_size = static_cast<std::int32_t>(sum_.ranks_per_node);
    };
    pack();
    size(B::kReceived, packed(sum_.elements));
    for (const Hop& hop : hops) {
      move(hop, CollectiveKind::kAllToAll, {B::kReceived, B::kPacked});
      const std::int64_t part = divided_up(hop.elements, hop.ranks);
      const bool widens = sum_.scatters && &hop == &hops.back();
      add(KernelKind::kQuantizedSum, packed(hop.elements) + (widens ? gradients(part) : packed(part)),
          {{widens ? B::kGradients : B::kPacked, Access::kWrite}, {B::kReceived, Access::kRead}},
          hop.elements);
    }
    if (!sum_.scatters) {
      std::for_each(hops.rbegin(), hops.rend(),
                    [&](const Hop& hop) { move(hop, CollectiveKind::kAllGather, {B::kPacked}); });
      unpack(sum_.elements);
    }
  }

  /// Gradients are added to what was not sent before; of that the largest are sent and the others stay. Which
  /// are largest a threshold says, from a sample too small to count (Lin et al., section 5). Each rank's are
  /// others: what is gathered grows with the ranks.
  void gather_largest() {
    const std::int64_t all = sum_.elements;
    const std::int64_t sent =
        std::max<std::int64_t>(std::llround(compression_.share * static_cast<double>(all)), 1);
    const std::int64_t gathered = sent * sum_.num_ranks;
    size(B::kResiduals, Bytes(all * kWide));
    size(B::kPacked, Bytes(gathered * kIndexed));
    accumulate_residuals(all);
    add(KernelKind::kTopKSelect, Bytes(all * kWide + sent * (kIndexed + kWide)),
        {{B::kPacked, Access::kWrite}, {B::kResiduals, Access::kUpdate}}, all);
    collective(CollectiveKind::kAllGather, Bytes(gathered * kIndexed), {B::kPacked});
    // All gradients are zeroed first.
    add(KernelKind::kTopKScatter, gradients(all) + Bytes(gathered * (kIndexed + 2 * sum_.gradient_bytes)),
        {{B::kGradients, Access::kWrite}, {B::kPacked, Access::kRead}}, all);
  }

  SumKernel& accumulate_residuals(std::int64_t elements) {
    return add(KernelKind::kGradientAdd, gradients(elements) + Bytes(2 * elements * kWide),
               {{B::kResiduals, Access::kUpdate}, {B::kGradients, Access::kRead}}, elements);
  }

  /// Algorithm 1 of PowerSGD for each matrix M of gradients and what was left out before: P = M Q, summed and
  /// orthogonalised; Q = M^T P, summed; P Q^T is the sum. Q is the last step's (section 4.2, warm start).
  void sum_factors() {
    const std::int64_t rank = compression_.rank;
    std::int64_t factored = 0, rows = 0, columns = 0;
    for (const GradientMatrix& m : sum_.matrices) {
      factored += m.count * m.rows * m.columns;
      rows += m.count * m.rows;
      columns += m.count * m.columns;
    }
    size(B::kResiduals, Bytes(factored * kWide));
    size(B::kLeft, Bytes(rows * rank * kWide));
    size(B::kRight, Bytes(columns * rank * kWide));
    if (sum_.elements > factored) {
      collective(CollectiveKind::kAllReduce, gradients(sum_.elements - factored), {B::kVectors});
    }
    if (factored == 0) {
      return;
    }
    for_each_matrix(
        [&](const GradientMatrix& m) -> SumKernel& { return accumulate_residuals(m.rows * m.columns); });
    for_each_matrix([&](const GradientMatrix& m) -> SumKernel& {
      return product(
          m, {{B::kLeft, Access::kWrite}, {B::kResiduals, Access::kRead}, {B::kRight, Access::kRead}});
    });
    collective(CollectiveKind::kAllReduce, of(B::kLeft), {B::kLeft});
    for_each_matrix([&](const GradientMatrix& m) -> SumKernel& {
      // Gram-Schmidt: each column is read and written, and so are those after it.
      SumKernel& step = add(KernelKind::kOrthogonalize, Bytes(m.rows * rank * (rank + 1) * kWide),
                            {{B::kLeft, Access::kUpdate}}, m.rows * rank);
      step.kernel.flops = Flops(2.0 * static_cast<double>(m.rows * rank * rank));
      return step;
    });
    for_each_matrix([&](const GradientMatrix& m) -> SumKernel& {
      return product(
          m, {{B::kRight, Access::kWrite}, {B::kResiduals, Access::kRead}, {B::kLeft, Access::kRead}});
    });
    collective(CollectiveKind::kAllReduce, of(B::kRight), {B::kRight});
    for_each_matrix([&](const GradientMatrix& m) -> SumKernel& {
      const std::int64_t elements = m.rows * m.columns;
      SumKernel& step =
          add(KernelKind::kLowRankExpand, gradients(elements) + Bytes(2 * elements * kWide) + factors(m),
              {{B::kGradients, Access::kWrite},
               {B::kResiduals, Access::kUpdate},
               {B::kLeft, Access::kRead},
               {B::kRight, Access::kRead}},
              elements);
      return as_product(step, m);
    });
  }

  /// `make`: the step of one matrix.
  template <typename Make>
  void for_each_matrix(const Make& make) {
    for (std::size_t i = 0; i < sum_.matrices.size(); ++i) {
      SumKernel& step = make(sum_.matrices[i]);
      step.count = sum_.matrices[i].count;
      step.matrix = i;
    }
  }

  Bytes of(SumBuffer buffer) const { return built_.of(buffer); }
  Bytes factors(const GradientMatrix& m) const {
    return Bytes((m.rows + m.columns) * compression_.rank * kWide);
  }

  /// Of a matrix with one of its factors: the other one.
  SumKernel& product(const GradientMatrix& m, std::initializer_list<Use> uses) {
    const std::int64_t elements = m.rows * m.columns;
    return as_product(add(KernelKind::kLowRankProduct, Bytes(elements * kWide) + factors(m), uses, elements),
                      m);
  }
  SumKernel& as_product(SumKernel& step, const GradientMatrix& m) const {
    step.kernel.shape = {.rows = m.rows, .columns = m.columns, .inner = compression_.rank};
    step.kernel.flops = Flops(2.0 * static_cast<double>(m.rows * m.columns) * compression_.rank);
    return step;
  }

  const Compression& compression_;
  const GradientSum& sum_;
  CompressedSum built_;
};

}  // namespace

std::vector<GradientMatrix> gradient_matrices(const Block& block, bool with_tied) {
  std::vector<GradientMatrix> matrices;
  for (const Tensor& tensor : block.tensors) {
    const bool is_matrix = tensor.role == TensorRole::kParameter && tensor.rows > 1;
    if (is_matrix && (with_tied || !tensor.tied_to_embedding)) {
      matrices.push_back(
          {.rows = tensor.rows, .columns = tensor.elements / tensor.rows, .expert = tensor.expert});
    }
  }
  return matrices;
}

void add_matrices(std::vector<GradientMatrix>& into, const std::vector<GradientMatrix>& more,
                  std::int64_t times) {
  for (const GradientMatrix& added : more) {
    const auto same = std::find_if(into.begin(), into.end(), [&](const GradientMatrix& known) {
      return known.rows == added.rows && known.columns == added.columns && known.expert == added.expert;
    });
    if (same == into.end()) {
      into.push_back(added);
      into.back().count *= times;
    } else {
      same->count += added.count * times;
    }
  }
}

Bytes packed_bytes(CompressionKind kind, std::int64_t elements) {
  switch (kind) {
    case CompressionKind::kBf16:
      return Bytes(2 * elements);
    case CompressionKind::kFp8:
      return Bytes(elements);
    case CompressionKind::kInt8:
    case CompressionKind::kInt4: {
      const std::int64_t a_byte = kind == CompressionKind::kInt8 ? 1 : 2;
      return Bytes(divided_up(elements, a_byte) + kWide * divided_up(elements, kQuantizationBlock));
    }
    default:
      assert(false);
      return {};
  }
}

CompressedSum compressed_sum(const Compression& compression, const GradientSum& sum) {
  assert(!compression.is_none() && sum.num_ranks > 1);
  return CompressedSumBuilder(compression, sum).run();
}

namespace {

/// Ranks of a group that sums over `axes` on each node, where all nodes that have any have as many; else 1.
std::int64_t ranks_on_a_node(const Scenario& scenario, const Strategy& strategy, AxisSet axes) {
  Op op;
  op.kind = OpKind::kCollective;
  op.axes = axes;
  std::map<std::int64_t, std::int64_t> on_node;
  for (const std::int32_t rank : group_of(placement_of(strategy), 0, op)) {
    ++on_node[rank / scenario.hardware.gpus_per_node];
  }
  const std::int64_t first = on_node.begin()->second;
  const bool even =
      std::all_of(on_node.begin(), on_node.end(), [&](const auto& node) { return node.second == first; });
  return even && on_node.size() > 1 ? first : 1;
}

}  // namespace

GradientSum gradient_sum(const Scenario& scenario, const Strategy& s, bool expert) {
  const GradientAggregation& sums = s.gradient_aggregation;
  const bool by_nodes =
      sums.compression.is_quantized() && sums.algorithm == CollectiveAlgorithm::kHierarchical;
  return {.num_ranks = expert ? num_expert_data_ranks(s) : num_data_ranks(s),
          .ranks_per_node = by_nodes ? ranks_on_a_node(scenario, s, expert ? kExpertDataAxes : kDataAxes) : 1,
          .elements = 0,
          .gradient_bytes = gradient_width(scenario.software, s.precision),
          .scatters = s.zero_stage == 1,
          .matrices = {}};
}

}  // namespace portolan
