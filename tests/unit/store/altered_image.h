#pragma once

#include <hdf5.h>

#include <functional>
#include <string>
#include <vector>

namespace portolan {

/// A run file's content after `alter` changed it through HDF5, sealed anew: sound HDF5 that need not be a
/// run. Empty where HDF5 fails.
std::string altered_image(const std::string& image, const std::function<void(hid_t file)>& alter);

/// One thing in a run file: "/measured/timeline" and "op_id".
struct Place {
  std::string group;
  std::string name;
  enum class Kind { kAttribute, kDataset, kGroup } kind;

  std::string path() const { return (group == "/" ? "" : group) + "/" + name; }
};

/// Everything in the file, in a fixed order.
std::vector<Place> list_places(const std::string& image);

/// Replaces the dataset at `path` by one of `length` entries of zero (all chunks stored).
void replace_dataset(hid_t file, const std::string& path, hid_t type, hsize_t length);
/// Replaces the attribute by a scalar of zero bytes.
void replace_attribute(hid_t file, const Place& place, hid_t type);

}  // namespace portolan
