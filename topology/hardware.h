#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "topology/condition.h"

namespace portolan {

/// A figure and where it comes from (datasheet, paper, calibration).
template <typename T>
struct Sourced {
  T value{};
  std::string source;
  bool unvalidated = false;  ///< derived or assumed: no measurement supports it

  bool operator==(const Sourced&) const = default;
};

enum class Precision { kFp32, kTf32, kFp16, kBf16, kFp8 };

/// Memory layout of a matrix product's factors, as the linear layers use them.
enum class GemmLayout {
  kForward,         ///< x (m,k) times w (n,k) transposed
  kBackwardInput,   ///< dy (m,k) times w (k,n)
  kBackwardWeight,  ///< dy (k,m) transposed times x (k,n)
  kAttention,       ///< batches of small products
};

/// One measured product.
struct GemmPoint {
  GemmLayout layout = GemmLayout::kForward;
  std::int64_t batch = 1;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  FlopsPerSecond rate;

  bool operator==(const GemmPoint&) const = default;
};

/// A size of output tile that the library of matrix products has kernels for; m and n may be exchanged.
struct GemmTile {
  std::int64_t m = 0;
  std::int64_t n = 0;
  double efficiency = 0;  ///< share of peak of a wave that keeps every multiprocessor busy, for a long K

  bool operator==(const GemmTile&) const = default;
};

/// How matrix products fill a device: each multiprocessor works on one output tile at a time, so that tiles
/// go in waves, and before and behind its K a tile costs as much as `k_overhead` more elements of K would.
struct GemmTiles {
  Sourced<std::int64_t> multiprocessors;
  Sourced<double> k_overhead;
  /// Rate of weight gradients, which add to wider results, over that of forward products.
  Sourced<double> weight_gradient_rate{1, ""};
  std::vector<GemmTile> sizes;

  bool operator==(const GemmTiles&) const = default;
};

/// What kernels of one version of FlashAttention reach, forward and backward together.
struct FlashAttention {
  std::int64_t version = 2;  ///< 1: arXiv 2205.14135 and its form in Triton; 2: arXiv 2307.08691
  /// Share of peak for long sequences, of forward and backward together.
  Sourced<double> efficiency;
  /// Where scores above the diagonal are skipped: what the blocks on it and the uneven rows cost, in tokens:
  /// a sequence takes 1 + mask_overhead / sequence times as long.
  Sourced<double> mask_overhead;
  Sourced<double> forward_rate{1, ""};  ///< FLOP/s of forward kernels, as a multiple of backward ones'

  /// Shares of peak of forward and of backward, of which one and the other make two and five products.
  double forward_efficiency() const { return efficiency.value * (2 + 5 * forward_rate.value) / 7; }
  double backward_efficiency() const { return forward_efficiency() / forward_rate.value; }

  bool operator==(const FlashAttention&) const = default;
};

/// Replaces what the list says of a version, but for its forward_rate.
void set_fitted(std::vector<FlashAttention>& versions, FlashAttention fitted);

/// One measured memory-bound kernel, by the kernel's name.
struct KernelRate {
  std::string kernel;
  std::int64_t elements = 0;  ///< size that was measured; with several sizes the rate is interpolated
  BytesPerSecond rate;
  std::string source{};
  bool unvalidated = false;  ///< as Sourced::unvalidated

  bool operator==(const KernelRate&) const = default;
};

/// An accelerator, or one core of the embedded host device.
struct DeviceSpec {
  Sourced<Bytes> memory;
  std::map<Precision, Sourced<FlopsPerSecond>> peak;
  Sourced<BytesPerSecond> memory_bandwidth;
  Sourced<double> gemm_efficiency;              ///< achieved share of peak, large products
  Sourced<double> attention_gemm_efficiency;    ///< of batches of small products
  std::vector<FlashAttention> flash_attention;  ///< each version once; others: attention_gemm_efficiency
  Sourced<double> memory_efficiency;            ///< achieved share of memory_bandwidth, memory-bound kernels
  Sourced<Seconds> kernel_launch;               ///< added to each kernel
  /// Collectives beside compute take some of them (SoftwareProfile::communicator_channels). 0: unknown.
  Sourced<std::int64_t> multiprocessors{0, ""};
  std::optional<GemmTiles> gemm_tiles;   ///< when present, used instead of the efficiencies of products
  std::vector<GemmPoint> gemm_points;    ///< when present, used instead of tiles and efficiencies
  std::vector<KernelRate> kernel_rates;  ///< when present for a kernel, used instead of memory_efficiency
  Sourced<Watts> power_busy;
  Sourced<Watts> power_idle;

