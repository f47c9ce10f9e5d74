#include "catalog/measured/text_stream.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "catalog/document/node.h"

namespace portolan {

namespace fs = std::filesystem;

/// zlib passes on what is not packed as it is.
class TextStream::Buffer : public std::streambuf {
 public:
  Buffer(gzFile file, std::string name) : file_(file), name_(std::move(name)) {}
  ~Buffer() override { gzclose(file_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  Result<void> check() const {
    int code = Z_OK;
    const char* const message = gzerror(file_, &code);
    if (code == Z_OK || code == Z_STREAM_END) {
      return {};
    }
    const std::string reason = code == Z_BUF_ERROR ? "is cut off" : message;
    return bad_input(fmt::format("{}: cannot be unpacked: {}", printable(name_), printable(reason)));
  }

 protected:
  int_type underflow() override {
    const int count = gzread(file_, bytes_.data(), static_cast<unsigned>(bytes_.size()));
    if (count <= 0) {
      return traits_type::eof();
    }
    setg(bytes_.data(), bytes_.data(), bytes_.data() + count);
    return traits_type::to_int_type(*gptr());
  }

 private:
  gzFile file_;
  std::string name_;
  std::array<char, std::size_t{1} << 16U> bytes_{};
};

TextStream::TextStream(std::unique_ptr<Buffer> buffer)
    : std::istream(buffer.get()), buffer_(std::move(buffer)) {}
TextStream::~TextStream() = default;

Result<void> TextStream::check() const { return buffer_->check(); }

Result<std::unique_ptr<TextStream>> TextStream::open(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (status.type() == fs::file_type::not_found) {
    return bad_input(fmt::format("{}: no such file", path.string()));
  }
  if (fs::is_directory(status)) {
    return bad_input(fmt::format("{}: is a folder, not a file", path.string()));
  }
  if (code || !fs::is_regular_file(status)) {
    return bad_input(fmt::format("{}: is not a regular file", path.string()));
  }
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    return bad_input(fmt::format("{}: cannot be read: {}", path.string(), std::strerror(errno)));
  }
  return std::unique_ptr<TextStream>(new TextStream(std::make_unique<Buffer>(file, path.string())));
}

}  // namespace portolan
