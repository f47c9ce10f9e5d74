#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "plan/program.h"
#include "plan/scenario.h"

namespace portolan {

/// The words that files and the command line use for an enumeration, in the enumerators' order.
/// Defined for every enumeration that a file holds.
template <typename Enum>
std::span<const std::string_view> words();

template <>
std::span<const std::string_view> words<Precision>();
template <>
std::span<const std::string_view> words<GemmLayout>();
template <>
std::span<const std::string_view> words<Normalization>();
template <>
std::span<const std::string_view> words<Activation>();
template <>
std::span<const std::string_view> words<PositionEncoding>();
template <>
std::span<const std::string_view> words<Objective>();
template <>
std::span<const std::string_view> words<AllocatorKind>();
template <>
std::span<const std::string_view> words<ReduceCopy>();
template <>
std::span<const std::string_view> words<UsualRecompute>();
template <>
std::span<const std::string_view> words<ScheduleKind>();
template <>
std::span<const std::string_view> words<Offload>();
template <>
std::span<const std::string_view> words<CollectiveAlgorithm>();
template <>
std::span<const std::string_view> words<Axis>();
template <>
std::span<const std::string_view> words<KernelKind>();
template <>
std::span<const std::string_view> words<KernelGroup>();
template <>
std::span<const std::string_view> words<Access>();
template <>
std::span<const std::string_view> words<Phase>();
template <>
std::span<const std::string_view> words<OpKind>();
template <>
std::span<const std::string_view> words<Occurrence>();
template <>
std::span<const std::string_view> words<CollectiveKind>();
template <>
std::span<const std::string_view> words<GroupKind>();
template <>
std::span<const std::string_view> words<Lane::Kind>();
template <>
std::span<const std::string_view> words<Predecessor::Kind>();
template <>
std::span<const std::string_view> words<BufferKind>();
template <>
std::span<const std::string_view> words<ParameterInit>();

template <typename Enum>
std::string_view word_of(Enum value) {
  return words<Enum>()[static_cast<std::size_t>(value)];
}

template <typename Enum>
std::optional<Enum> find_word(std::string_view word) {
  const std::span<const std::string_view> all = words<Enum>();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] == word) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}

/// "a, b, c".
std::string list_words(std::span<const std::string_view> all);

/// The word nearest to `word` by edits, for "did you mean"; empty when none is near.
std::string_view nearest_word(std::span<const std::string_view> all, std::string_view word);

}  // namespace portolan
