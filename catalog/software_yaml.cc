#include "catalog/software_yaml.h"

#include "catalog/document/load.h"
#include "catalog/document/section.h"
#include "catalog/document/yaml_parser.h"
#include "catalog/json/notated.h"

namespace portolan {

namespace {

void read_profile(DocumentSection& section, SoftwareProfile& software) {
  section.required("name", software.name);
  section.optional("family", software.family);
  section.optional("vocab_padding", software.vocab_padding, WholeRange{1, 1 << 20});
  section.optional("dropout", software.dropout);
  section.optional("logits_in_fp32", software.logits_in_fp32);
  section.optional("fused_gradient_accumulation", software.fused_gradient_accumulation);
  section.optional("fused_softmax", software.fused_softmax);
  section.optional("fused_norms", software.fused_norms);
  section.optional("fused_activation", software.fused_activation);
  section.optional("fused_dropout_add", software.fused_dropout_add);
  section.optional("fused_rotary", software.fused_rotary);
  section.optional("fused_residual_gradient", software.fused_residual_gradient);
  section.optional("fused_logits_conversion", software.fused_logits_conversion);
  section.optional("cross_entropy_passes", software.cross_entropy_passes, WholeRange{2, 16});
  section.optional("logits_metrics", software.logits_metrics, WholeRange{0, 16});
  section.optional("host_launch", software.host_launch);
  section.optional("checkpoint_pause", software.checkpoint_pause);
  section.optional("flash_attention", software.flash_attention);
  section.optional("flash_skips_masked", software.flash_skips_masked);
  section.optional("flash_version", software.flash_version, WholeRange{1, 1000});
  section.optional("gradient_bytes", software.gradient_bytes, WholeRange{0, 4});
  Sourced<std::int64_t> fp16_gradient_bytes{0, ""};
  if (section.optional("fp16_gradient_bytes", fp16_gradient_bytes, WholeRange{0, 4})) {  // else as bf16
    software.fp16_gradient_bytes = fp16_gradient_bytes;
  }
  section.optional("narrow_gradients_kept", software.narrow_gradients_kept);
  section.optional("fp16_update_copy_bytes", software.fp16_update_copy_bytes, WholeRange{0, 64});
  section.optional("fp16_reduce_buffer", software.fp16_reduce_buffer);
  section.optional("gather_buffer", software.gather_buffer);
  section.optional("optimizer_bytes_per_parameter", software.optimizer_bytes_per_parameter,
                   WholeRange{0, 64});
  section.optional("recompute_whole_group", software.recompute_whole_group);
  section.optional("tensor_overlap", software.tensor_overlap);
  section.optional("scatter_gather_pipeline", software.scatter_gather_pipeline);
  section.optional("blocking_sends", software.blocking_sends);
  section.optional("receive_prefetch", software.receive_prefetch, WholeRange{0, 1024});
  section.optional("gather_prefetch", software.gather_prefetch, WholeRange{0, 1024});
  section.optional("reshard_after_forward", software.reshard_after_forward);
  section.optional("gather_copy", software.gather_copy);
  section.optional("reduce_copy", software.reduce_copy);
  section.optional("reduce_bytes", software.reduce_bytes, WholeRange{0, 4});
  section.optional("gradient_overlap", software.gradient_overlap);
  section.optional("gradient_bucket", software.gradient_bucket);
  section.optional("parameter_gather_overlap", software.parameter_gather_overlap);
  section.optional("sequence_parallel", software.sequence_parallel);
  section.optional("interleaved_schedule", software.interleaved_schedule);
  section.optional("zero_bubble_schedule", software.zero_bubble_schedule);
  section.optional("sharding_groups", software.sharding_groups);
  section.optional("context_parallel", software.context_parallel);
  section.optional("operator_recompute", software.operator_recompute);
  section.optional("activation_offload", software.activation_offload);
  section.optional("optimizer_offload", software.optimizer_offload);
  section.optional("tree_sums", software.tree_sums);
  section.optional("hierarchical_sums", software.hierarchical_sums);
  section.optional("zero_stages", software.zero_stages, WholeRange{0, 3});
  section.optional("allocator", software.allocator);
  section.optional("context_memory", software.context_memory);
  section.optional("launch_queue_depth", software.launch_queue_depth, WholeRange{0, 1'000'000});
  section.optional("communicator_channels", software.communicator_channels, WholeRange{0, 1024});
  section.optional("channel_memory", software.channel_memory);
  section.optional("framework_memory", software.framework_memory);
  section.optional_section("usual", [&](DocumentSection& usual) {
    usual.optional("vocab_size", software.usual.vocab_size, WholeRange{0, 100'000'000});
    usual.optional("precision", software.usual.precision);
    usual.optional("zero_stage", software.usual.zero_stage, WholeRange{0, 3});
    usual.optional("recompute", software.usual.recompute);
    usual.optional("selective_by_layers", software.usual.selective_by_layers);
  });
}

JsonValue to_json(const UsualRun& usual, Notation notation) {
  return NotatedObject(notation)
      .set("vocab_size", usual.vocab_size)
      .set("precision", usual.precision)
      .set("zero_stage", usual.zero_stage)
      .set("recompute", usual.recompute)
      .set("selective_by_layers", usual.selective_by_layers)
      .take();
}

}  // namespace

JsonValue to_json(const SoftwareProfile& software, Notation notation) {
  NotatedObject object(notation);
  object.set("name", software.name);
  if (!software.family.empty()) {
    object.set("family", software.family);
  }
  object.set("vocab_padding", software.vocab_padding)
      .set("dropout", software.dropout)
      .set("logits_in_fp32", software.logits_in_fp32)
      .set("fused_gradient_accumulation", software.fused_gradient_accumulation)
      .set("fused_softmax", software.fused_softmax)
      .set("fused_norms", software.fused_norms)
      .set("fused_activation", software.fused_activation)
      .set("fused_dropout_add", software.fused_dropout_add)
      .set("fused_rotary", software.fused_rotary)
      .set("fused_residual_gradient", software.fused_residual_gradient)
      .set("fused_logits_conversion", software.fused_logits_conversion)
      .set("cross_entropy_passes", software.cross_entropy_passes)
      .set("logits_metrics", software.logits_metrics)
      .set("host_launch", software.host_launch)
      .set("checkpoint_pause", software.checkpoint_pause)
      .set("flash_attention", software.flash_attention)
      .set("flash_skips_masked", software.flash_skips_masked)
      .set("flash_version", software.flash_version)
      .set("gradient_bytes", software.gradient_bytes);
  if (software.fp16_gradient_bytes) {
    object.set("fp16_gradient_bytes", *software.fp16_gradient_bytes);
  }
  return object.set("narrow_gradients_kept", software.narrow_gradients_kept)
      .set("optimizer_bytes_per_parameter", software.optimizer_bytes_per_parameter)
      .set("fp16_update_copy_bytes", software.fp16_update_copy_bytes)
      .set("fp16_reduce_buffer", software.fp16_reduce_buffer)
      .set("gather_buffer", software.gather_buffer)
      .set("recompute_whole_group", software.recompute_whole_group)
      .set("tensor_overlap", software.tensor_overlap)
      .set("scatter_gather_pipeline", software.scatter_gather_pipeline)
      .set("blocking_sends", software.blocking_sends)
      .set("receive_prefetch", software.receive_prefetch)
      .set("gather_prefetch", software.gather_prefetch)
      .set("reshard_after_forward", software.reshard_after_forward)
      .set("gather_copy", software.gather_copy)
      .set("reduce_copy", software.reduce_copy)
      .set("reduce_bytes", software.reduce_bytes)
      .set("gradient_overlap", software.gradient_overlap)
      .set("gradient_bucket", software.gradient_bucket)
      .set("parameter_gather_overlap", software.parameter_gather_overlap)
      .set("sequence_parallel", software.sequence_parallel)
      .set("interleaved_schedule", software.interleaved_schedule)
      .set("zero_bubble_schedule", software.zero_bubble_schedule)
      .set("sharding_groups", software.sharding_groups)
      .set("context_parallel", software.context_parallel)
      .set("operator_recompute", software.operator_recompute)
      .set("activation_offload", software.activation_offload)
      .set("optimizer_offload", software.optimizer_offload)
      .set("tree_sums", software.tree_sums)
      .set("hierarchical_sums", software.hierarchical_sums)
      .set("zero_stages", software.zero_stages)
      .set("allocator", software.allocator)
      .set("context_memory", software.context_memory)
      .set("launch_queue_depth", software.launch_queue_depth)
      .set("communicator_channels", software.communicator_channels)
      .set("channel_memory", software.channel_memory)
      .set("framework_memory", software.framework_memory)
      .set_json("usual", to_json(software.usual, notation))
      .take();
}

Result<SoftwareProfile> software_from(const DocumentNode& root) {
  SoftwareProfile software;
  PORTOLAN_CHECK_OK(read_document(root, [&](DocumentSection& section) { read_profile(section, software); }));
  for (const auto& [key, width] :
       {std::pair{"gradient_bytes", software.gradient_bytes.value},
        {"fp16_gradient_bytes", software.fp16_gradient_bytes ? software.fp16_gradient_bytes->value : 0},
        {"reduce_bytes", software.reduce_bytes.value}}) {
    if (width != 0 && width != 2 && width != 4) {
      return problem_at(root, key, "\"" + std::to_string(width) + "\" is not a width (allowed: 0, 2, 4)");
    }
  }
  if (software.optimizer_bytes_per_parameter.value % 4 != 0) {
    return problem_at(root, "optimizer_bytes_per_parameter",
                      "\"" + std::to_string(software.optimizer_bytes_per_parameter.value) +
                          "\" is not a number of fp32 values (allowed: 0 to 64 in steps of 4)");
  }
  return software;
}

Result<SoftwareProfile> read_software_text(std::string_view text, std::string_view file) {
  PORTOLAN_TRY(const DocumentNode root, parse_yaml(text, file));
  return software_from(root);
}

Result<SoftwareProfile> read_software(const std::filesystem::path& path) {
  PORTOLAN_TRY(const std::string text, read_regular_file(path));
  return read_software_text(text, path.string());
}

std::string write_software(const SoftwareProfile& software) {
  return write_yaml(to_json(software, Notation::kUnits));
}

}  // namespace portolan
