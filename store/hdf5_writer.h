#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "plan/compression.h"
#include "store/hdf5_handle.h"
#include "store/hdf5_layout.h"
#include "store/kept_value.h"

namespace portolan {

/// Writes values into groups of an open HDF5 file. The first failure is kept and all later calls do nothing,
/// so that a layout reads as a list of its fields: `Hdf5Reader` has the same calls, and one list serves both.
class Hdf5Writer {
 public:
  /// `name` leads every message: the name of the file that the result will have.
  Hdf5Writer(FileHandle file, std::string name);

  /// Makes the group `name` in the current one; `body` writes into it.
  template <typename Body>
  void group(const char* name, Body body) {
    const std::string outer_path = path_;
    GroupHandle outer = enter(name);
    body();
    group_ = std::move(outer);
    path_ = outer_path;
  }

  /// A number, flag or code, as an attribute of the current group.
  template <typename T>
  void attribute(const char* name, const T& value) {
    using Raw = typename KeptValue<T>::Raw;
    const Raw raw = KeptValue<T>::raw(value);
    write_attribute(name, hdf5_file_type<Raw>(), hdf5_memory_type<Raw>(), &raw);
  }
  /// Any bytes; as a dataset where they are more than kMaxAttributeTextBytes.
  void attribute(const char* name, const std::string& text);
  void attribute(const char* name, const Compression& compression) {
    attribute(name, compression_name(compression));
  }

  /// A dataset of one dimension.
  template <typename Values>
  void column(const char* name, const Values& values) {
    write_numbers(name, values, [](const auto& value) { return value; });
  }

  /// One dataset per field of the rows, all in the current group.
  template <typename Row, typename... Fields>
  void table(const std::vector<Row>& rows, Column<Row, Fields>... columns) {
    (table_column(rows, columns), ...);
  }

  /// A long text, as a dataset of bytes.
  void bytes(const char* name, const std::string& content);

  /// Closes everything. Gives the file's bytes, or the first failure.
  Result<std::string> finish() &&;

 private:
  struct Elements {
    hid_t file_type;
    hid_t memory_type;
    std::size_t element_bytes;
    std::size_t length;
    const void* data;
  };

  GroupHandle enter(const char* name);
  void fail(const char* name, std::string_view what);
  void write_attribute(const char* name, hid_t file_type, hid_t memory_type, const void* value);
  void write_column(const char* name, const Elements& elements);
  void write_text_column(const char* name, const std::vector<std::string_view>& texts);

  template <typename Values, typename Get>
  void write_numbers(const char* name, const Values& values, Get get) {
    using Kept = KeptValue<std::decay_t<decltype(get(*values.begin()))>>;
    using Raw = typename Kept::Raw;
    std::vector<Raw> raws;
    raws.reserve(values.size());
    for (const auto& value : values) {
      raws.push_back(Kept::raw(get(value)));
    }
    write_column(name,
                 {hdf5_file_type<Raw>(), hdf5_memory_type<Raw>(), sizeof(Raw), raws.size(), raws.data()});
  }

  template <typename Row, typename Field>
  void table_column(const std::vector<Row>& rows, Column<Row, Field> column) {
    if constexpr (std::is_same_v<Field, std::string>) {
      std::vector<std::string_view> texts;
      texts.reserve(rows.size());
      for (const Row& row : rows) {
        texts.push_back(row.*column.field);
      }
      write_text_column(column.name, texts);
    } else {
      write_numbers(column.name, rows, [column](const Row& row) { return row.*column.field; });
    }
  }

  std::string name_;
  FileHandle file_;
  GroupHandle group_;
  std::string path_ = "/";
  Result<void> state_;
};

}  // namespace portolan
