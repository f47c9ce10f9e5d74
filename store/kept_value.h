#pragma once

#include <cstdint>
#include <limits>

#include "base/quantity.h"
#include "plan/strategy.h"

namespace portolan {

/// How a value of type T stands in a file: `Raw` is the number that is stored, `raw` makes it, `restore`
/// takes it back and is false where no T has that number. `restore(raw(x))` gives x, to the bit.
template <typename T>
struct KeptValue;

template <typename Number>
struct KeptAsIs {
  using Raw = Number;
  static Raw raw(Number value) { return value; }
  static bool restore(Raw raw, Number& value) {
    value = raw;
    return true;
  }
};

template <>
struct KeptValue<double> : KeptAsIs<double> {};
template <>
struct KeptValue<std::uint8_t> : KeptAsIs<std::uint8_t> {};
template <>
struct KeptValue<std::int32_t> : KeptAsIs<std::int32_t> {};
template <>
struct KeptValue<std::int64_t> : KeptAsIs<std::int64_t> {};
template <>
struct KeptValue<std::uint32_t> : KeptAsIs<std::uint32_t> {};
template <>
struct KeptValue<std::uint64_t> : KeptAsIs<std::uint64_t> {};

template <typename Unit, typename Representation>
struct KeptValue<Quantity<Unit, Representation>> {
  using Raw = Representation;
  static Raw raw(Quantity<Unit, Representation> quantity) { return quantity.value; }
  static bool restore(Raw raw, Quantity<Unit, Representation>& quantity) {
    quantity.value = raw;
    return true;
  }
};

/// A code from 0 to num_codes - 1.
template <typename T, int num_codes>
struct KeptCode {
  using Raw = std::uint8_t;
  static_assert(num_codes <= std::numeric_limits<Raw>::max() + 1);
  static Raw raw(T value) { return static_cast<Raw>(value); }
  static bool restore(Raw raw, T& value) {
    if (raw >= num_codes) {
      return false;
    }
    value = static_cast<T>(raw);
    return true;
  }
};

template <>
struct KeptValue<bool> : KeptCode<bool, 2> {};
template <>
struct KeptValue<ScheduleKind> : KeptCode<ScheduleKind, 4> {};
template <>
struct KeptValue<CollectiveAlgorithm> : KeptCode<CollectiveAlgorithm, 3> {};
template <>
struct KeptValue<Precision> : KeptCode<Precision, 5> {};
template <>
struct KeptValue<Offload> : KeptCode<Offload, 4> {};
template <>
struct KeptValue<Axis> : KeptCode<Axis, kNumAxes> {};

/// Bit g is kernel group g.
template <>
struct KeptValue<RecomputeSet> {
  using Raw = std::uint32_t;
  static_assert(kNumKernelGroups <= 32);
  static Raw raw(const RecomputeSet& set) { return static_cast<Raw>(set.to_ulong()); }
  static bool restore(Raw raw, RecomputeSet& set) {
    set = RecomputeSet(raw);
    return set.to_ulong() == raw;
  }
};

// The codes are those of docs/run-file.md. An enumeration that is reordered or grows stops here: files
// that exist keep their meaning only with the same codes, or with a new format version.
static_assert(static_cast<int>(ScheduleKind::kGPipe) == 0);
static_assert(static_cast<int>(ScheduleKind::kOneFOneB) == 1);
static_assert(static_cast<int>(ScheduleKind::kInterleaved) == 2);
static_assert(static_cast<int>(ScheduleKind::kZeroBubbleH1) == 3);
static_assert(static_cast<int>(CollectiveAlgorithm::kRing) == 0);
static_assert(static_cast<int>(CollectiveAlgorithm::kTree) == 1);
static_assert(static_cast<int>(CollectiveAlgorithm::kHierarchical) == 2);
static_assert(static_cast<int>(Precision::kFp32) == 0);
static_assert(static_cast<int>(Precision::kTf32) == 1);
static_assert(static_cast<int>(Precision::kFp16) == 2);
static_assert(static_cast<int>(Precision::kBf16) == 3);
static_assert(static_cast<int>(Precision::kFp8) == 4);
static_assert(static_cast<int>(Offload::kNone) == 0);
static_assert(static_cast<int>(Offload::kActivations) == 1);
static_assert(static_cast<int>(Offload::kOptimizer) == 2);
static_assert(static_cast<int>(Offload::kActivationsAndOptimizer) == 3);
static_assert(static_cast<int>(Axis::kTensor) == 0);
static_assert(static_cast<int>(Axis::kContext) == 1);
static_assert(static_cast<int>(Axis::kExpert) == 2);
static_assert(static_cast<int>(Axis::kData) == 3);
static_assert(static_cast<int>(Axis::kPipeline) == 4);
static_assert(static_cast<int>(KernelGroup::kNorm1) == 0);
static_assert(static_cast<int>(KernelGroup::kQkv) == 1);
static_assert(static_cast<int>(KernelGroup::kAttentionCore) == 2);
static_assert(static_cast<int>(KernelGroup::kAttentionContext) == 3);
static_assert(static_cast<int>(KernelGroup::kProjection) == 4);
static_assert(static_cast<int>(KernelGroup::kNorm2) == 5);
static_assert(static_cast<int>(KernelGroup::kMlp) == 6);
static_assert(static_cast<int>(KernelGroup::kOther) == 7);

}  // namespace portolan
