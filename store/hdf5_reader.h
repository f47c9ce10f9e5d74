#pragma once

#include <array>
#include <cstdint>
#include <optional>
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

/// Reads values from groups of an open HDF5 file that may hold anything: what is asked for must be there,
/// through hard links, with the exact type, and no larger than what is stored can unpack to. The first
/// failure is kept and all later calls do nothing (see Hdf5Writer); values read after it are left as they
/// were.
class Hdf5Reader {
 public:
  /// `name` leads every message. `file_bytes`: the size of the file, which bounds what it can hold.
  Hdf5Reader(FileHandle file, std::string name, std::size_t file_bytes);

  template <typename Body>
  void group(const char* name, Body body) {
    const std::string outer_path = path_;
    GroupHandle outer = enter(name);
    body();
    group_ = std::move(outer);
    path_ = outer_path;
  }

  template <typename T>
  void attribute(const char* name, T& value) {
    using Raw = typename KeptValue<T>::Raw;
    Raw raw{};
    if (read_attribute(name, hdf5_file_type<Raw>(), hdf5_memory_type<Raw>(), &raw) &&
        !KeptValue<T>::restore(raw, value)) {
      fail(name, "a code that has no meaning");
    }
  }
  void attribute(const char* name, std::string& text);
  void attribute(const char* name, Compression& compression);

  template <typename T>
  void column(const char* name, std::vector<T>& values) {
    const auto read = read_numbers<typename KeptValue<T>::Raw>(name);
    values.resize(read.size());
    restore_column(name, read, values, [](T& value) -> T& { return value; });
  }
  /// A column whose length is known.
  template <typename T, std::size_t length>
  void column(const char* name, std::array<T, length>& values) {
    const auto read = read_numbers<typename KeptValue<T>::Raw>(name);
    if (state_ && read.size() != length) {
      return fail_length(name, read.size(), length);
    }
    restore_column(name, read, values, [](T& value) -> T& { return value; });
  }

  template <typename Row, typename... Fields>
  void table(std::vector<Row>& rows, Column<Row, Fields>... columns) {
    bool is_first = true;
    (table_column(rows, columns, std::exchange(is_first, false)), ...);
  }

  void bytes(const char* name, std::string& content);

  /// A failure of the caller's own, at `name` in the current group.
  void fail(const char* name, std::string_view what);

  bool is_good() const { return state_.has_value(); }
  /// Success, or the first failure.
  const Result<void>& state() const { return state_; }

 private:
  struct OpenColumn {
    DatasetHandle dataset;
    TypeHandle type;
    std::size_t element_bytes = 0;
    std::size_t length = 0;
  };

  GroupHandle enter(const char* name);
  bool is_hard_link(const char* name);
  void fail_length(const char* name, std::size_t length, std::size_t expected);
  bool read_attribute(const char* name, hid_t file_type, hid_t memory_type, void* value);
  std::optional<OpenColumn> open_column(const char* name);
  bool has_plain_storage(const char* name, const OpenColumn& column);
  bool read_column(const char* name, const OpenColumn& column, hid_t memory_type, void* data);
  bool is_number_column(const char* name, const OpenColumn& column, hid_t file_type);
  std::vector<std::string> read_texts(const char* name);

  template <typename Raw>
  std::vector<Raw> read_numbers(const char* name) {
    std::vector<Raw> raws;
    const auto column = open_column(name);
    if (column && is_number_column(name, *column, hdf5_file_type<Raw>())) {
      raws.resize(column->length);
      read_column(name, *column, hdf5_memory_type<Raw>(), raws.data());
    }
    return raws;
  }

  template <typename Raw, typename Rows, typename Field>
  void restore_column(const char* name, const std::vector<Raw>& raws, Rows& rows, Field field) {
    for (std::size_t i = 0; state_ && i < raws.size(); ++i) {
      auto& value = field(rows[i]);
      if (!KeptValue<std::decay_t<decltype(value)>>::restore(raws[i], value)) {
        fail(name, "a code that has no meaning");
      }
    }
  }

  template <typename Row, typename Field>
  void table_column(std::vector<Row>& rows, Column<Row, Field> column, bool is_first) {
    auto read = [&] {
      if constexpr (std::is_same_v<Field, std::string>) {
        return read_texts(column.name);
      } else {
        return read_numbers<typename KeptValue<Field>::Raw>(column.name);
      }
    }();
    if (!state_) {
      return;
    }
    if (is_first) {
      rows.resize(read.size());
    }
    if (read.size() != rows.size()) {
      return fail_length(column.name, read.size(), rows.size());
    }
    if constexpr (std::is_same_v<Field, std::string>) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].*column.field = std::move(read[i]);
      }
    } else {
      restore_column(column.name, read, rows, [column](Row& row) -> Field& { return row.*column.field; });
    }
  }

  std::string name_;
  std::size_t file_bytes_;
  FileHandle file_;
  GroupHandle group_;
  std::string path_ = "/";
  Result<void> state_;
};

}  // namespace portolan
