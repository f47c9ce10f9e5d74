#include "store/hdf5_image.h"

#include <fmt/format.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace portolan {

namespace {

/// HDF5 takes two open images of one name for one file, so each gets its own. Creating one first probes the
/// disk for the name: nothing can exist below /dev/null.
std::string next_image_name() {
  static std::atomic<std::uint64_t> num_images{0};
  return fmt::format("/dev/null/portolan-image-{}", num_images++);
}

/// File access in memory, nothing written to disk. The oldest format: in the newer ones H5Fget_file_image of
/// HDF5 1.10 leaves a stale checksum in the superblock (github.com/HDFGroup/hdf5, issue 1915).
PropertiesHandle memory_access() {
  constexpr std::size_t kGrowthBytes = std::size_t{1} << 20;
  PropertiesHandle access(H5Pcreate(H5P_FILE_ACCESS));
  if (!access.is_open() || H5Pset_fapl_core(access.id(), kGrowthBytes, false) < 0 ||
      H5Pset_libver_bounds(access.id(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V18) < 0) {
    return {};
  }
  return access;
}

}  // namespace

Result<FileHandle> create_hdf5_image() {
  // Each column has an index of its chunks, in nodes of fixed size: HDF5's 32 takes 2 KiB a column, most of a
  // small run.
  constexpr unsigned kChunkIndexHalfWidth = 4;
  const PropertiesHandle access = memory_access();
  const PropertiesHandle creation(H5Pcreate(H5P_FILE_CREATE));
  if (!access.is_open() || !creation.is_open() || H5Pset_istore_k(creation.id(), kChunkIndexHalfWidth) < 0 ||
      H5Pset_obj_track_times(creation.id(), false) < 0) {
    return bad_input("HDF5: cannot set the properties of a file");
  }
  FileHandle file(H5Fcreate(next_image_name().c_str(), H5F_ACC_TRUNC, creation.id(), access.id()));
  if (!file.is_open()) {
    return bad_input("HDF5: cannot create a file in memory");
  }
  return file;
}

Result<std::string> take_hdf5_image(FileHandle file) {
  if (H5Fflush(file.id(), H5F_SCOPE_GLOBAL) < 0) {
    return bad_input("HDF5: flushing failed");
  }
  const ssize_t size = H5Fget_file_image(file.id(), nullptr, 0);
  if (size < 0) {
    return bad_input("HDF5: the size of the file is unknown");
  }
  std::string image(static_cast<std::size_t>(size), '\0');
  if (H5Fget_file_image(file.id(), image.data(), image.size()) != size || !file.reset()) {
    return bad_input("HDF5: reading the file in memory failed");
  }
  return image;
}

Result<FileHandle> open_hdf5_image(std::string_view image, std::string_view name) {
  const PropertiesHandle access = memory_access();
  // HDF5 asks for a pointer to non-const, and copies what it points to.
  if (!access.is_open() ||
      H5Pset_file_image(access.id(), const_cast<char*>(image.data()), image.size()) < 0) {
    return bad_input(fmt::format("{}: HDF5 cannot hold the file in memory", name));
  }
  FileHandle file(H5Fopen(next_image_name().c_str(), H5F_ACC_RDONLY, access.id()));
  if (!file.is_open()) {
    return bad_input(fmt::format("{}: not a sound HDF5 file", name));
  }
  return file;
}

}  // namespace portolan
