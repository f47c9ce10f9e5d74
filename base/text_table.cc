#include "base/text_table.h"

namespace portolan {

namespace {

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

void append_csv_line(const std::vector<std::string>& fields, std::string& text) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    text += (i > 0 ? "," : "") + csv_field(fields[i]);
  }
  text += "\n";
}

void append_markdown_line(const std::vector<std::string>& fields, std::string& text) {
  text += "|";
  for (const std::string& field : fields) {
    text += " ";
    for (const char c : field) {
      text += c == '|' ? "\\|" : std::string(1, c);
    }
    text += " |";
  }
  text += "\n";
}

}  // namespace

std::string write_csv(const TextTable& table) {
  std::string text;
  append_csv_line(table.columns, text);
  for (const std::vector<std::string>& row : table.rows) {
    append_csv_line(row, text);
  }
  return text;
}

std::string write_markdown(const TextTable& table) {
  std::string text;
  append_markdown_line(table.columns, text);
  text += "|";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    text += "---|";
  }
  text += "\n";
  for (const std::vector<std::string>& row : table.rows) {
    append_markdown_line(row, text);
  }
  return text;
}

}  // namespace portolan
