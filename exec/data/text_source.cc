#include "exec/data/text_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "exec/data/quoted_excerpt.h"

namespace portolan {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kAllowedRecord =
    R"(a record is an object with the string "text", or the strings "prefix" and "gold_completion")";

bool is_text_file(const fs::path& path) { return path.extension() == ".txt" || path.extension() == ".jsonl"; }

/// The string `key` of a record; the record must have it.
Result<std::string> take_string(Json& record, const char* key, std::string_view where) {
  Json& value = record[key];
  if (!value.is_string()) {
    return bad_input(fmt::format("{}: {}: {} is not a string", where, key, value.type_name()));
  }
  return std::move(value.get_ref<std::string&>());
}

Result<std::string> parse_record(std::string_view line, std::string_view where) {
  Json record;
  try {
    record = Json::parse(line.begin(), line.end());
  } catch (const Json::parse_error& error) {
    return bad_input(fmt::format("{}: column {}: not JSON ({})", where, error.byte, kAllowedRecord));
  } catch (const Json::exception&) {
    return bad_input(fmt::format("{}: {} holds a number that no double holds ({})", where,
                                 quoted_excerpt(line), kAllowedRecord));
  }
  if (!record.is_object()) {
    return bad_input(
        fmt::format("{}: {} is not an object ({})", where, quoted_excerpt(line), kAllowedRecord));
  }
  if (record.contains("text")) {
    return take_string(record, "text", where);
  }
  if (!record.contains("prefix") || !record.contains("gold_completion")) {
    return bad_input(fmt::format("{}: {} has no text ({})", where, quoted_excerpt(line), kAllowedRecord));
  }
  PORTOLAN_TRY(std::string text, take_string(record, "prefix", where));
  PORTOLAN_TRY(const std::string completion, take_string(record, "gold_completion", where));
  return text + completion;
}

/// A file's content, if it is text at all.
Result<std::string> read_text(const fs::path& path) {
  PORTOLAN_TRY(std::string content, read_file(path));
  if (content.empty()) {
    return bad_input(fmt::format("{}: is empty (text is expected)", path.string()));
  }
  if (const std::size_t nul = content.find('\0'); nul != std::string::npos) {
    const auto line =
        1 + std::count(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
    return bad_input(fmt::format("{}:{}: NUL byte at offset {}: a binary file (text is expected)",
                                 path.string(), line, nul));
  }
  return content;
}

Result<std::vector<Document>> read_documents_of_file(const fs::path& path) {
  PORTOLAN_TRY(std::string content, read_text(path));
  if (path.extension() == ".jsonl") {
    return parse_json_lines(content, path.string());
  }
  std::vector<Document> documents;
  documents.push_back({path.string(), std::move(content)});
  return documents;
}

Result<std::vector<fs::path>> list_text_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    std::error_code entry_code;
    if (is_text_file(entry->path()) && entry->is_regular_file(entry_code)) {
      files.push_back(entry->path());
    }
  }
  if (code) {
    return bad_input(fmt::format("{}: cannot be listed: {}", folder.string(), code.message()));
  }
  if (files.empty()) {
    return bad_input(fmt::format("{}: no .txt or .jsonl file in this folder", folder.string()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<std::vector<Document>> parse_json_lines(std::string_view content, std::string_view place) {
  std::vector<Document> documents;
  for (int line_number = 1; !content.empty(); ++line_number) {
    const std::size_t end = content.find('\n');
    const std::string_view line = content.substr(0, end);
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    std::string where = fmt::format("{}:{}", place, line_number);
    PORTOLAN_TRY(std::string text, parse_record(line, where));
    documents.push_back({std::move(where), std::move(text)});
  }
  if (documents.empty()) {
    return bad_input(fmt::format("{}: no record ({})", place, kAllowedRecord));
  }
  return documents;
}

Result<std::vector<Document>> read_documents(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    if (fs::exists(path, code) && !is_text_file(path)) {
      return bad_input(
          fmt::format("{}: neither a .txt nor a .jsonl file, nor a folder of them", path.string()));
    }
    return read_documents_of_file(path);
  }
  PORTOLAN_TRY(const std::vector<fs::path> files, list_text_files(path));
  std::vector<Document> documents;
  for (const fs::path& file : files) {
    PORTOLAN_TRY(std::vector<Document> more, read_documents_of_file(file));
    documents.insert(documents.end(), std::make_move_iterator(more.begin()),
                     std::make_move_iterator(more.end()));
  }
  return documents;
}

}  // namespace portolan
