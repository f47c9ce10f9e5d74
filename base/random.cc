#include "base/random.h"

#include <cmath>
#include <numbers>

namespace portolan {

namespace {

/// FNV-1a, 64 bits (Fowler, Noll, Vo): spreads names over seeds, nothing more.
std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view name)
    : state_(RandomStream(seed).next_bits() ^ name_hash(name)) {}

std::uint64_t RandomStream::next_bits() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

double RandomStream::next_uniform() { return static_cast<double>(next_bits() >> 11) * 0x1.0p-53; }

std::uint64_t RandomStream::next_below(std::uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(next_bits()) * bound) >> 64);
}

double RandomStream::next_normal() {
  if (has_spare_normal_) {
    has_spare_normal_ = false;
    return spare_normal_;
  }
  double radius = std::sqrt(-2.0 * std::log(1.0 - next_uniform()));
  double angle = 2.0 * std::numbers::pi * next_uniform();
  spare_normal_ = radius * std::sin(angle);
  has_spare_normal_ = true;
  return radius * std::cos(angle);
}

}  // namespace portolan
