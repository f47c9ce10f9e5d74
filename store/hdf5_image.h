#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/hdf5_handle.h"

namespace portolan {

/// A new, empty HDF5 file in memory. Equal calls give equal bytes: no times are kept.
Result<FileHandle> create_hdf5_image();

/// The file's bytes. Closes the file; everything opened within it must be closed before.
Result<std::string> take_hdf5_image(FileHandle file);

/// Opens a copy of `image`, for reading only. `name` is for the message.
Result<FileHandle> open_hdf5_image(std::string_view image, std::string_view name);

}  // namespace portolan
