#include "tests/unit/store/altered_image.h"

#include <algorithm>

#include "store/hdf5_handle.h"
#include "store/hdf5_image.h"
#include "store/seal.h"

namespace portolan {

namespace {

FileHandle open_for_writing(const std::string& content) {
  const std::string image = content.substr(kSealBytes);
  const PropertiesHandle access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_fapl_core(access.id(), std::size_t{1} << 20, false);
  H5Pset_libver_bounds(access.id(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
  H5Pset_file_image(access.id(), const_cast<char*>(image.data()), image.size());
  return FileHandle(H5Fopen("/dev/null/altered-image", H5F_ACC_RDWR, access.id()));
}

herr_t add_attribute(hid_t, const char* name, const H5A_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

void list_group(hid_t file, const std::string& path, std::vector<Place>& places) {
  const GroupHandle group(H5Gopen2(file, path.c_str(), H5P_DEFAULT));
  std::vector<std::string> attributes;
  H5Aiterate2(group.id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, add_attribute, &attributes);
  for (const std::string& name : attributes) {
    places.push_back({path, name, Place::Kind::kAttribute});
  }
  H5G_info_t info{};
  H5Gget_info(group.id(), &info);
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    char name[64] = "";
    H5Lget_name_by_idx(group.id(), ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
    H5O_info_t object{};
    H5Oget_info_by_name1(group.id(), name, &object, H5P_DEFAULT);
    if (object.type == H5O_TYPE_DATASET) {
      places.push_back({path, name, Place::Kind::kDataset});
    } else {
      places.push_back({path, name, Place::Kind::kGroup});
      list_group(file, places.back().path(), places);
    }
  }
}

}  // namespace

std::string altered_image(const std::string& image, const std::function<void(hid_t file)>& alter) {
  const SilencedHdf5Errors silenced;
  FileHandle file = open_for_writing(image);
  if (!file.is_open()) {
    return {};
  }
  alter(file.id());
  auto altered = take_hdf5_image(std::move(file));
  if (!altered) {
    return {};
  }
  return seal(*altered);
}

std::vector<Place> list_places(const std::string& image) {
  std::vector<Place> places;
  altered_image(image, [&](hid_t file) { list_group(file, "/", places); });
  return places;
}

void replace_dataset(hid_t file, const std::string& path, hid_t type, hsize_t length) {
  H5Ldelete(file, path.c_str(), H5P_DEFAULT);
  const PropertiesHandle creation(H5Pcreate(H5P_DATASET_CREATE));
  const hsize_t chunk = std::clamp<hsize_t>(length, 1, 1024);
  H5Pset_chunk(creation.id(), 1, &chunk);
  H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY);
  const SpaceHandle space(H5Screate_simple(1, &length, nullptr));
  DatasetHandle(H5Dcreate2(file, path.c_str(), type, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT));
}

void replace_attribute(hid_t file, const Place& place, hid_t type) {
  H5Adelete_by_name(file, place.group.c_str(), place.name.c_str(), H5P_DEFAULT);
  const SpaceHandle space(H5Screate(H5S_SCALAR));
  AttributeHandle(H5Acreate_by_name(file, place.group.c_str(), place.name.c_str(), type, space.id(),
                                    H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

}  // namespace portolan
