#pragma once

#include <filesystem>
#include <istream>
#include <memory>

#include "base/result.h"

namespace portolan {

/// A regular file to read from front to back, unpacked on the way where it is packed with gzip. Reading ends
/// early where the file is damaged; check() says so afterwards.
class TextStream : public std::istream {
 public:
  /// Errors (kBadInput): missing, a folder, no regular file, unreadable.
  static Result<std::unique_ptr<TextStream>> open(const std::filesystem::path& path);
  ~TextStream() override;

  /// Whether all that was read was whole. Errors (kBadInput), with the file: unpacking failed.
  Result<void> check() const;

 private:
  class Buffer;
  explicit TextStream(std::unique_ptr<Buffer> buffer);
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace portolan
