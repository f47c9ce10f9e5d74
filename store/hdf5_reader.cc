#include "store/hdf5_reader.h"

#include <fmt/format.h>

#include <utility>

namespace portolan {

namespace {

/// DEFLATE gives at most 258 bytes for 2 bits: zlib's documented limit of 1032 to 1.
constexpr std::uint64_t kLargestDeflateRatio = 1032;
/// Largest chunk that is read; the writer's are kChunkBytes.
constexpr std::uint64_t kMaxChunkBytes = 4 * std::uint64_t{kChunkBytes};

bool is_fixed_text(hid_t type) {
  return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
         H5Tget_strpad(type) == H5T_STR_NULLPAD;
}

/// Another filter could be a plugin, loaded from disk because a file says so.
bool has_known_filters(hid_t creation) {
  const int num_filters = H5Pget_nfilters(creation);
  for (int i = 0; i < num_filters; ++i) {
    unsigned flags = 0;
    std::size_t num_values = 0;
    unsigned config = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &num_values, nullptr, 0, nullptr, &config);
    if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE) {
      return false;
    }
  }
  return num_filters >= 0;
}

}  // namespace

Hdf5Reader::Hdf5Reader(FileHandle file, std::string name, std::size_t file_bytes)
    : name_(std::move(name)),
      file_bytes_(file_bytes),
      file_(std::move(file)),
      group_(H5Gopen2(file_.id(), "/", H5P_DEFAULT)) {
  if (!group_.is_open()) {
    fail("", "cannot be opened");
  }
}

void Hdf5Reader::fail(const char* name, std::string_view what) {
  if (state_) {
    state_ = bad_input(fmt::format("{}: {}{}: {}", name_, path_, name, what));
  }
}

void Hdf5Reader::fail_length(const char* name, std::size_t length, std::size_t expected) {
  fail(name, fmt::format("has {} entries, expected {}", length, expected));
}

bool Hdf5Reader::is_hard_link(const char* name) {
  if (!state_) {
    return false;
  }
  H5L_info_t link{};
  if (H5Lexists(group_.id(), name, H5P_DEFAULT) <= 0 ||
      H5Lget_info(group_.id(), name, &link, H5P_DEFAULT) < 0) {
    fail(name, "missing");
  } else if (link.type != H5L_TYPE_HARD) {
    fail(name, "is a link to elsewhere, which is not followed");
  }
  return state_.has_value();
}

GroupHandle Hdf5Reader::enter(const char* name) {
  GroupHandle inner;
  if (is_hard_link(name)) {
    inner = GroupHandle(H5Gopen2(group_.id(), name, H5P_DEFAULT));
  }
  if (!inner.is_open()) {
    fail(name, "is not a group");
  }
  path_ += name;
  path_ += '/';
  return std::exchange(group_, std::move(inner));
}

bool Hdf5Reader::read_attribute(const char* name, hid_t file_type, hid_t memory_type, void* value) {
  if (!state_) {
    return false;
  }
  if (H5Aexists(group_.id(), name) <= 0) {
    fail(name, "missing");
    return false;
  }
  const AttributeHandle attribute(H5Aopen(group_.id(), name, H5P_DEFAULT));
  const TypeHandle type(H5Aget_type(attribute.id()));
  const SpaceHandle space(H5Aget_space(attribute.id()));
  if (!type.is_open() || H5Tequal(type.id(), file_type) <= 0 ||
      H5Sget_simple_extent_type(space.id()) != H5S_SCALAR) {
    fail(name, "has the wrong type");
  } else if (H5Aread(attribute.id(), memory_type, value) < 0) {
    fail(name, "cannot be read");
  }
  return state_.has_value();
}

void Hdf5Reader::attribute(const char* name, std::string& text) {
  if (!state_) {
    return;
  }
  if (H5Aexists(group_.id(), name) <= 0) {
    return bytes(name, text);
  }
  const AttributeHandle attribute(H5Aopen(group_.id(), name, H5P_DEFAULT));
  const TypeHandle type(H5Aget_type(attribute.id()));
  const SpaceHandle space(H5Aget_space(attribute.id()));
  const H5S_class_t extent = H5Sget_simple_extent_type(space.id());
  const std::size_t size = H5Tget_size(type.id());
  if (!type.is_open() || !is_fixed_text(type.id()) || (extent != H5S_SCALAR && extent != H5S_NULL)) {
    return fail(name, "has the wrong type");
  }
  if (size > kMaxAttributeTextBytes) {
    return fail(name, fmt::format("claims {} bytes, too many", size));
  }
  text.assign(extent == H5S_NULL ? 0 : size, '\0');
  if (!text.empty() && H5Aread(attribute.id(), type.id(), text.data()) < 0) {
    fail(name, "cannot be read");
  }
}

