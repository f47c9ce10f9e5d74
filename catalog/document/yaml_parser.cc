#include "catalog/document/yaml_parser.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <memory>
#include <sstream>
#include <string>

#include "catalog/document/builder.h"
#include "catalog/document/text_check.h"

namespace portolan {

namespace {

constexpr std::size_t kLargestYaml = 8U << 20U;

/// Passes yaml-cpp's events on to a DocumentBuilder.
class YamlEvents : public YAML::EventHandler {
 public:
  YamlEvents(DocumentBuilder& builder, std::string_view text) : builder_(builder), text_(text) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++num_documents_ > 1) {
      builder_.refuse(line_of(mark), "a second document begins (allowed: one, without \"---\" in between)");
    }
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    builder_.refuse(line_of(mark),
                    fmt::format("anchor \"&{}\" is not allowed (write the value out)", printable(name)));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    builder_.refuse(line_of(mark), "an alias (\"*name\") is not allowed (write the value out)");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    if (builder_.expects_key()) {
      builder_.refuse(line_of(mark), "an empty key");
    }
    builder_.null(line_of(mark));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    check_tag(mark, tag);
    if (tag == "!" && !is_quote_closed(mark)) {
      builder_.refuse(line_of(mark), "a quote is not closed");
    }
    if (builder_.expects_key()) {
      builder_.key(value, line_of(mark));
    } else {
      builder_.scalar(value, tag == "!", line_of(mark));
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    check_tag(mark, tag);
    check_is_value(mark);
    builder_.start_sequence(line_of(mark));
  }
  void OnSequenceEnd() override { builder_.end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    check_tag(mark, tag);
    check_is_value(mark);
    builder_.start_mapping(line_of(mark));
  }
  void OnMapEnd() override { builder_.end(); }

 private:
  static int line_of(const YAML::Mark& mark) { return mark.line + 1; }

  /// yaml-cpp's "?" is an untagged plain value, "!" an untagged quoted one.
  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      builder_.refuse(line_of(mark), fmt::format("tag \"{}\" is not allowed", printable(tag)));
    }
  }
  void check_is_value(const YAML::Mark& mark) {
    if (builder_.expects_key()) {
      builder_.refuse(line_of(mark), "a list or mapping is used as a key (allowed: a word)");
    }
  }

  /// yaml-cpp 0.7 ends a quoted text that runs out of its indentation, or of the file, as if it were closed.
  bool is_quote_closed(const YAML::Mark& mark) const {
    auto at = static_cast<std::size_t>(mark.pos) + (text_.starts_with("\xEF\xBB\xBF") ? 3U : 0U);
    const char quote = at < text_.size() ? text_[at] : ' ';
    if (quote != '"' && quote != '\'') {
      return true;  // a literal block, which needs no end
    }
    while (++at < text_.size()) {
      if (quote == '"' && text_[at] == '\\') {
        ++at;
      } else if (text_[at] == quote && (quote == '"' || at + 1 == text_.size() || text_[at + 1] != quote)) {
        return true;
      } else if (text_[at] == quote) {
        ++at;  // two single quotes stand for one
      }
    }
    return false;
  }

  DocumentBuilder& builder_;
  std::string_view text_;
  int num_documents_ = 0;
};

}  // namespace

Result<DocumentNode> parse_yaml(std::string_view text, std::string_view file) {
  if (text.size() > kLargestYaml) {
    return bad_input(
        fmt::format("{}: is {} bytes (allowed: up to {})", printable(file), text.size(), kLargestYaml));
  }
  PORTOLAN_CHECK_OK(check_is_text(text, file));
  DocumentBuilder builder(
      std::make_shared<DocumentOrigin>(DocumentOrigin{std::string(file), "", Notation::kUnits}));
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    YamlEvents events(builder, text);
    while (!builder.has_problem() && parser.HandleNextDocument(events)) {
    }
  } catch (const YAML::Exception& exception) {
    const int line = exception.mark.is_null() ? 1 : exception.mark.line + 1;
    const int column = exception.mark.is_null() ? 1 : exception.mark.column + 1;
    if (!builder.has_problem()) {
      return bad_input(
          fmt::format("{}:{}:{}: is not YAML: {}", printable(file), line, column, printable(exception.msg)));
    }
  } catch (const std::exception& exception) {
    return bad_input(fmt::format("{}: is not YAML: {}", printable(file), printable(exception.what())));
  }
  return builder.finish();
}

}  // namespace portolan
