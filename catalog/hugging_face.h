#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "model/transformer.h"

namespace portolan {

/// A model's config.json as published on the Hugging Face hub, with all its other keys.
///
/// model_type gpt2: n_layer, n_embd, n_head, vocab_size, n_positions (older files: n_ctx), n_inner (null or
/// absent: 4 n_embd), layer_norm_epsilon (1e-5), activation_function (gelu_new and the other GELUs: they cost
/// alike), initializer_range (0.02), tie_word_embeddings (true). model_type llama: num_hidden_layers,
/// hidden_size, num_attention_heads, num_key_value_heads (as many), intermediate_size, vocab_size,
/// max_position_embeddings (2048), rms_norm_eps (1e-6), rope_theta (10000), initializer_range (0.02),
/// tie_word_embeddings (false), hidden_act (silu only), head_dim (hidden_size / heads only). attention_bias
/// and mlp_bias must be false. rope_scaling is accepted and ignored: it changes the angles of the rotary
/// positions, so neither FLOPs, bytes nor memory.
///
/// The name is that of the file's folder (as a clone of a hub repository has it), or "gpt2", "llama".
/// Errors (kBadInput), one line: FILE:LINE:COLUMN of a syntax error, FILE:LINE and key otherwise.
Result<TransformerConfig> read_hugging_face_config(const std::filesystem::path& path);
Result<TransformerConfig> read_hugging_face_text(std::string_view text, const std::filesystem::path& file);

}  // namespace portolan
