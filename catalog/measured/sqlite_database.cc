#include "catalog/measured/sqlite_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cstring>
#include <utility>

#include "catalog/document/node.h"

namespace portolan {

namespace fs = std::filesystem;

namespace {

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

}  // namespace

std::optional<std::int64_t> SqliteRow::integer(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_INTEGER
             ? std::optional<std::int64_t>(sqlite3_column_int64(statement_, column))
             : std::nullopt;
}

std::optional<std::string_view> SqliteRow::text(int column) const {
  if (sqlite3_column_type(statement_, column) != SQLITE_TEXT) {
    return std::nullopt;
  }
  const unsigned char* const begin = sqlite3_column_text(statement_, column);
  const int length = sqlite3_column_bytes(statement_, column);
  return begin == nullptr ? std::nullopt
                          : std::optional(std::string_view(reinterpret_cast<const char*>(begin),
                                                           static_cast<std::size_t>(length)));
}

void SqliteDatabase::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

SqliteDatabase::SqliteDatabase(std::unique_ptr<sqlite3, Close> database, std::string file)
    : database_(std::move(database)), file_(std::move(file)) {}

Result<SqliteDatabase> SqliteDatabase::checked(std::unique_ptr<sqlite3, Close> database, std::string file) {
  for (const auto& [option, on] :
       {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1}, std::pair{SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        std::pair{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, std::pair{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}}) {
    sqlite3_db_config(database.get(), option, on, nullptr);
  }
  SqliteDatabase result(std::move(database), std::move(file));
  // SQLite looks at the file when it is first asked.
  if (const Result<void> read =
          result.for_each_row("SELECT count(*) FROM sqlite_master", [](const SqliteRow&) {});
      !read) {
    return read.error();
  }
  return result;
}

Result<SqliteDatabase> SqliteDatabase::open(const fs::path& path) {
  const std::string file = printable(path.string());
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (status.type() == fs::file_type::not_found) {
    return bad_input(fmt::format("{}: no such file", file));
  }
  if (!fs::is_regular_file(status)) {
    return bad_input(fmt::format("{}: is not a regular file", file));
  }
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
  std::unique_ptr<sqlite3, Close> database(opened);
  if (result != SQLITE_OK) {
    return bad_input(fmt::format("{}: cannot be read: {}", file, sqlite3_errstr(result)));
  }
  return checked(std::move(database), file);
}

Result<SqliteDatabase> SqliteDatabase::from_bytes(std::string_view bytes, const std::string& file) {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(":memory:", &opened, SQLITE_OPEN_READWRITE, nullptr);
  std::unique_ptr<sqlite3, Close> database(opened);
  auto* const copy = static_cast<unsigned char*>(sqlite3_malloc64(bytes.size() + 1));
  if (result != SQLITE_OK || copy == nullptr) {
    sqlite3_free(copy);
    return bad_input(fmt::format("{}: cannot be read", printable(file)));
  }
  std::memcpy(copy, bytes.data(), bytes.size());
  const auto size = static_cast<sqlite3_int64>(bytes.size());
  // Frees the copy in any case.
  if (sqlite3_deserialize(opened, "main", copy, size, size,
                          SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY) != SQLITE_OK) {
    return bad_input(fmt::format("{}: is no database of SQLite", printable(file)));
  }
  return checked(std::move(database), printable(file));
}

bool SqliteDatabase::has_column(const std::string& table, std::string_view column) const {
  bool found = false;
  const Result<void> read =
      for_each_row(fmt::format("PRAGMA table_info(\"{}\")", table),
                   [&](const SqliteRow& row) { found = found || row.text(1) == column; });
  return found && read.has_value();
}

Result<void> SqliteDatabase::for_each_row(const std::string& query,
                                          const std::function<void(const SqliteRow&)>& visit) const {
  sqlite3_stmt* prepared = nullptr;
  int result = sqlite3_prepare_v2(database_.get(), query.c_str(), -1, &prepared, nullptr);
  const std::unique_ptr<sqlite3_stmt, Finalize> statement(prepared);
  if (result == SQLITE_OK) {
    result = sqlite3_step(prepared);
    for (; result == SQLITE_ROW; result = sqlite3_step(prepared)) {
      visit(SqliteRow(prepared));
    }
  }
  if (result == SQLITE_DONE) {
    return {};
  }
  return bad_input(result == SQLITE_NOTADB ? fmt::format("{}: is no database of SQLite", file_)
                                           : fmt::format("{}: cannot be read: {}", file_,
                                                         printable(sqlite3_errmsg(database_.get()))));
}

}  // namespace portolan
