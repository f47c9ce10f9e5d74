#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "topology/hardware.h"

namespace portolan {

/// A published training step: what its source says of the run, and nothing that it does not. Without a value:
/// unknown.
struct TrainingRow {
  std::int64_t line = 0;  ///< of the table
  std::string id;
  std::string prefix;         ///< a table of the source
  std::string source_family;  ///< one laboratory
  std::string use;            ///< "calibrate", or what the row is good for instead
  std::string cluster;        ///< name of a hardware file
  std::string software;       ///< name of a software profile
  std::string model;          ///< what the source calls it; nothing follows from it

  std::optional<std::int64_t> num_gpus;
  std::optional<std::int64_t> layers;
  std::optional<std::int64_t> hidden;
  std::optional<std::int64_t> heads;
  std::optional<std::int64_t> kv_heads;
  std::optional<std::int64_t> ffn;
  std::optional<std::int64_t> vocab;
  std::optional<std::int64_t> sequence_length;
  std::optional<double> parameters;  ///< with the source's rounding
  std::optional<std::int64_t> num_experts;
  std::optional<std::int64_t> experts_per_token;
  std::optional<std::int64_t> expert_ffn;

  std::optional<Precision> precision;
  std::optional<std::int64_t> global_batch;  ///< sequences
  std::optional<std::int64_t> microbatch;
  std::optional<std::int64_t> gradient_accumulation;  ///< microbatches of a replica
  std::optional<std::int64_t> tensor_parallel;
  std::optional<std::int64_t> pipeline_parallel;
  std::optional<std::int64_t> virtual_stages;
  std::optional<std::int64_t> data_parallel;
  std::optional<std::int64_t> context_parallel;
  std::optional<std::int64_t> expert_parallel;
  std::optional<double> oversubscription;  ///< of the network above the leaf switches, 4 for 4:1

  std::optional<bool> sequence_parallel;
  std::optional<bool> flash_attention;
  std::optional<std::int64_t> flash_version;  ///< of its kernels, FlashAttention::version
  /// They are those of PyTorch's scaled_dot_product_attention.
  bool flash_of_pytorch = false;
  std::optional<std::int32_t> zero_stage;
  /// FSDP's mixed_precision of llm-foundry: DEFAULT reduces gradients in fp32, PURE as they are computed.
  std::optional<bool> reduces_in_fp32;
  /// FSDP's SHARD_GRAD_OP: parameters stay whole between forward and backward.
  bool keeps_parameters = false;
  bool hybrid_sharding = false;  ///< shards within a node, replicas across
  bool offload = false;          ///< activations or optimizer states in host memory
  std::string recompute;         ///< as the source says it: "full", "selective op"

  std::optional<Seconds> step_time;  ///< measured

  /// File, line and column of the first cell that says nothing known, and what it may say; empty: none does.
  std::string unreadable;
};

/// Reads a table of published steps: columns by name, in any order; those that are not named here are left
/// alone, those that are missing are unknown in all rows. Numbers that are none or out of range and words
/// that are not known make a row unreadable, not the table. Errors (kBadInput) with file, line and column:
/// `id` missing or twice.
Result<std::vector<TrainingRow>> read_training_rows(std::string_view text, const std::string& file);

}  // namespace portolan
