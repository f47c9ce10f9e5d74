#pragma once

#include <hdf5.h>

#include <cstddef>
#include <cstdint>

namespace portolan {

/// One column of a table: the dataset's name, and the field of a row that it holds.
template <typename Row, typename Field>
struct Column {
  const char* name;
  Field Row::*field;
};
template <typename Row, typename Field>
Column(const char*, Field Row::*) -> Column<Row, Field>;

/// Bytes of a chunk before compression. Small enough for HDF5's chunk cache of 1 MiB; larger ones compress no
/// better.
inline constexpr std::size_t kChunkBytes = std::size_t{512} * 1024;
/// Longest text that is an attribute (HDF5 keeps attributes below 64 KiB); a longer one is a dataset of
/// bytes.
inline constexpr std::size_t kMaxAttributeTextBytes = std::size_t{32} * 1024;
/// Longest text in a column of texts: the column is as wide as its longest text.
inline constexpr std::size_t kMaxColumnTextBytes = 4096;
/// Largest column before compression: 268 million numbers of 8 bytes.
inline constexpr std::uint64_t kMaxColumnBytes = std::uint64_t{1} << 31;

/// Numbers are little-endian in every file, whatever machine wrote it.
template <typename Raw>
hid_t hdf5_file_type();
template <>
inline hid_t hdf5_file_type<std::uint8_t>() {
  return H5T_STD_U8LE;
}
template <>
inline hid_t hdf5_file_type<std::int32_t>() {
  return H5T_STD_I32LE;
}
template <>
inline hid_t hdf5_file_type<std::int64_t>() {
  return H5T_STD_I64LE;
}
template <>
inline hid_t hdf5_file_type<std::uint32_t>() {
  return H5T_STD_U32LE;
}
template <>
inline hid_t hdf5_file_type<std::uint64_t>() {
  return H5T_STD_U64LE;
}
template <>
inline hid_t hdf5_file_type<double>() {
  return H5T_IEEE_F64LE;
}

template <typename Raw>
hid_t hdf5_memory_type();
template <>
inline hid_t hdf5_memory_type<std::uint8_t>() {
  return H5T_NATIVE_UINT8;
}
template <>
inline hid_t hdf5_memory_type<std::int32_t>() {
  return H5T_NATIVE_INT32;
}
template <>
inline hid_t hdf5_memory_type<std::int64_t>() {
  return H5T_NATIVE_INT64;
}
template <>
inline hid_t hdf5_memory_type<std::uint32_t>() {
  return H5T_NATIVE_UINT32;
}
template <>
inline hid_t hdf5_memory_type<std::uint64_t>() {
  return H5T_NATIVE_UINT64;
}
template <>
inline hid_t hdf5_memory_type<double>() {
  return H5T_NATIVE_DOUBLE;
}

}  // namespace portolan
