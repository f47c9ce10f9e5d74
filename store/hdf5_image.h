#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/hdf5_handle.h"

namespace portolan {

/// Bytes before the HDF5 signature, left to their owner (HDF5's "user block"). The smallest that HDF5 allows.
inline constexpr std::size_t kUserBlockBytes = 512;

/// A new, empty HDF5 file in memory, with a user block of zeros. Equal calls give equal bytes: no times are kept.
Result<FileHandle> create_hdf5_image();

/// The file's bytes, user block included. Closes the file; everything opened within it must be closed before.
Result<std::string> take_hdf5_image(FileHandle file);

/// Opens a copy of `image`, for reading only. `name` is for the message.
Result<FileHandle> open_hdf5_image(std::string_view image, std::string_view name);

}  // namespace portolan
