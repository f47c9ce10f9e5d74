#include "catalog/measured/training_rows.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "catalog/measured/csv_table.h"
#include "catalog/measured/csv_words.h"

namespace portolan {

namespace {

/// "yes", "yes (v2)", "v1" or "no", as the table's columns of this kind have them.
Result<std::optional<bool>> yes_or_no(const CsvFields& fields, std::string_view column) {
  const std::vector<std::string> words = words_of(fields.text(column));
  if (words.empty()) {
    return std::optional<bool>();
  }
  const std::string& first = words.front();
  if (first == "no") {
    return std::optional(false);
  }
  if (first == "yes" || first == "v1" || first == "v2" || first == "v3") {
    return std::optional(true);
  }
  return fields.refused(column, "is not known (allowed: yes, no, v1, v2, v3, or nothing)");
}

/// "v2" of "yes (SDPA v2)".
Result<void> read_flash_attention(const CsvFields& fields, TrainingRow& row) {
  PORTOLAN_TRY(row.flash_attention, yes_or_no(fields, "flash_attn"));
  const std::vector<std::string> words = words_of(fields.text("flash_attn"));
  for (const std::int64_t version : {1, 2, 3}) {
    if (has_any(words, {fmt::format("v{}", version)})) {
      row.flash_version = version;
    }
  }
  row.flash_of_pytorch = has_any(words, {"sdpa"});
  return {};
}

/// What is sharded, by the names that frameworks give it: a ZeRO stage (Rajbhandari et al. 2020, arXiv
/// 1910.02054), or a sharding strategy of PyTorch FSDP.
Result<void> read_sharding(const CsvFields& fields, TrainingRow& row) {
  const std::vector<std::string> words = words_of(fields.text("zero_fsdp"));
  if (words.empty()) {
    return {};
  }
  row.offload = has_any(words, {"offload", "offloaded"});
  row.hybrid_sharding = has_any(words, {"hsdp", "hybrid"});
  if (has_any(words, {"default", "pure"})) {
    row.reduces_in_fp32 = has_any(words, {"default"});
  }
  const std::string& first = words.front();
  if (words.size() > 1 && first == "zero" && words[1].size() == 1 && words[1] >= "0" && words[1] <= "3") {
    row.zero_stage = words[1].front() - '0';
  } else if (first.size() == 1 && first >= "0" && first <= "3") {
    row.zero_stage = first.front() - '0';
  } else if (first.size() == 5 && first.starts_with("zero") && first[4] >= '0' && first[4] <= '3') {
    row.zero_stage = first[4] - '0';
  } else if (first == "ddp") {
    row.zero_stage = 0;
  } else if (first == "fsdp" || first == "fsdp2" || first == "hsdp") {
    row.zero_stage = 3;
    row.keeps_parameters = has_any(words, {"grad"});
  } else {
    return fields.refused("zero_fsdp",
                          "is not known (allowed: 0 to 3, ZeRO-0 to ZeRO-3, DDP, FSDP, HSDP, or nothing)");
  }
  return {};
}

Result<void> read_cells(const CsvFields& fields, TrainingRow& row) {
  constexpr std::int64_t kMost = std::int64_t{1} << 24;  // as in model files
  for (const auto& [column, field] : {std::pair{"num_gpus", &TrainingRow::num_gpus},
                                      std::pair{"layers", &TrainingRow::layers},
                                      std::pair{"hidden", &TrainingRow::hidden},
                                      std::pair{"heads", &TrainingRow::heads},
                                      std::pair{"kv_heads", &TrainingRow::kv_heads},
                                      std::pair{"ffn", &TrainingRow::ffn},
                                      std::pair{"vocab", &TrainingRow::vocab},
                                      std::pair{"seq_len", &TrainingRow::sequence_length},
                                      std::pair{"num_experts", &TrainingRow::num_experts},
                                      std::pair{"experts_per_token", &TrainingRow::experts_per_token},
                                      std::pair{"expert_ffn", &TrainingRow::expert_ffn},
                                      std::pair{"global_batch", &TrainingRow::global_batch},
                                      std::pair{"microbatch", &TrainingRow::microbatch},
                                      std::pair{"grad_accum", &TrainingRow::gradient_accumulation},
                                      std::pair{"tp", &TrainingRow::tensor_parallel},
                                      std::pair{"pp", &TrainingRow::pipeline_parallel},
                                      std::pair{"vpp", &TrainingRow::virtual_stages},
                                      std::pair{"dp", &TrainingRow::data_parallel},
                                      std::pair{"cp", &TrainingRow::context_parallel},
                                      std::pair{"ep", &TrainingRow::expert_parallel}}) {
    PORTOLAN_TRY(row.*field, fields.whole(column, 1, kMost));
  }
  PORTOLAN_TRY(const auto billions, fields.number("params_b", 1e-6, 1e6));
  if (billions) {
    row.parameters = *billions * 1e9;
  }
  PORTOLAN_TRY(row.oversubscription, fields.number("oversubscription", 1, 1000));
  PORTOLAN_TRY(const auto seconds, fields.number("sec_per_iter", 1e-6, 1e6));
  if (seconds) {
    row.step_time = Seconds(*seconds);
  }
  PORTOLAN_TRY(row.sequence_parallel, yes_or_no(fields, "seq_parallel"));
  PORTOLAN_CHECK_OK(read_flash_attention(fields, row));
  PORTOLAN_TRY(row.precision, precision_of(fields, "precision"));
  return read_sharding(fields, row);
}

Result<TrainingRow> read_training_row(const CsvTable& table, const CsvTable::Row& record) {
  const CsvFields fields(table, record);
  TrainingRow row;
  row.line = record.line;
  for (const auto& [column, field] :
       {std::pair{"id", &TrainingRow::id}, std::pair{"prefix", &TrainingRow::prefix},
        std::pair{"source_family", &TrainingRow::source_family}, std::pair{"use", &TrainingRow::use},
        std::pair{"cluster", &TrainingRow::cluster}, std::pair{"software", &TrainingRow::software},
        std::pair{"model", &TrainingRow::model}, std::pair{"recompute", &TrainingRow::recompute}}) {
    row.*field = fields.text(column);
  }
  if (row.id.empty()) {
    return fields.refused("id", "is no name");
  }
  if (const Result<void> cells = read_cells(fields, row); !cells) {
    row.unreadable = cells.error().message;
  }
  return row;
}

}  // namespace

Result<std::vector<TrainingRow>> read_training_rows(std::string_view text, const std::string& file) {
  PORTOLAN_TRY(const CsvTable table, CsvTable::parse(text, file));
  if (!table.find_column("id")) {
    return bad_input(fmt::format("{}: has no column id", file));
  }
  std::vector<TrainingRow> rows;
  std::set<std::string> ids;
  for (const CsvTable::Row& record : table.rows()) {
    PORTOLAN_TRY(TrainingRow row, read_training_row(table, record));
    if (!ids.insert(row.id).second) {
      return CsvFields(table, record).refused("id", "is there twice");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace portolan
