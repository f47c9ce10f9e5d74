#include "store/hdf5_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "store/hdf5_image.h"

namespace portolan {

namespace {

/// A text type of `size` bytes, padded with NUL. Precondition: size > 0.
TypeHandle text_type(std::size_t size) {
  TypeHandle type(H5Tcopy(H5T_C_S1));
  if (!type.is_open() || H5Tset_size(type.id(), size) < 0 || H5Tset_strpad(type.id(), H5T_STR_NULLPAD) < 0 ||
      H5Tset_cset(type.id(), H5T_CSET_UTF8) < 0) {
    return {};
  }
  return type;
}

/// Chunked, shuffled, deflated at level 1, without times.
PropertiesHandle column_creation(std::size_t length, std::size_t element_bytes) {
  constexpr unsigned kDeflateLevel = 1;
  const std::size_t per_chunk = std::max<std::size_t>(kChunkBytes / element_bytes, 1);
  const hsize_t chunk = std::clamp<std::size_t>(length, 1, per_chunk);
  PropertiesHandle creation(H5Pcreate(H5P_DATASET_CREATE));
  if (!creation.is_open() || H5Pset_chunk(creation.id(), 1, &chunk) < 0 ||
      H5Pset_shuffle(creation.id()) < 0 || H5Pset_deflate(creation.id(), kDeflateLevel) < 0 ||
      H5Pset_obj_track_times(creation.id(), false) < 0) {
    return {};
  }
  return creation;
}

}  // namespace

Hdf5Writer::Hdf5Writer(FileHandle file, std::string name)
    : name_(std::move(name)), file_(std::move(file)), group_(H5Gopen2(file_.id(), "/", H5P_DEFAULT)) {
  if (!group_.is_open()) {
    fail("", "HDF5 cannot open the root group");
  }
}

void Hdf5Writer::fail(const char* name, std::string_view what) {
  if (state_) {
    state_ = bad_input(fmt::format("{}: {}{}: {}", name_, path_, name, what));
  }
}

GroupHandle Hdf5Writer::enter(const char* name) {
  const PropertiesHandle creation(H5Pcreate(H5P_GROUP_CREATE));
  GroupHandle inner;
  if (state_ && creation.is_open() && H5Pset_obj_track_times(creation.id(), false) >= 0) {
    inner = GroupHandle(H5Gcreate2(group_.id(), name, H5P_DEFAULT, creation.id(), H5P_DEFAULT));
  }
  if (!inner.is_open()) {
    fail(name, "HDF5 cannot create the group");
  }
  path_ += name;
  path_ += '/';
  return std::exchange(group_, std::move(inner));
}

void Hdf5Writer::write_attribute(const char* name, hid_t file_type, hid_t memory_type, const void* value) {
  if (!state_) {
    return;
  }
  // An empty text has no bytes, and HDF5 no type of size 0: an attribute without elements.
  const SpaceHandle space(H5Screate(value == nullptr ? H5S_NULL : H5S_SCALAR));
  const AttributeHandle attribute(
      H5Acreate2(group_.id(), name, file_type, space.id(), H5P_DEFAULT, H5P_DEFAULT));
  if (!attribute.is_open() || (value != nullptr && H5Awrite(attribute.id(), memory_type, value) < 0)) {
    fail(name, "HDF5 cannot write the attribute");
  }
}

void Hdf5Writer::attribute(const char* name, const std::string& text) {
  if (text.size() > kMaxAttributeTextBytes) {
    return bytes(name, text);
  }
  const TypeHandle type = text_type(std::max<std::size_t>(text.size(), 1));
  if (!type.is_open()) {
    return fail(name, "HDF5 cannot make the text's type");
  }
  write_attribute(name, type.id(), type.id(), text.empty() ? nullptr : text.data());
}

void Hdf5Writer::write_column(const char* name, const Elements& elements) {
  if (!state_) {
    return;
  }
  if (elements.length > kMaxColumnBytes / elements.element_bytes) {
    return fail(name, fmt::format("{} entries of {} bytes: a column holds at most {} bytes", elements.length,
                                  elements.element_bytes, kMaxColumnBytes));
  }
  const hsize_t length = elements.length;
  const SpaceHandle space(H5Screate_simple(1, &length, nullptr));
  const PropertiesHandle creation = column_creation(elements.length, elements.element_bytes);
  if (!space.is_open() || !creation.is_open()) {
    return fail(name, "HDF5 cannot set the properties of the dataset");
  }
  const DatasetHandle dataset(
      H5Dcreate2(group_.id(), name, elements.file_type, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT));
  if (!dataset.is_open()) {
    return fail(name, "HDF5 cannot create the dataset");
  }
  if (length > 0 &&
      H5Dwrite(dataset.id(), elements.memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements.data) < 0) {
    fail(name, "HDF5 cannot write the dataset");
  }
}

void Hdf5Writer::write_text_column(const char* name, const std::vector<std::string_view>& texts) {
  std::size_t width = 1;
  for (const std::string_view text : texts) {
    width = std::max(width, text.size());
    if (text.size() > kMaxColumnTextBytes) {
      return fail(name, fmt::format("a text of {} bytes: at most {}", text.size(), kMaxColumnTextBytes));
    }
    if (text.find('\0') != std::string_view::npos) {
      return fail(name, "a text holds a NUL byte, which pads the column");
    }
  }
  if (texts.size() > kMaxColumnBytes / width) {
    return fail(name, fmt::format("{} texts, the longest of {} bytes: too many", texts.size(), width));
  }
  std::string cells(texts.size() * width, '\0');
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::copy(texts[i].begin(), texts[i].end(), cells.data() + i * width);
  }
  const TypeHandle type = text_type(width);
  if (!type.is_open()) {
    return fail(name, "HDF5 cannot make the texts' type");
  }
  write_column(name, {type.id(), type.id(), width, texts.size(), cells.data()});
}

void Hdf5Writer::bytes(const char* name, const std::string& content) {
  write_column(name, {hdf5_file_type<std::uint8_t>(), hdf5_memory_type<std::uint8_t>(), 1, content.size(),
                      content.data()});
}

Result<std::string> Hdf5Writer::finish() && {
  if (state_ && !group_.reset()) {
    fail("", "HDF5 cannot close the root group");
  }
  PORTOLAN_CHECK_OK(state_);
  auto image = take_hdf5_image(std::move(file_));
  if (!image) {
    fail("", image.error().message);
    return state_.error();
  }
  return image;
}

}  // namespace portolan
