#include "cli/launch_report.h"

#include <fmt/format.h>

#include "catalog/document/node.h"
#include "catalog/json/json_value.h"
#include "report/table.h"

namespace portolan {

namespace {

/// `items` joined by ", ", in lines of up to `width` characters that begin with two blanks.
std::string wrapped_list(const std::vector<std::string>& items, std::size_t width) {
  std::string text;
  std::string line = " ";
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item = " " + items[i] + (i + 1 < items.size() ? "," : "");
    if (line.size() > 1 && line.size() + item.size() > width) {
      text += line + "\n";
      line = " ";
    }
    line += item;
  }
  return text + line + "\n";
}

/// "LABEL: text", the words of the text in lines of up to `width`, the later ones indented.
std::string labelled(std::string_view label, std::string_view text, std::size_t width) {
  std::string all;
  std::string line = fmt::format("{}:", label);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (line.size() + 1 + end > width && line.size() > 4) {
      all += line + "\n";
      line = "   ";
    }
    line += fmt::format(" {}", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all + line + "\n";
}

}  // namespace

std::string export_text(const LaunchExport& launch, const std::vector<std::string>& paths,
                        std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  std::string missing;
  for (const LaunchField& field : launch.fields) {
    if (field.why.empty()) {
      rows.push_back({field.field, field.value, field.as});
    } else {
      missing +=
          labelled("inexpressible", fmt::format("{}={}: {}", field.field, field.value, field.why), width);
    }
  }
  using Align = Column::Align;
  std::string text = render_table({{.header = "field", .align = Align::kLeft},
                                   {.header = "value", .align = Align::kLeft, .wraps = true},
                                   {.header = "said by", .align = Align::kLeft, .wraps = true}},
                                  rows, width);
  text += missing.empty() ? "" : "\n" + missing;
  text += "\n";
  for (const std::string& path : paths) {
    text += fmt::format("wrote {}\n", path);
  }
  return text;
}

std::string export_json(const LaunchExport& launch, const std::vector<std::string>& paths) {
  JsonValue fields = JsonValue::array();
  JsonValue missing = JsonValue::array();
  for (const LaunchField& field : launch.fields) {
    JsonValue one = JsonValue::object().set("field", field.field).set("value", field.value);
    if (field.why.empty()) {
      fields.append(one.set("as", field.as));
    } else {
      missing.append(one.set("why", field.why));
    }
  }
  return write_json_line(JsonValue::object()
                             .set("files", json_list(paths))
                             .set("fields", std::move(fields))
                             .set("inexpressible", std::move(missing)));
}

std::string reading_text(const LaunchReading& reading, std::size_t width) {
  std::vector<std::string> items;
  for (const MegatronFlag& flag : megatron_flags()) {
    const auto given = reading.arguments.given.find(flag.flag);
    if (given != reading.arguments.given.end()) {
      const std::string value = given->second.text.empty() ? "" : " " + printable(given->second.text);
      items.push_back(fmt::format("{}{} ({})", flag.flag, value, given->second.line));
    }
  }
  std::string text = fmt::format("{}, lines in parentheses:\n", reading.arguments.file);
  text += wrapped_list(items, width);
  for (const std::string& line : reading.assumed) {
    text += labelled("assumed", line, width);
  }
  for (const std::string& line : reading.differs) {
    text += labelled("script, not scenario", line, width);
  }
  for (const UnreadFlag& flag : reading.arguments.unread) {
    text +=
        labelled("unknown",
                 fmt::format("{}:{}: {}: {}", reading.arguments.file, flag.line, flag.flag, flag.why), width);
  }
  for (const ShellNote& note : reading.arguments.notes) {
    text += labelled("note", fmt::format("{}:{}: {}", reading.arguments.file, note.line, note.text), width);
  }
  return text + "\n";
}

}  // namespace portolan
