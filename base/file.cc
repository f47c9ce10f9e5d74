#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

namespace portolan {

namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& path) {
  if (path.empty()) {
    return bad_input("\"\": no such file");
  }
  constexpr std::uintmax_t kLargest = 1ULL << 30;
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (status.type() == fs::file_type::not_found) {
    return bad_input(fmt::format("{}: no such file", path.string()));
  }
  if (code) {
    return bad_input(fmt::format("{}: {}", path.string(), code.message()));
  }
  if (fs::is_directory(status)) {
    return bad_input(fmt::format("{}: is a folder, not a file", path.string()));
  }
  if (!fs::is_regular_file(status)) {
    return bad_input(fmt::format("{}: is not a regular file", path.string()));
  }
  if (fs::file_size(path, code) > kLargest) {
    return bad_input(fmt::format("{}: larger than 1 GiB", path.string()));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return bad_input(fmt::format("{}: cannot be read: {}", path.string(), std::strerror(errno)));
  }
  std::string content((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad()) {
    return bad_input(fmt::format("{}: reading failed", path.string()));
  }
  return content;
}

fs::path temporary_path_for(const fs::path& path) {
  fs::path temporary = path;
  temporary += fmt::format(".tmp-{}", ::getpid());
  return temporary;
}

Result<void> check_output_path(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (fs::is_directory(status)) {
    return bad_input(fmt::format("{}: is a folder (allowed: a file)", path.string()));
  }
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    return bad_input(fmt::format("{}: is not a regular file", path.string()));
  }
  const fs::path folder = fs::absolute(path, code).parent_path();
  if (path.empty() || !fs::is_directory(folder, code)) {
    return bad_input(fmt::format("\"{}\": no such folder: {}", path.string(), folder.string()));
  }
  return {};
}

Result<void> write_file_atomically(const fs::path& named, std::string_view content) {
  PORTOLAN_CHECK_OK(check_output_path(named));
  std::error_code code;
  const fs::path path = fs::exists(named, code) ? fs::canonical(named, code) : named;
  const fs::path temporary = temporary_path_for(path);
  auto failure = [&](const char* what) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    return bad_input(fmt::format("{}: {}: {}", path.string(), what, std::strerror(reason)));
  };
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    return failure("cannot be written");
  }
  for (std::string_view rest = content; !rest.empty();) {
    const ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      const int reason = errno;
      ::close(fd);
      errno = reason;
      return failure("writing failed");
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) {
    const int reason = errno;
    ::close(fd);
    errno = reason;
    return failure("sync failed");
  }
  ::close(fd);
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return failure("rename failed");
  }
  return {};
}

}  // namespace portolan
