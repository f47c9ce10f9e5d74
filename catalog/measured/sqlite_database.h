#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace portolan {

/// A row of a query's result, while it is visited.
class SqliteRow {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  /// Nothing: NULL, or no whole number.
  std::optional<std::int64_t> integer(int column) const;
  /// Nothing: NULL, or no text. Lives as long as the row.
  std::optional<std::string_view> text(int column) const;

 private:
  sqlite3_stmt* statement_;
};

/// A file of SQLite, to read only: its views and triggers are off, and its schema calls no functions.
class SqliteDatabase {
 public:
  /// Errors (kBadInput), one line with the file: missing, no regular file, no database.
  static Result<SqliteDatabase> open(const std::filesystem::path& path);
  /// The same of a file's content.
  static Result<SqliteDatabase> from_bytes(std::string_view bytes, const std::string& file);

  const std::string& file() const { return file_; }
  /// False also where `table` is no table.
  bool has_column(const std::string& table, std::string_view column) const;
  /// Visits the rows of the result. Errors (kBadInput): what SQLite finds: a damaged file.
  Result<void> for_each_row(const std::string& query,
                            const std::function<void(const SqliteRow&)>& visit) const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  SqliteDatabase(std::unique_ptr<sqlite3, Close> database, std::string file);
  static Result<SqliteDatabase> checked(std::unique_ptr<sqlite3, Close> database, std::string file);

  std::unique_ptr<sqlite3, Close> database_;
  std::string file_;  ///< as messages show it
};

}  // namespace portolan
