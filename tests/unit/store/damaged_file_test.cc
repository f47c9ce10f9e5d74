#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/file.h"
#include "base/random.h"
#include "store/run_file.h"
#include "store/seal.h"
#include "tests/unit/store/sample_run.h"
#include "tests/unit/store/scratch_folder.h"

namespace portolan {
namespace {

/// The error's message; says so when there was none or it is not a line that names the file.
std::string error_of(const Result<RunRecord>& result, std::string_view name = "run.h5") {
  if (result) {
    return "no error";
  }
  const Error& error = result.error();
  const bool is_one_line = error.message.find('\n') == std::string::npos;
  if (error.kind != ErrorKind::kBadInput || !is_one_line || !error.message.starts_with(name)) {
    return "not a line of bad input that names the file: " + error.message;
  }
  return error.message;
}

TEST(DamagedRunFile, WhatIsNoRunFileIsSaidSo) {
  const std::string hdf5 = sample_image().substr(kSealBytes);
  const struct {
    std::string content;
    std::string message;
  } rows[] = {
      {"", "run.h5: is empty, not a run file"},
      {"steps: 3\n", "run.h5: not a run file"},
      {std::string(5000, '\0'), "run.h5: not a run file"},
      {hdf5, "run.h5: an HDF5 file, but not a run file (it has no seal)"},
      {"portolan run file\n", "run.h5: truncated: 18 bytes"},
      {sample_image() + "x", "run.h5: damaged: its content is not what its SHA-256 says"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(error_of(parse_run(row.content, "run.h5")), row.message);
  }
}

TEST(DamagedRunFile, WhatIsNotThereIsSaidSo) {
  const ScratchFolder folder;
  const auto missing = folder / "none.h5";
  EXPECT_EQ(error_of(read_run(missing), missing.string()), missing.string() + ": no such file");
  const auto path = folder / "";
  EXPECT_EQ(error_of(read_run(path), path.string()), path.string() + ": is a folder, not a file");
}

TEST(DamagedRunFile, AMissingFolderIsAnErrorOfTheWriter) {
  const ScratchFolder folder;
  const auto written = write_run(folder / "none/run.h5", sample_run());
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(written.error().message.find("none/run.h5"), std::string::npos) << written.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
}

TEST(DamagedRunFile, NoTruncationIsRead) {
  const std::string& image = sample_image();
  std::size_t num_cuts = 0;
  for (std::size_t size = 0; size < image.size(); size += size < 1200 ? 1 : 37) {
    const std::string message = error_of(parse_run(std::string_view(image).substr(0, size), "run.h5"));
    const char* expected = size == 0 ? "empty" : size < 18 ? "not a run file" : "truncated";
    ASSERT_NE(message.find(expected), std::string::npos) << size << " bytes: " << message;
    ++num_cuts;
  }
  EXPECT_GT(num_cuts, 1200U);
}

TEST(DamagedRunFile, ATruncationOnDiskIsNotRead) {
  const ScratchFolder folder;
  const auto path = folder / "run.h5";
  ASSERT_TRUE(write_run(path, sample_run()));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_NE(error_of(read_run(path), path.string()).find("truncated"), std::string::npos);
}

/// HDF5 notices by itself when a file was cut and sealed afterwards.
TEST(DamagedRunFile, NoSealedTruncationIsRead) {
  for (std::size_t size = kSealBytes; size < sample_image().size(); size += 101) {
    const std::string_view payload = std::string_view(sample_image()).substr(kSealBytes, size - kSealBytes);
    ASSERT_NE(error_of(parse_run(seal(payload), "run.h5")), "no error") << size;
  }
}

TEST(DamagedRunFile, NoFlippedBitIsRead) {
  constexpr int kNumFlips = 3000;
  RandomStream random(7);
  for (int flip = 0; flip < kNumFlips; ++flip) {
    std::string image = sample_image();
    const std::size_t place = random.next_below(image.size());
    const auto bit = static_cast<unsigned char>(1U << random.next_below(8));
    image[place] = static_cast<char>(static_cast<unsigned char>(image[place]) ^ bit);
    const std::string message = error_of(parse_run(image, "run.h5"));
    ASSERT_TRUE(message.find("damaged") != std::string::npos || place < 64) << place << ": " << message;
    ASSERT_TRUE(message.starts_with("run.h5: ")) << place << ": " << message;
  }
}

TEST(DamagedRunFile, NoBitOfTheSealIsIdle) {
  for (std::size_t bit = 0; bit < 8 * kSealBytes; ++bit) {
    std::string image = sample_image();
    image[bit / 8] = static_cast<char>(static_cast<unsigned char>(image[bit / 8]) ^ (1U << bit % 8));
    ASSERT_TRUE(error_of(parse_run(image, "run.h5")).starts_with("run.h5: ")) << bit;
  }
}

TEST(DamagedRunFile, NoRunOfRandomBytesIsRead) {
  RandomStream random(8);
  for (int round = 0; round < 300; ++round) {
    std::string image = sample_image();
    const std::size_t start = random.next_below(image.size());
    const std::size_t end = start + random.next_below(image.size() - start) + 1;
    for (std::size_t place = start; place < end; ++place) {
      image[place] = static_cast<char>(random.next_bits() & 0xff);
    }
    ASSERT_TRUE(error_of(parse_run(image, "run.h5")).starts_with("run.h5: ")) << start << ' ' << end;
  }
}

}  // namespace
}  // namespace portolan
