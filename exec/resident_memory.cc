#include "exec/resident_memory.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace portolan {

std::optional<Bytes> resident_memory() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t total_pages = 0;
  std::int64_t resident_pages = 0;
  if (!(statm >> total_pages >> resident_pages)) {
    return std::nullopt;
  }
  return Bytes(resident_pages * sysconf(_SC_PAGESIZE));
}

std::optional<Bytes> available_memory() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);) {
    if (line.starts_with("MemAvailable:")) {
      return Bytes(std::stoll(line.substr(13)) * kKibi);
    }
  }
  return std::nullopt;
}

}  // namespace portolan
