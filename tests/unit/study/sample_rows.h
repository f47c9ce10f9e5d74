#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "catalog/catalog_paths.h"
#include "catalog/measured/training_rows.h"

namespace portolan {

inline CatalogPaths shipped_catalog() { return {{PORTOLAN_SOURCE_DIR "/scenarios"}}; }

inline constexpr const char* kHeader =
    "id,prefix,source_family,cluster,software,num_gpus,layers,hidden,heads,ffn,vocab,seq_len,params_b,"
    "precision,"
    "global_batch,microbatch,tp,pp,vpp,dp,seq_parallel,zero_fsdp,recompute,flash_attn,sec_per_iter\n";

/// The rows of a table with kHeader.
inline std::vector<TrainingRow> rows_from(const std::string& lines) {
  auto rows = read_training_rows(kHeader + lines, "t.csv");
  EXPECT_TRUE(rows) << rows.error().message;
  return rows ? *rows : std::vector<TrainingRow>();
}

}  // namespace portolan