  bool operator==(const DeviceSpec&) const = default;
};

/// A class of links.
struct LinkSpec {
  Sourced<BytesPerSecond> bandwidth;  ///< one direction, of one link
  Sourced<Seconds> latency;           ///< of one traversal
  Sourced<double> efficiency;         ///< achieved share of bandwidth for large payloads

  bool operator==(const LinkSpec&) const = default;
};

/// One measured collective or send: time of an operation of `size` over `num_ranks` ranks.
struct CollectivePoint {
  std::string collective;  ///< all_reduce, send_receive
  std::int64_t num_ranks = 2;
  Bytes size;
  Seconds time;

  bool operator==(const CollectivePoint&) const = default;
};

/// Where a count comes from; as with figures, `unvalidated`: it is assumed.
struct CountSource {
  std::string source;
  bool unvalidated = false;

  bool operator==(const CountSource&) const = default;
};

/// A cluster of equal nodes. One file in scenarios/hardware/.
struct Hardware {
  std::string name;
  std::int64_t num_nodes = 0;
  std::int64_t gpus_per_node = 0;
  DeviceSpec device;
  LinkSpec nvlink;               ///< a GPU to its node's switch; of the host device: shared memory
  std::optional<LinkSpec> pcie;  ///< a GPU to its PCIe switch; none: never a bottleneck, no route to the host
  Sourced<Bytes> host_memory;    ///< of a node; 0: unknown
  LinkSpec nic;                  ///< a network card to its leaf switch; unused with one node
  std::int64_t nics_per_node = 0;
  bool rails = true;                 ///< a leaf for each rail of a pod; false: one for all cards of a pod
  std::int64_t nodes_per_pod = 0;    ///< nodes below the same leaf switches
  std::int64_t spines = 0;           ///< spine switches of each group; 0: no second tier (one pod)
  std::int64_t links_per_trunk = 1;  ///< parallel links between a leaf and a spine
  LinkSpec trunk;                    ///< one link between a leaf and a spine switch
  std::int64_t pods_per_group = 0;   ///< pods below the same spines; 0: all pods, no third tier needed
  std::int64_t core_switches = 0;    ///< each joins every spine of every group
  std::int64_t links_per_core_trunk = 1;  ///< parallel links between a spine and a core switch
  LinkSpec core_trunk;                    ///< one link between a spine and a core switch
  /// Of what describes the network, nics_per_node to links_per_core_trunk, by key; others say nothing of it.
  std::map<std::string, CountSource> count_sources;
  /// Fixed cost of a sum, gather, scatter or broadcast, beside its steps.
  Sourced<Seconds> collective_base;
  Sourced<Seconds> intra_node_step;                ///< fixed cost of one step of a ring inside a node
  Sourced<Seconds> inter_node_step;                ///< across nodes
  std::vector<CollectivePoint> collective_points;  ///< when present, used instead of bandwidth and step
  Sourced<double> price_per_gpu_hour;              ///< 0: unknown; currency of the user's choosing
  Condition condition;                             ///< what is wrong with this one; empty: nothing

  std::int64_t num_gpus() const { return num_nodes * gpus_per_node; }
  bool operator==(const Hardware&) const = default;
};

/// The first impossibility of a hardware description, by dotted key ("nic.bandwidth").
struct HardwareProblem {
  std::string key;
  std::string message;
};
std::optional<HardwareProblem> find_problem(const Hardware& hardware);

}  // namespace portolan
