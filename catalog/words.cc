#include "catalog/words.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <vector>

namespace portolan {

namespace {

/// The words of an enumeration that another library names, by asking for each.
template <std::size_t Size, typename Enum>
std::array<std::string_view, Size> ask_all(std::string_view (*name)(Enum)) {
  std::array<std::string_view, Size> all;
  for (std::size_t i = 0; i < Size; ++i) {
    all[i] = name(static_cast<Enum>(i));
  }
  return all;
}

/// Levenshtein distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

template <>
std::span<const std::string_view> words<Precision>() {
  static const auto kWords = ask_all<5>(&precision_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<GemmLayout>() {
  static constexpr std::array<std::string_view, 4> kWords = {"forward", "backward_input", "backward_weight",
                                                             "attention"};
  return kWords;
}
template <>
std::span<const std::string_view> words<Normalization>() {
  static constexpr std::array<std::string_view, 2> kWords = {"layer_norm", "rms_norm"};
  return kWords;
}
template <>
std::span<const std::string_view> words<Activation>() {
  static constexpr std::array<std::string_view, 3> kWords = {"gelu", "swiglu", "relu"};
  return kWords;
}
template <>
std::span<const std::string_view> words<PositionEncoding>() {
  static constexpr std::array<std::string_view, 3> kWords = {"learned", "rotary", "alibi"};
  return kWords;
}
template <>
std::span<const std::string_view> words<Objective>() {
  static constexpr std::array<std::string_view, 4> kWords = {"time", "memory", "energy", "cost"};
  return kWords;
}
template <>
std::span<const std::string_view> words<AllocatorKind>() {
  static constexpr std::array<std::string_view, 3> kWords = {"none", "caching", "expandable_segments"};
  return kWords;
}
template <>
std::span<const std::string_view> words<ReduceCopy>() {
  static constexpr std::array<std::string_view, 3> kWords = {"none", "as_computed", "as_reduced"};
  return kWords;
}
template <>
std::span<const std::string_view> words<UsualRecompute>() {
  static constexpr std::array<std::string_view, 3> kWords = {"none", "selective", "full"};
  return kWords;
}
template <>
std::span<const std::string_view> words<ScheduleKind>() {
  static const auto kWords = ask_all<4>(&schedule_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<Offload>() {
  static const auto kWords = ask_all<4>(&offload_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<CollectiveAlgorithm>() {
  static const auto kWords = ask_all<3>(&algorithm_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<Axis>() {
  static const auto kWords = ask_all<kNumAxes>(&axis_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<KernelKind>() {
  static const auto kWords = ask_all<kNumKernelKinds>(&kernel_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<KernelGroup>() {
  static const auto kWords = ask_all<kNumKernelGroups>(&kernel_group_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<Access>() {
  static constexpr std::array<std::string_view, 3> kWords = {"read", "write", "update"};
  return kWords;
}
template <>
std::span<const std::string_view> words<Phase>() {
  static const auto kWords = ask_all<8>(&phase_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<OpKind>() {
  static const auto kWords = ask_all<5>(&op_kind_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<Occurrence>() {
  static constexpr std::array<std::string_view, 3> kWords = {"every", "first", "last"};
  return kWords;
}
template <>
std::span<const std::string_view> words<CollectiveKind>() {
  static const auto kWords = ask_all<kNumCollectiveKinds>(&collective_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<GroupKind>() {
  static constexpr std::array<std::string_view, 4> kWords = {"axes", "first_and_last_stage", "block",
                                                             "stride"};
  return kWords;
}
template <>
std::span<const std::string_view> words<Lane::Kind>() {
  static constexpr std::array<std::string_view, 3> kWords = {"compute", "copy", "communication"};
  return kWords;
}
template <>
std::span<const std::string_view> words<Predecessor::Kind>() {
  static constexpr std::array<std::string_view, 5> kWords = {"op", "last_compute", "all_ops", "to_host",
                                                             "own_to_host"};
  return kWords;
}
template <>
std::span<const std::string_view> words<BufferKind>() {
  static const auto kWords = ask_all<6>(&buffer_kind_name);
  return kWords;
}
template <>
std::span<const std::string_view> words<ParameterInit>() {
  static constexpr std::array<std::string_view, 5> kWords = {"none", "zeros", "ones", "normal",
                                                             "scaled_normal"};
  return kWords;
}

std::string list_words(std::span<const std::string_view> all) {
  std::string list;
  for (std::string_view word : all) {
    list += list.empty() ? "" : ", ";
    list += word;
  }
  return list;
}

std::string_view nearest_word(std::span<const std::string_view> all, std::string_view word) {
  constexpr std::size_t kLongest = 60;
  std::string_view nearest;
  std::size_t smallest = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (std::string_view candidate : all) {
    const std::size_t distance = word.size() > kLongest ? smallest : edit_distance(candidate, word);
    if (distance < smallest) {
      smallest = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace portolan
