// Databases made by statements to Nsight Systems' schema (User Guide, "SQLite Schema Reference").
#include "catalog/measured/nsys_events.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "catalog/measured/kineto_events.h"
#include "catalog/measured/nvtx_text.h"
#include "catalog/measured/traced_operation.h"
#include "catalog/measured/traced_rows.h"
#include "tests/unit/catalog/folder.h"
#include "tests/unit/catalog/measured/shaped_trace.h"

namespace portolan {
namespace {

using Sizes = std::vector<std::vector<std::int64_t>>;

TEST(NvtxText, NamesAndSizes) {
  EXPECT_EQ(parse_nvtx_operation("aten::mm, seq = 12, op_id = 345, sizes = [[4096, 1024], [1024, 512]], "
                                 "input_op_ids = [(3,0)]"),
            (NvtxOperation{"aten::mm", true, {{4096, 1024}, {1024, 512}}}));
  EXPECT_EQ(parse_nvtx_operation("aten::mm, op_id = 345, sizes = [[8, 4], [4, 2]]"),
            (NvtxOperation{"aten::mm", false, {{8, 4}, {4, 2}}}));
  EXPECT_EQ(parse_nvtx_operation("aten::addmm, sizes = [[], [8, 4], [4, 2], []]").dims,
            (Sizes{{}, {8, 4}, {4, 2}, {}}));
  EXPECT_EQ(parse_nvtx_operation("aten::cat, sizes = [[[8, 4], [4, 2]], []]").dims, (Sizes{{}, {}}));
  EXPECT_EQ(parse_nvtx_operation("forward"), (NvtxOperation{"forward", false, {}}));
  EXPECT_EQ(parse_nvtx_operation("aten::mm, sizes = [[8, 4], [4, ").dims, (Sizes{{8, 4}}));
  EXPECT_EQ(parse_nvtx_operation("aten::mm, sizes = [").dims, Sizes{});
}

TEST(NvtxText, PayloadsOfNccl) {
  const NcclPayload payload = parse_nccl_payload(
      R"({"NCCL communicator ID": "0x7", "Message size [bytes]": "1,024", "No. of ranks": 8})");
  EXPECT_EQ(payload.bytes, 1024);
  EXPECT_EQ(payload.num_ranks, 8);
  EXPECT_FALSE(payload.communicator.empty());
  for (const char* text :
       {"", "[1]", "{", R"({"Message size [bytes]": [1]})", R"({"Message size [bytes]": 1.5})"}) {
    EXPECT_EQ(parse_nccl_payload(text).bytes, std::nullopt) << text;
  }
}

TEST(CausalInName, IsTheThirdArgumentOfFlashAttentionTwo) {
  EXPECT_EQ(causal_in_name(kFlashForward), true);
  EXPECT_EQ(causal_in_name(kFlashBackward), true);
  EXPECT_EQ(causal_in_name("void flash_fwd_kernel<Traits<128, A<1, 2>>, (bool)0, (bool)0, (bool)1>(P)"),
            false);
  EXPECT_EQ(causal_in_name("void flash_fwd_kernel<Traits<128>, true, false>(P)"), false);
  EXPECT_EQ(causal_in_name("void flash_fwd_splitkv_kernel<Traits<128>, true, true>(P)"), std::nullopt);
  EXPECT_EQ(causal_in_name("void flash_fwd_kernel<Traits<128>>(P)"), std::nullopt);
  EXPECT_EQ(causal_in_name("flash_fwd_kernel<"), std::nullopt);
}

ShapedTrace a_step() {
  const std::vector<std::int64_t> q = {2, 2048, 16, 128};
  ShapedTrace trace;
  trace.calls = {
      {.operation = "aten::mm", .dims = {{4096, 1024}, {1024, 8192}}, .kernels = {{kGemmKernel, 300}}},
      {.operation = "aten::mm", .dims = {{4096, 1024}, {1024, 8192}}, .kernels = {{kGemmKernel, 310}}},
      {.operation = "aten::mm",
       .dims = {{8192, 4096}, {4096, 1024}},
       .kernels = {{kGemmKernel, 350}},
       .is_backward = true},
      {.operation = "aten::_flash_attention_forward",
       .dims = {q, q, q},
       .values = {"", "", "", "", "", "", "", "0.", "True"},
       .kernels = {{kFlashForward, 200}}},
      {.operation = "aten::_flash_attention_backward",
       .dims = {q, q, q, q, q, {}},
       .values = {"", "", "", "", "", "", "", "", "", "", "0.", "True"},
       .kernels = {{kFlashBackward, 480}},
       .is_backward = true},
      {.operation = "aten::gelu", .dims = {{4, 1024, 4096}}, .kernels = {{kElementwiseKernel, 50}}},
      {.operation = "aten::copy_", .dims = {{8}, {8}}, .kernels = {{kElementwiseKernel, 7}}}};
  trace.collectives = {{.elements_in = 1 << 20, .elements_out = 1 << 20, .us = 90},
                       {.kernel = "ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
                        .collective = "_allgather_base",
                        .elements_in = 1000,
                        .elements_out = 8000,
                        .us = 30}};
  return trace;
}

Result<TraceEvents> read_database(const std::string& path) {
  PORTOLAN_TRY(const SqliteDatabase database, SqliteDatabase::open(path));
  return read_nsys_operations(database);
}

TEST(NsysEvents, TheSameRowsAsOfTorchProfiler) {
  const Folder folder;
  std::istringstream stream(kineto_text(a_step()));
  const TracedRows kineto = traced_rows(read_kineto_operations(stream, "t.json").value());
  int number = 0;
  for (const NsysSchema& schema :
       {NsysSchema{}, NsysSchema{.has_processes = false}, NsysSchema{.text_in_table = true}}) {
    const std::string path = (folder.path() / (std::to_string(number++) + ".sqlite")).string();
    write_nsys_database(a_step(), path, schema);
    const auto events = read_database(path);
    ASSERT_TRUE(events) << events.error().message;
    const TracedRows nsys = traced_rows(*events);
    ASSERT_EQ(nsys.products.size(), 1U);
    EXPECT_EQ(nsys.products[0].n, kineto.products[0].n);
    EXPECT_EQ(nsys.products[0].precision, Precision::kBf16);
    EXPECT_NEAR(nsys.products[0].time.value, kineto.products[0].time.value, 1e-9);
    ASSERT_EQ(nsys.weight_gradients.size(), 1U);
    ASSERT_EQ(nsys.attention.size(), 1U);
    EXPECT_TRUE(nsys.attention[0].causal);
    EXPECT_NEAR(nsys.attention[0].rate / kineto.attention[0].rate, 1, 1e-6);
    ASSERT_EQ(nsys.passes.size(), 1U);
    EXPECT_EQ(nsys.passes[0].bytes, kineto.passes[0].bytes);
    ASSERT_EQ(nsys.collectives.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(nsys.collectives[i].kind, kineto.collectives[i].kind);
      EXPECT_EQ(nsys.collectives[i].ranks, kineto.collectives[i].ranks);
      EXPECT_EQ(nsys.collectives[i].size, kineto.collectives[i].size);
    }
    EXPECT_NEAR(nsys.time.value, kineto.time.value, 1e-9);
    EXPECT_NEAR(nsys.used.value, kineto.used.value, 1e-9);
  }
}

TEST(NsysEvents, WithoutPayloadsCollectivesHaveNoSizes) {
  const Folder folder;
  write_nsys_database(a_step(), (folder.path() / ("a.sqlite")).string(), {.has_payloads = false});
  const TracedRows rows = traced_rows(read_database((folder.path() / ("a.sqlite")).string()).value());
  EXPECT_TRUE(rows.collectives.empty());
  EXPECT_EQ(rows.products.size(), 1U);
  EXPECT_TRUE(std::any_of(rows.left_out.begin(), rows.left_out.end(),
                          [](const TracedLeftOut& one) { return one.reason == "no sizes recorded"; }));
}

TEST(NsysEvents, RefusedInOneLine) {
  const Folder folder;
  const auto refused = [&](const std::string& statements) {
    const std::string path = (folder.path() / ("x.sqlite")).string();
    std::filesystem::remove(path);
    write_database(statements, path);
    const auto events = read_database(path);
    return events ? std::string("it is read") : events.error().message;
  };
  const std::string strings = "CREATE TABLE StringIds (id INTEGER, value TEXT);";
  const std::string kernels =
      "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, \"end\" INTEGER, correlationId INTEGER);";
  EXPECT_NE(refused("CREATE TABLE t (a);").find("x.sqlite: has no kernels (needed: tables"),
            std::string::npos);
  EXPECT_NE(refused(strings + kernels).find("has no kernels (needed: a report with"), std::string::npos);
  EXPECT_NE(refused(strings + kernels + "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (1, 2, 3);")
                .find("no range has an operation's sizes"),
            std::string::npos);
  // A view in place of a table is not looked into.
  EXPECT_NE(
      refused(strings + "CREATE VIEW CUPTI_ACTIVITY_KIND_KERNEL AS SELECT 1 AS start, 2 AS \"end\", 3 AS "
                        "correlationId;")
          .find("cannot be read: access to view"),
      std::string::npos);
  EXPECT_NE(read_database((folder.path() / ("none")).string()).error().message.find("no such file"),
            std::string::npos);
  std::ofstream((folder.path() / ("text")).string()) << std::string(5000, 'x');
  EXPECT_NE(
      read_database((folder.path() / ("text")).string()).error().message.find("is no database of SQLite"),
      std::string::npos);
}

TEST(NsysEvents, DamagedFilesAreNoHarm) {
  const Folder folder;
  write_nsys_database(a_step(), (folder.path() / ("a.sqlite")).string());
  std::ostringstream content;
  content << std::ifstream((folder.path() / ("a.sqlite")).string(), std::ios::binary).rdbuf();
  const std::string good = content.str();
  ASSERT_TRUE(read_nsys_operations(SqliteDatabase::from_bytes(good, "a").value()));
  for (std::size_t at = 0; at < good.size(); at += 97) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    const auto database = SqliteDatabase::from_bytes(bad, "a");
    const auto events = database ? read_nsys_operations(*database) : Result<TraceEvents>(database.error());
    EXPECT_TRUE(events || events.error().message.starts_with("a: ")) << events.error().message;
    if (events) {
      traced_rows(*events);
    }
  }
  EXPECT_FALSE(SqliteDatabase::from_bytes(good.substr(0, 1000), "a"));
}

}  // namespace
}  // namespace portolan
