#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace portolan {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("portolan-file-test-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::size_t num_files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(FileTest, WritesAndReadsBack) {
  const std::string content("a\0b\n", 4);
  ASSERT_TRUE(write_file_atomically(folder_ / "x", content));
  EXPECT_EQ(*read_file(folder_ / "x"), content);
  EXPECT_EQ(num_files(), 1U) << "a temporary file was left behind";
}

TEST_F(FileTest, ReplacesWhole) {
  ASSERT_TRUE(write_file_atomically(folder_ / "x", "a long first content"));
  ASSERT_TRUE(write_file_atomically(folder_ / "x", "short"));
  EXPECT_EQ(*read_file(folder_ / "x"), "short");
}

TEST_F(FileTest, MissingFolderIsAnErrorAndLeavesNothing) {
  const auto written = write_file_atomically(folder_ / "no" / "x", "content");
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("no such folder: "), std::string::npos);
  EXPECT_EQ(num_files(), 0U);
}

TEST_F(FileTest, OnlyRegularFilesAreReplaced) {
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(write_file_atomically(pipe, "content").error().message,
            pipe.string() + ": is not a regular file");
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(write_file_atomically(folder_, "content").error().message,
            folder_.string() + ": is a folder (allowed: a file)");
}

TEST_F(FileTest, ALinkIsFollowed) {
  ASSERT_TRUE(write_file_atomically(folder_ / "x", "old"));
  fs::create_symlink("x", folder_ / "link");
  ASSERT_TRUE(write_file_atomically(folder_ / "link", "new"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(*read_file(folder_ / "x"), "new");
}

TEST_F(FileTest, ReadErrorsNameTheFile) {
  EXPECT_EQ(read_file(folder_ / "none").error().message, (folder_ / "none").string() + ": no such file");
  EXPECT_EQ(read_file(folder_).error().message, folder_.string() + ": is a folder, not a file");
}

}  // namespace
}  // namespace portolan
