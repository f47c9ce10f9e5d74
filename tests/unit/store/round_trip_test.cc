#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "store/run_file.h"
#include "tests/unit/store/sample_run.h"
#include "tests/unit/store/scratch_folder.h"

namespace portolan {
namespace {

RunRecord round_trip(const RunRecord& run) {
  const auto content = format_run(run, "run.h5");
  if (!content) {
    ADD_FAILURE() << content.error().message;
    return {};
  }
  auto read = parse_run(*content, "run.h5");
  if (!read) {
    ADD_FAILURE() << read.error().message;
    return {};
  }
  return *read;
}

TEST(RunFile, EveryFieldComesBack) {
  ASSERT_FALSE(sample_run() == RunRecord());
  EXPECT_TRUE(round_trip(sample_run()) == sample_run());
}

TEST(RunFile, AnEmptyRecordComesBack) { EXPECT_TRUE(round_trip(RunRecord()) == RunRecord()); }

TEST(RunFile, GoesThroughADiskFileAndLeavesNothingElse) {
  const ScratchFolder folder;
  const auto path = folder / "run.h5";
  for (const RunRecord& run : {sample_run(), RunRecord()}) {
    const auto written = write_run(path, run);
    ASSERT_TRUE(written) << written.error().message;
    const auto read = read_run(path);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(*read == run);
    EXPECT_FALSE(std::filesystem::exists(temporary_path_for(path)));
  }
}

TEST(RunFile, EqualRecordsGiveEqualBytes) {
  const auto first = format_run(sample_run(), "a.h5");
  const auto second = format_run(sample_run(), "b.h5");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, *second);
}

TEST(RunFile, AFileReadAndWrittenAgainIsTheSameFile) {
  const auto first = format_run(sample_run(), "a.h5");
  ASSERT_TRUE(first);
  const auto run = parse_run(*first, "a.h5");
  ASSERT_TRUE(run);
  const auto second = format_run(*run, "a.h5");
  ASSERT_TRUE(second);
  EXPECT_EQ(*first, *second);
}

TEST(RunFile, NumbersComeBackToTheBit) {
  using Limits = std::numeric_limits<double>;
  RunRecord run;
  run.losses = {Limits::quiet_NaN(),  Limits::infinity(), -Limits::infinity(), -0.0,
                Limits::denorm_min(), Limits::max(),      Limits::lowest()};
  run.predicted.cost = Limits::quiet_NaN();
  run.provenance.seed = std::numeric_limits<std::uint64_t>::max();
  run.predicted.peak_memory = Bytes(std::numeric_limits<std::int64_t>::min());
  const RunRecord read = round_trip(run);
  ASSERT_EQ(read.losses.size(), run.losses.size());
  for (std::size_t i = 0; i < run.losses.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint64_t>(read.losses[i]), std::bit_cast<std::uint64_t>(run.losses[i])) << i;
  }
  EXPECT_EQ(std::bit_cast<std::uint64_t>(read.predicted.cost),
            std::bit_cast<std::uint64_t>(run.predicted.cost));
  EXPECT_EQ(read.provenance.seed, run.provenance.seed);
  EXPECT_EQ(read.predicted.peak_memory, run.predicted.peak_memory);
}

TEST(RunFile, TextsComeBackWhateverTheirBytes) {
  const std::vector<std::string> texts = {
      "",
      " ",
      "\u8239 \U0001F6A2 na\u00efve",
      std::string("inner\0and trailing\0\0", 20),
      std::string(1, '\0'),
      "\xff\xfe not UTF-8",
      std::string(300'000, 'x'),  // beyond the 64 KiB of a compact attribute
  };
  for (const std::string& text : texts) {
    RunRecord run;
    run.plan_json = text;
    run.provenance.command = text;
    run.provenance.machine = text;
    run.invalid_reason = text;
    EXPECT_TRUE(round_trip(run) == run) << text.size() << " bytes";
  }
}

TEST(RunFile, CompressionComesBack) {
  for (const char* name : {"none", "bf16", "int4", "topk:1e-05", "powersgd:1024"}) {
    RunRecord run;
    run.predicted.strategy.gradient_aggregation.compression = find_compression(name).value();
    EXPECT_TRUE(round_trip(run) == run) << name;
  }
}

TEST(RunFile, KindsOfUnequalLengthComeBack) {
  RunRecord run;
  run.by_kind = {{"", Seconds(1), Seconds(2)},
                 {std::string(4096, 'k'), Seconds(3), Seconds(4)},
                 {"\u8239", Seconds(5), Seconds(6)}};
  EXPECT_TRUE(round_trip(run) == run);
  run.by_kind = {{"", Seconds(1), Seconds(2)}};
  EXPECT_TRUE(round_trip(run) == run);
}

TEST(RunFile, LengthsAroundAChunkComeBack) {
  constexpr std::size_t kChunk = 65'536;  // entries of 8 bytes
  for (const std::size_t length : {std::size_t{1}, kChunk - 1, kChunk, kChunk + 1, 2 * kChunk}) {
    EXPECT_TRUE(round_trip(run_with_timeline(length)) == run_with_timeline(length)) << length;
  }
  RunRecord zeros;
  zeros.losses.resize(3'000'000);  // packs as well as anything can
  EXPECT_TRUE(round_trip(zeros) == zeros);
}

TEST(RunFile, AMillionEntriesStaySmall) {
  constexpr std::size_t kNumEntries = 1'000'000;
  constexpr double kRawMegabytes = 24e-6 * kNumEntries;
  const ScratchFolder folder;
  const auto path = folder / "run.h5";
  const RunRecord run = run_with_timeline(kNumEntries);
  const auto start = std::chrono::steady_clock::now();
  const auto written = write_run(path, run);
  const auto between = std::chrono::steady_clock::now();
  const auto read = read_run(path);
  const auto end = std::chrono::steady_clock::now();
  ASSERT_TRUE(written) << written.error().message;
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(*read == run);
  const auto size = static_cast<double>(std::filesystem::file_size(path));
  std::cout << "write " << kRawMegabytes / std::chrono::duration<double>(between - start).count()
            << " MB/s, read " << kRawMegabytes / std::chrono::duration<double>(end - between).count()
            << " MB/s, " << size / kNumEntries << " bytes an entry (24 raw)\n";
  EXPECT_LT(size, 13.0 * kNumEntries);
}

TEST(RunFile, ThreadsWriteAndReadAtOnce) {
  std::vector<std::thread> threads;
  std::vector<int> num_equal(4);
  for (std::size_t thread = 0; thread < num_equal.size(); ++thread) {
    threads.emplace_back([thread, &num_equal] {
      RunRecord run = sample_run();
      run.provenance.seed = thread;
      for (int round = 0; round < 10; ++round) {
        const auto content = format_run(run, "run.h5");
        const auto read = content ? parse_run(*content, "run.h5") : Result<RunRecord>(content.error());
        num_equal[thread] += read && *read == run;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(num_equal, std::vector<int>(4, 10));
}

}  // namespace
}  // namespace portolan
