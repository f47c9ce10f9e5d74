#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

namespace portolan {

/// Cuts text into the pieces that byte pairs never cross: contractions, words with the space before them,
/// numbers, other signs, white space. The pieces joined are the text, byte for byte. Pattern of GPT-2
/// (the source named in byte_alphabet.h), with Unicode classes:
///   '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// The classes are PCRE2's: U+180E is white space to it, and characters newer than its Unicode version are
/// signs. A byte that belongs to no valid UTF-8 sequence is a piece of its own, and the text before it is cut
/// as if it ended there. One splitter serves one thread.
class PieceSplitter {
 public:
  PieceSplitter();
  PieceSplitter(PieceSplitter&&) noexcept;
  PieceSplitter& operator=(PieceSplitter&&) noexcept;
  ~PieceSplitter();

  /// Begins with `text`, which must outlive the calls to next_piece().
  void start(std::string_view text);
  /// The next piece, never empty; nothing at the end of the text.
  std::optional<std::string_view> next_piece();

 private:
  struct Pattern;

  std::size_t valid_utf8_size(std::string_view text) const;

  std::unique_ptr<Pattern> pattern_;
  std::string_view rest_;            ///< what no piece has taken yet
  std::size_t num_valid_bytes_ = 0;  ///< so many bytes at the front of rest_ are known to be UTF-8
};

}  // namespace portolan
