#include "catalog/measured/nccl_tests.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/unit/catalog/measured/nccl_text.h"

namespace portolan {
namespace {

Result<NcclTestsOutput> read_nccl(const std::string& text, const std::string& file = "dir/run.txt") {
  std::istringstream stream(text);
  return read_nccl_tests(stream, file);
}

double line_time(std::int64_t size, bool in_place) {
  return (in_place ? 30e-6 : 20e-6) + static_cast<double>(size) / 100e9;
}

NcclText output_of(const std::string& program) {
  NcclText text;
  text.program = program;
  text.time = line_time;
  return text;
}

TEST(NcclTests, EachProgramIsReadAsItsCollective) {
  struct Case {
    const char* program;
    CollectiveKind kind;
    std::size_t num_rows;
  };
  for (const auto& [program, kind, num_rows] :
       {Case{"all_reduce_perf", CollectiveKind::kAllReduce, 12},
        Case{"all_gather_perf", CollectiveKind::kAllGather, 12},
        Case{"reduce_scatter_perf", CollectiveKind::kReduceScatter, 12},
        Case{"broadcast_perf", CollectiveKind::kBroadcast, 12},
        Case{"alltoall_perf", CollectiveKind::kAllToAll, 6},
        Case{"sendrecv_perf", CollectiveKind::kShift, 6}}) {
    const auto output = read_nccl(nccl_text(output_of(program)));
    ASSERT_TRUE(output) << output.error().message;
    ASSERT_EQ(output->tests.size(), 1U) << program;
    const NcclTest& test = output->tests.front();
    EXPECT_EQ(test.kind, kind) << program;
    ASSERT_EQ(test.ranks.size(), 8U);
    EXPECT_EQ(test.ranks[3], (NcclTestRank{9, "node0", 3, "0000:0a:00", "NVIDIA A100-SXM4-80GB"}));
    ASSERT_EQ(test.rows.size(), num_rows) << program;
    EXPECT_EQ(test.rows[0].size, Bytes(1024));
    EXPECT_NEAR(test.rows[0].time.value, 20e-6, 0.02e-6);
    EXPECT_EQ(output->num_malformed, 0);
  }
}

TEST(NcclTests, ToldByTheCommandTheFileOrTheTable) {
  for (const char* program : {"all_reduce_perf", "all_gather_perf", "reduce_scatter_perf", "broadcast_perf",
                              "alltoall_perf", "sendrecv_perf"}) {
    NcclText quiet = output_of(program);
    quiet.says_program = false;
    const CollectiveKind kind = read_nccl(nccl_text(output_of(program)))->tests.front().kind;
    const std::string table = nccl_text(quiet);
    EXPECT_EQ(read_nccl("$ mpirun -np 8 ./build/" + std::string(program) + " -b 8 -e 8G\n" + table)
                  ->tests.front()
                  .kind,
              kind);
    EXPECT_EQ(read_nccl(table, "logs/2nodes_" + std::string(program) + ".log")->tests.front().kind, kind);
    EXPECT_EQ(read_nccl(table)->tests.front().kind, kind) << program;  // by columns and bandwidths
  }
  NcclText two = output_of("all_reduce_perf");
  two.says_program = false;
  two.ranks_per_host = 2;
  // Over two ranks an all-reduce has the bandwidths of a send: what is in place tells them apart.
  EXPECT_EQ(read_nccl(nccl_text(two))->tests.front().kind, CollectiveKind::kAllReduce);
  two.sizes = {8, 1024};
  const auto slow = read_nccl(nccl_text(two));
  ASSERT_FALSE(slow);
  EXPECT_NE(slow.error().message.find("dir/run.txt:8: does not say which program printed it"),
            std::string::npos)
      << slow.error().message;
}

TEST(NcclTests, SeveralRunsLabelsAndOtherOutput) {
  NcclText labelled = output_of("all_gather_perf");
  labelled.label = "[1,0]<stdout>:";
  NcclText numbered = output_of("alltoall_perf");
  numbered.label = " 0: ";
  NcclText reduce = output_of("reduce_perf");
  std::string text = "Loading module nccl\r\n" + nccl_text(output_of("all_reduce_perf")) +
                     "node0:4000:4100 [0] NCCL INFO comm 0x7f rank 0 nranks 8 - Init COMPLETE\n" +
                     nccl_text(labelled) + "\n" + nccl_text(numbered) + nccl_text(reduce);
  const auto output = read_nccl(text);
  ASSERT_TRUE(output) << output.error().message;
  ASSERT_EQ(output->tests.size(), 3U);
  EXPECT_EQ(output->tests[1].kind, CollectiveKind::kAllGather);
  EXPECT_EQ(output->tests[2].kind, CollectiveKind::kAllToAll);
  EXPECT_EQ(output->other_programs, std::vector<std::string>{"reduce_perf"});
}

TEST(NcclTests, OlderTablesWithoutRootAndWithoutGroup) {
  const std::string text =
      "#   Rank  0 Pid   2433 on       gpu1 device  0 [0x07] Tesla V100\n"
      "#   Rank  1 Pid   2433 on       gpu1 device  1 [0x0a] Tesla V100\n"
      "#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  "
      "error\n"
      "     1048576        262144   float     sum    20.97   50.00   50.00  1e-07    20.97   50.00   50.00  "
      "1e-07\n";
  const auto output = read_nccl(text, "all_reduce_perf.out");
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->tests.front().ranks[1], (NcclTestRank{2, "gpu1", 1, "0x0a", "Tesla V100"}));
  EXPECT_EQ(output->tests.front().rows.size(), 2U);
}

TEST(NcclTests, RowsThatAreCutAreCountedAndNotUsed) {
  const std::string good_text = nccl_text(output_of("all_reduce_perf"));
  const auto broken = read_nccl(with(good_text, "  sum ", "  sum node0:1:2 [0] NCCL WARN x "));
  ASSERT_TRUE(broken) << broken.error().message;
  EXPECT_EQ(broken->num_malformed, 1);
  EXPECT_EQ(broken->tests.front().rows.size(), 10U);
  const auto cut = read_nccl(good_text.substr(0, good_text.find("# Out of bounds") - 3));
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_EQ(cut->num_malformed, 1);
  EXPECT_EQ(cut->tests.front().rows.size(), 10U);
}

TEST(NcclTests, RefusedInOneLineThatSaysWhere) {
  const std::string good_text = nccl_text(output_of("all_reduce_perf"));
  NcclText alone = output_of("all_reduce_perf");
  alone.ranks_per_host = 1;
  const struct {
    std::string text;
    const char* message;
  } cases[] = {
      {"", "run.txt: has no table of nccl-tests"},
      {"{\"version\": 2}\n", "has no table"},
      {nccl_text(output_of("reduce_perf")), "but of reduce_perf"},
      {with(good_text, "      0", "     12"), "run.txt:18: #wrong is 12 (must be 0)"},
      {with(good_text, "0 OK", "3 FAILED"), "results were wrong"},
      {with(good_text, "time ", "cputime "), "times of the host"},
      {with(good_text, "Rank  1 ", "Rank  0 "),
       "run.txt:7: rank 0 is listed twice (was nccl-tests built with MPI=1?)"},
      {with(good_text, "Rank  1 ", "Rank  5 "), "rank 5 follows 1 ranks"},
      {with(good_text, "Rank  1 Group  0", "Rank  1 Group  1"), "ranks in groups 0 and 1"},
      {with(good_text, "Rank  1 Group  0 Pid", "Rank  1 Group  0 Id"), "a rank without its number"},
      {nccl_text(alone), "a table of 1 ranks"},
      {with(good_text, "all_reduce_perf", "all_gather_perf"),
       "is not of all_gather_perf over 8 ranks: busbw is 1.7"},
      {with(good_text, " 1024 ", " 9999999 "), "algbw is"},
  };
  for (const auto& [text, message] : cases) {
    const auto output = read_nccl(text);
    ASSERT_FALSE(output) << message;
    EXPECT_NE(output.error().message.find(message), std::string::npos) << output.error().message;
    EXPECT_TRUE(output.error().message.starts_with("dir/run.txt:")) << output.error().message;
    EXPECT_EQ(output.error().message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace portolan