void Hdf5Reader::attribute(const char* name, Compression& compression) {
  std::string text;
  attribute(name, text);
  if (!state_) {
    return;
  }
  if (const std::optional<Compression> found = find_compression(text)) {
    compression = *found;
  } else {
    fail(name, fmt::format("is no compression (allowed: {})", allowed_compressions()));
  }
}

std::optional<Hdf5Reader::OpenColumn> Hdf5Reader::open_column(const char* name) {
  if (!is_hard_link(name)) {
    return std::nullopt;
  }
  OpenColumn column;
  column.dataset = DatasetHandle(H5Dopen2(group_.id(), name, H5P_DEFAULT));
  column.type = TypeHandle(H5Dget_type(column.dataset.id()));
  const SpaceHandle space(H5Dget_space(column.dataset.id()));
  hsize_t length = 0;
  if (!column.type.is_open() || !space.is_open()) {
    fail(name, "is not a dataset");
  } else if (H5Sget_simple_extent_ndims(space.id()) != 1 ||
             H5Sget_simple_extent_dims(space.id(), &length, nullptr) != 1) {
    fail(name, "has not one dimension");
  } else if (column.element_bytes = H5Tget_size(column.type.id()); column.element_bytes == 0) {
    fail(name, "has the wrong type");
  } else if (length > kMaxColumnBytes / column.element_bytes) {
    fail(name, fmt::format("claims {} entries, too many", length));
  } else {
    column.length = static_cast<std::size_t>(length);
    if (has_plain_storage(name, column)) {
      return column;
    }
  }
  return std::nullopt;
}

/// Chunked, with filters that are known, and with enough stored bytes for what it claims.
bool Hdf5Reader::has_plain_storage(const char* name, const OpenColumn& column) {
  const PropertiesHandle creation(H5Dget_create_plist(column.dataset.id()));
  hsize_t chunk = 0;
  const std::uint64_t stored = H5Dget_storage_size(column.dataset.id());
  if (!creation.is_open() || H5Pget_layout(creation.id()) != H5D_CHUNKED ||
      H5Pget_chunk(creation.id(), 1, &chunk) != 1) {
    fail(name, "is not chunked");
  } else if (chunk == 0 || chunk > kMaxChunkBytes / column.element_bytes) {
    fail(name, fmt::format("has chunks of {} entries, too many", chunk));
  } else if (!has_known_filters(creation.id())) {
    fail(name, "is packed in a way that is not read (shuffle and gzip are)");
  } else if (stored > file_bytes_ ||
             column.length * std::uint64_t{column.element_bytes} > stored * kLargestDeflateRatio) {
    fail(name, fmt::format("claims {} entries, more than its {} bytes can hold", column.length, stored));
  }
  return state_.has_value();
}

bool Hdf5Reader::is_number_column(const char* name, const OpenColumn& column, hid_t file_type) {
  if (H5Tequal(column.type.id(), file_type) <= 0) {
    fail(name, "has the wrong type");
  }
  return state_.has_value();
}

bool Hdf5Reader::read_column(const char* name, const OpenColumn& column, hid_t memory_type, void* data) {
  if (column.length > 0 &&
      H5Dread(column.dataset.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
    fail(name, "cannot be read");
  }
  return state_.has_value();
}

std::vector<std::string> Hdf5Reader::read_texts(const char* name) {
  const auto column = open_column(name);
  if (!column) {
    return {};
  }
  if (!is_fixed_text(column->type.id()) || column->element_bytes > kMaxColumnTextBytes) {
    fail(name, "has the wrong type");
    return {};
  }
  std::string cells(column->length * column->element_bytes, '\0');
  if (!read_column(name, *column, column->type.id(), cells.data())) {
    return {};
  }
  std::vector<std::string> texts;
  texts.reserve(column->length);
  for (std::size_t i = 0; i < column->length; ++i) {
    const auto cell = std::string_view(cells).substr(i * column->element_bytes, column->element_bytes);
    texts.emplace_back(cell.substr(0, cell.find('\0')));
  }
  return texts;
}

void Hdf5Reader::bytes(const char* name, std::string& content) {
  const auto column = open_column(name);
  if (column && is_number_column(name, *column, hdf5_file_type<std::uint8_t>())) {
    content.resize(column->length);
    read_column(name, *column, hdf5_memory_type<std::uint8_t>(), content.data());
  }
}

}  // namespace portolan
