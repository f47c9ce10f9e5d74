#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "model/block.h"
#include "model/kernel.h"
#include "plan/program.h"
#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// A gradient that is a matrix, or several alike.
struct GradientMatrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t count = 1;
  bool expert = false;

  /// Whether two factors of `rank` columns have fewer elements. Source: PyTorch, powerSGD_hook, which asks
  /// for half as many.
  bool is_factored(std::int32_t rank) const { return rank > 0 && rank * (rows + columns) < rows * columns; }
  bool operator==(const GradientMatrix&) const = default;
};

/// Of a block's parameters; with those that belong to the embedding (Tensor::tied_to_embedding) or without.
std::vector<GradientMatrix> gradient_matrices(const Block& block, bool with_tied);
/// `times` as many of `more`, those of one size together.
void add_matrices(std::vector<GradientMatrix>& into, const std::vector<GradientMatrix>& more,
                  std::int64_t times);

/// Gradients that the ranks sum that hold the same parameters: experts', or all others of a stage.
struct GradientSum {
  std::int64_t num_ranks = 1;
  std::int64_t ranks_per_node = 1;  ///< above 1: parts are exchanged and added up within nodes first
  std::int64_t elements = 0;        ///< on each rank
  std::int64_t gradient_bytes = 4;
  bool scatters = false;                      ///< each rank needs its part of the sum alone (ZeRO stage 1)
  std::vector<GradientMatrix> matrices = {};  ///< of PowerSGD: those of the gradients that are factored
};

/// What steps of a compressed sum read and write; an Operand::tensor of SumKernel.
enum class SumBuffer : std::uint8_t {
  kGradients,  ///< of all parameters, or of the step's matrix
  kVectors,    ///< of those that are not factored
  kResiduals,  ///< error feedback, fp32: what was not sent of kGradients; from step to step
  kScale,      ///< fp32
  kPacked,     ///< what is sent of this rank's gradients, and what is gathered
  kReceived,   ///< other ranks' packed parts
  kLeft,       ///< first factor of each matrix, P, fp32 (rows x rank)
  kRight,      ///< second factor, Q, fp32 (columns x rank); from step to step
};
inline constexpr std::size_t kNumSumBuffers = static_cast<std::size_t>(SumBuffer::kRight) + 1;

struct SumKernel {
  Kernel kernel;
  std::int64_t count = 1;                  ///< as many alike
  std::optional<std::size_t> matrix = {};  ///< of GradientSum::matrices, which alone it touches
};
struct SumCollective {
  CollectiveKind kind = CollectiveKind::kAllReduce;
  Bytes bytes;                         ///< Op::bytes
  std::vector<SumBuffer> buffers;      ///< Op::buffers
  GroupKind group = GroupKind::kAxes;  ///< of the ranks of the sum
  std::int32_t group_size = 1;         ///< Op::group_size
};
using SumStep = std::variant<SumKernel, SumCollective>;

/// A compressed sum: kernels of the compute lane and collectives, one after another.
struct CompressedSum {
  std::vector<SumStep> steps;
  std::array<Bytes, kNumSumBuffers> bytes{};  ///< of each buffer; of gradients 0: they are there anyway
  bool expert = false;

  Bytes of(SumBuffer buffer) const { return bytes[static_cast<std::size_t>(buffer)]; }
  /// Kept from step to step, beside the gradients.
  Bytes kept() const { return of(SumBuffer::kResiduals) + of(SumBuffer::kRight); }
  /// Held while the sum runs: at some moment all of them.
  Bytes transient() const {
    return of(SumBuffer::kScale) + of(SumBuffer::kPacked) + of(SumBuffer::kReceived) + of(SumBuffer::kLeft);
  }
};

/// Passes over memory are those that each algorithm cannot do without where neighbouring ones are fused; no
/// implementation was measured (plan/unvalidated.h). docs/decisions/0030-gradient-compression.md has them in
/// a table. Precondition: `compression` is one, of two ranks or more.
CompressedSum compressed_sum(const Compression& compression, const GradientSum& sum);

/// Bytes that `elements` take as `kind` sends them, scales included. Precondition: bf16, fp8, int8 or int4.
Bytes packed_bytes(CompressionKind kind, std::int64_t elements);

/// The sum of experts' gradients, or of all others, without what is summed. Ranks of a node are told apart
/// with `aggregation=hierarchical`, where parts are exchanged, and where all nodes have as many of a group.
GradientSum gradient_sum(const Scenario& scenario, const Strategy& strategy, bool expert);

}  // namespace portolan
