#include "exec/data/text_source.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace portolan {
namespace {

namespace fs = std::filesystem;

/// A folder of its own for each test, removed afterwards.
class TextSource : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) /
              ("portolan_text_source_" + std::string(test->name()) + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  /// Names relative to the folder, texts after '=', documents joined by '|'.
  std::string read(const fs::path& path) const {
    const auto documents = read_documents(path);
    if (!documents) {
      return "error: " + relative(documents.error().message);
    }
    std::string joined;
    for (const Document& document : *documents) {
      joined += (joined.empty() ? "" : "|") + relative(document.name) + "=" + document.text;
    }
    return joined;
  }

  std::string relative(std::string text) const {
    const std::string prefix = folder_.string();
    return text.starts_with(prefix + "/") ? text.substr(prefix.size() + 1)
           : text.starts_with(prefix)     ? "." + text.substr(prefix.size())
                                          : text;
  }

  fs::path folder_;
};

constexpr const char* kAllowed =
    R"( (a record is an object with the string "text", or the strings "prefix" and "gold_completion"))";

TEST_F(TextSource, ReadsOneFile) {
  EXPECT_EQ(read(write("a.txt", "one\ntwo\n")), "a.txt=one\ntwo\n");
  EXPECT_EQ(read(write("b.jsonl",
                       "{\"text\": \"one\"}\n{\"prefix\": \"t\", \"gold_completion\": \"wo\", \"id\": 3}\n")),
            "b.jsonl:1=one|b.jsonl:2=two");
}

TEST_F(TextSource, ReadsAFolderByName) {
  write("b.txt", "second");
  write("c.jsonl", "{\"text\": \"third\"}\n");
  write("a.txt", "first");
  write("README.md", "not this");
  write("z.csv", "nor this");
  fs::create_directory(folder_ / "d.txt");
  EXPECT_EQ(read(folder_), "a.txt=first|b.txt=second|c.jsonl:1=third");
}

TEST_F(TextSource, FileErrors) {
  EXPECT_EQ(read(folder_), "error: .: no .txt or .jsonl file in this folder");
  EXPECT_EQ(read(folder_ / "none.txt"), "error: none.txt: no such file");
  EXPECT_EQ(read(folder_ / "none"), "error: none: no such file");
  EXPECT_EQ(read(write("a.csv", "x")),
            "error: a.csv: neither a .txt nor a .jsonl file, nor a folder of them");
  EXPECT_EQ(read(write("b.txt", "")), "error: b.txt: is empty (text is expected)");
  EXPECT_EQ(read(write("b.jsonl", "")), "error: b.jsonl: is empty (text is expected)");
  EXPECT_EQ(read(write("c.txt", std::string("ab\ncd\0e\n", 8))),
            "error: c.txt:2: NUL byte at offset 5: a binary file (text is expected)");
  EXPECT_EQ(read(write("c.jsonl", "{\"text\": 1}\n")), "error: c.jsonl:1: text: number is not a string");
  EXPECT_EQ(read(folder_), "error: b.jsonl: is empty (text is expected)");
}

TEST(ParseJsonLines, Records) {
  const std::pair<std::string_view, std::vector<Document>> rows[] = {
      {R"({"text": "a"})", {{"x:1", "a"}}},
      {"{\"text\": \"a\"}\r\n\n \t\r\n{\"text\": \"b\"}\n", {{"x:1", "a"}, {"x:4", "b"}}},
      {R"({"text": ""})", {{"x:1", ""}}},
      {R"({"text": "\u00e9\n\u0000"})", {{"x:1", std::string("\u00e9\n\0", 4)}}},
      {R"({"prefix": "a", "text": "b", "gold_completion": "c"})", {{"x:1", "b"}}},
      {R"({"gold_completion": " b", "prefix": "a"})", {{"x:1", "a b"}}},
  };
  for (const auto& [content, expected] : rows) {
    const auto documents = parse_json_lines(content, "x");
    ASSERT_TRUE(documents.has_value()) << documents.error().message;
    EXPECT_EQ(*documents, expected) << content;
  }
}

TEST(ParseJsonLines, Errors) {
  const std::string allowed = kAllowed;
  const std::pair<std::string, std::string> rows[] = {
      {"", "x: no record" + allowed},
      {"\n\n", "x: no record" + allowed},
      {"{\"text\": \"a\"}\n{\"text\": \"b\"\n", "x:2: column 13: not JSON" + allowed},
      {"{\"text\": \"a\"} {\"text\": \"b\"}", "x:1: column 15: not JSON" + allowed},
      {"plain text", "x:1: column 1: not JSON" + allowed},
      {"{\"text\": \"\xff\"}", "x:1: column 11: not JSON" + allowed},
      {R"({"text": "\ud800"})", "x:1: column 17: not JSON" + allowed},
      {R"({"a": 1e999, "text": "b"})",
       R"(x:1: "{\"a\": 1e999, \"text\": \"b\"}" holds a number that no double holds)" + allowed},
      {"[1, 2]", R"(x:1: "[1, 2]" is not an object)" + allowed},
      {"null", R"(x:1: "null" is not an object)" + allowed},
      {"{}", R"(x:1: "{}" has no text)" + allowed},
      {R"({"prefix": "a"})", R"(x:1: "{\"prefix\": \"a\"}" has no text)" + allowed},
      {R"({"Text": "a"})", R"(x:1: "{\"Text\": \"a\"}" has no text)" + allowed},
      {R"({"text": 5})", "x:1: text: number is not a string"},
      {R"({"text": null, "prefix": "a", "gold_completion": "b"})", "x:1: text: null is not a string"},
      {R"({"prefix": [], "gold_completion": "b"})", "x:1: prefix: array is not a string"},
      {R"({"prefix": "a", "gold_completion": {}})", "x:1: gold_completion: object is not a string"},
  };
  for (const auto& [content, message] : rows) {
    const auto documents = parse_json_lines(content, "x");
    ASSERT_FALSE(documents.has_value()) << content;
    EXPECT_EQ(documents.error(), bad_input(message));
  }
}

TEST(ParseJsonLines, DeepNestingIsNoDanger) {
  const std::string deep(200'000, '[');
  EXPECT_FALSE(parse_json_lines(deep, "x").has_value());
  EXPECT_FALSE(parse_json_lines(deep + std::string(deep.size(), ']'), "x").has_value());
}

TEST(ReadDocuments, ReadsTheSharedText) {
  const char* data = std::getenv("PORTOLAN_DATA");
  if (data == nullptr) {
    GTEST_SKIP() << "PORTOLAN_DATA is not set";
  }
  const auto records = read_documents(fs::path(data) / "lm/c4_sample.jsonl");
  ASSERT_TRUE(records.has_value()) << records.error().message;
  EXPECT_EQ(records->size(), 1480U);
  EXPECT_TRUE(records->front().text.starts_with("Total Grower Services"));
  const auto all = read_documents(fs::path(data) / "lm");
  ASSERT_TRUE(all.has_value()) << all.error().message;
  EXPECT_GT(all->size(), records->size());
}

}  // namespace
}  // namespace portolan
