#define PCRE2_CODE_UNIT_WIDTH 8
#include "exec/data/piece_splitter.h"

#include <pcre2.h>

#include <cassert>

namespace portolan {

namespace {

constexpr std::string_view kPattern =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

PCRE2_SPTR subject_of(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

struct PieceSplitter::Pattern {
  pcre2_code* code = nullptr;
  pcre2_match_data* match = nullptr;

  Pattern() {
    int error = 0;
    PCRE2_SIZE error_offset = 0;
    code = pcre2_compile(subject_of(kPattern), kPattern.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED,
                         &error, &error_offset, nullptr);
    assert(code != nullptr);
    // Where machine code cannot be made, pcre2_match() interprets: slower, the same pieces.
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    match = pcre2_match_data_create(1, nullptr);
    assert(match != nullptr);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() {
    pcre2_match_data_free(match);
    pcre2_code_free(code);
  }
};

PieceSplitter::PieceSplitter() : pattern_(std::make_unique<Pattern>()) {}
PieceSplitter::PieceSplitter(PieceSplitter&&) noexcept = default;
PieceSplitter& PieceSplitter::operator=(PieceSplitter&&) noexcept = default;
PieceSplitter::~PieceSplitter() = default;

void PieceSplitter::start(std::string_view text) {
  rest_ = text;
  num_valid_bytes_ = 0;
}

/// Asks PCRE2 itself, as its answer is what makes PCRE2_NO_UTF_CHECK safe below.
std::size_t PieceSplitter::valid_utf8_size(std::string_view text) const {
  const int outcome =
      pcre2_match(pattern_->code, subject_of(text), text.size(), 0, 0, pattern_->match, nullptr);
  const bool is_invalid = outcome <= PCRE2_ERROR_UTF8_ERR1 && outcome >= PCRE2_ERROR_UTF8_ERR21;
  return is_invalid ? pcre2_get_startchar(pattern_->match) : text.size();
}

std::optional<std::string_view> PieceSplitter::next_piece() {
  if (rest_.empty()) {
    return std::nullopt;
  }
  std::size_t size = 1;
  if (num_valid_bytes_ == 0) {
    num_valid_bytes_ = valid_utf8_size(rest_);
  }
  if (num_valid_bytes_ > 0) {
    const int outcome = pcre2_match(pattern_->code, subject_of(rest_), num_valid_bytes_, 0,
                                    PCRE2_NO_UTF_CHECK, pattern_->match, nullptr);
    // Every character is in a class of the pattern, so only PCRE2's own limits can refuse a match; the text
    // stays whole even then.
    size = outcome > 0 ? pcre2_get_ovector_pointer(pattern_->match)[1] : num_valid_bytes_;
    assert(size > 0 && size <= num_valid_bytes_);
    num_valid_bytes_ -= size;
  }
  const std::string_view piece = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return piece;
}

}  // namespace portolan
