#include <algorithm>
#include <optional>

#include "model/block.h"
#include "model/block_builder.h"

namespace portolan {

std::int64_t padded_vocab(const TransformerConfig& config, const BlockOptions& options) {
  const std::int64_t multiple = options.vocab_padding * options.tensor_parallel;
  return (config.vocab_size + multiple - 1) / multiple * multiple;
}

Block embedding_block(const TransformerConfig& config, const BlockOptions& options) {
  BlockBuilder b("embedding", config, options);
  const std::int64_t h = config.hidden_size;
  const std::int64_t vocab = padded_vocab(config, options) / options.tensor_parallel;
  const bool learned = config.position == PositionEncoding::kLearned;
  const int output = b.port("output", TensorRole::kOutput, b.hidden_rows() * h, options.compute_bytes);
  const int hidden_gradient =
      b.port("hidden_gradient", TensorRole::kHiddenGradient, b.hidden_rows() * h, options.compute_bytes);
  const int tokens = b.port("tokens", TensorRole::kTokens, b.rows(), 4);
  const ParameterPair word = b.matrix({.name = "word.weight",
                                       .elements = vocab * h,
                                       .init = ParameterInit::kNormal,
                                       .init_std = config.initializer_std,
                                       .weight_decay = true,
                                       .rows = vocab});
  const KernelShape shape{.rows = b.rows(),
                          .columns = h,
                          .inner = vocab,
                          .batch = options.microbatch_size,
                          .sequence = options.local_sequence()};
  b.in_forward(KernelGroup::kOther);
  b.launch({.kind = KernelKind::kLoadTokens,
            .operands = {{tokens, Access::kWrite}},
            .shape = shape,
            .flops_per_element = 0});
  const int embedded = config.embedding_norm ? b.activation("word.output", b.hidden_rows() * h) : output;
  const int part = b.part_of("output_part", embedded);
  std::vector<Operand> forward{{part, Access::kWrite}, {tokens, Access::kRead}, {word.value, Access::kRead}};
  const bool adds = b.adds_narrow_gradients();
  const int word_gradient = adds ? b.narrow_gradient(word) : word.gradient;
  std::vector<Operand> backward{{word_gradient, adds ? Access::kUpdate : b.gradient_access()}};
  std::optional<int> position_gradient;
  if (learned) {
    const ParameterPair position = b.parameter({.name = "position.weight",
                                                .elements = num_position_rows(config) * h,
                                                .init = ParameterInit::kNormal,
                                                .init_std = config.initializer_std,
                                                .weight_decay = true,
                                                .rows = num_position_rows(config)});
    forward.push_back({position.value, Access::kRead});
    position_gradient = position.gradient;
  }
  // Rows of the tables are touched, not the tables.
  const std::int64_t forward_passes = learned ? 3 : 2;
  b.launch({.kind = KernelKind::kEmbeddingForward,
            .operands = std::move(forward),
            .shape = shape,
            .bytes = Bytes(forward_passes * b.hidden_bytes().value + 4 * b.rows())});
  b.sum_parts(part, embedded);
  std::optional<NormTensors> norm;
  if (config.embedding_norm) {
    norm = b.norm_forward({.name = "norm", .output = output}, embedded);
  }
  b.in_backward();
  int embedded_gradient = hidden_gradient;
  if (norm) {
    embedded_gradient = b.activation("word.output_gradient", b.hidden_rows() * h);
    b.norm_backward(*norm, embedded, hidden_gradient, {embedded_gradient, Access::kWrite});
  }
  backward.push_back({b.whole_rows("gathered_gradient", embedded_gradient), Access::kRead});
  backward.push_back({tokens, Access::kRead});
  if (position_gradient) {
    backward.push_back({*position_gradient, b.gradient_access()});
  }
  const std::int64_t width =
      (adds ? options.compute_bytes : options.gradient_bytes) + (learned ? options.gradient_bytes : 0);
  const std::int64_t rows_bytes = 2 * b.rows() * h * width;
  if (adds) {
    b.launch({.kind = KernelKind::kFillZero,
              .operands = {{word_gradient, Access::kWrite}},
              .shape = {.rows = vocab * h * options.compute_bytes},
              .flops_per_element = 0});
  }
  b.launch({.kind = KernelKind::kEmbeddingBackward,
            .operands = std::move(backward),
            .shape = shape,
            .flops_per_element = 0,
            .bytes = Bytes(b.hidden_bytes().value + rows_bytes + 4 * b.rows())});
  if (adds) {
    b.add_narrow_gradient(word, word_gradient);
  }
  return b.finish();
}

namespace {

/// Each widens the logits, takes the logarithm of their softmax and sums up those of the targets.
void add_metrics(BlockBuilder& b, int logits, std::int64_t logit_bytes) {
  constexpr std::int64_t kWide = 4;
  const std::int64_t elements = b.elements_of(logits);
  const int wide = logit_bytes == kWide ? logits : b.activation("logits.wide", elements, kWide);
  const int logarithms = b.activation("logits.logarithms", elements, kWide);
  for (std::int64_t metric = 0; metric < b.options().logits_metrics; ++metric) {
    if (wide != logits) {
      b.elementwise({{wide, Access::kWrite}, {logits, Access::kRead}});
    }
    b.elementwise({{logarithms, Access::kWrite}, {wide, Access::kRead}});
    b.elementwise({{logarithms, Access::kUpdate}},
                  Bytes(2 * kWide * b.rows()));  // one of each row, summed up
  }
}

}  // namespace

Block head_block(const TransformerConfig& config, const BlockOptions& options, double loss_scale) {
  BlockBuilder b("head", config, options);
  const std::int64_t h = config.hidden_size;
  const std::int64_t vocab = padded_vocab(config, options) / options.tensor_parallel;
  const int input = b.port("input", TensorRole::kInput, b.hidden_rows() * h, options.compute_bytes);
  const int hidden_gradient =
      b.port("hidden_gradient", TensorRole::kHiddenGradient, b.hidden_rows() * h, options.compute_bytes);
  const int targets = b.port("targets", TensorRole::kTokens, b.rows(), 4);
  const int loss = b.port("loss", TensorRole::kLoss, 1, 8);
  LinearTensors linear{.weight = {}, .bias = {}, .out = vocab, .in = h};
  linear.weight = b.matrix({.name = config.tied_embeddings ? "word.weight" : "weight",
                            .elements = vocab * h,
                            .init = ParameterInit::kNormal,
                            .init_std = config.initializer_std,
                            .weight_decay = true,
                            .tied_to_embedding = config.tied_embeddings,
                            .rows = vocab});
  const std::int64_t logit_bytes = options.logits_in_fp32 ? 4 : options.compute_bytes;
  const int logits = b.activation("logits", b.rows() * vocab, logit_bytes);
  // What products write and read: the logits themselves, or a narrow copy that is converted.
  const bool converts = !options.fused_logits_conversion && logit_bytes != options.compute_bytes;
  const KernelShape shape{.rows = b.rows(),
                          .columns = vocab,
                          .batch = options.microbatch_size,
                          .sequence = options.local_sequence()};
  b.in_forward(KernelGroup::kOther);
  const NormTensors norm = b.norm_forward({.name = "norm"}, input);
  const int product = converts ? b.activation("logits.narrow", b.rows() * vocab) : logits;
  b.linear_forward(linear, product, b.whole_rows("norm.gathered", norm.output), false);
  if (converts) {
    b.elementwise({{logits, Access::kWrite}, {product, Access::kRead}});
  }
  if (options.logits_metrics > 0) {
    add_metrics(b, logits, logit_bytes);
  }
  b.launch({.kind = KernelKind::kLoadTokens,
            .operands = {{targets, Access::kWrite}},
            .shape = shape,
            .flops_per_element = 0});
  b.launch({.kind = KernelKind::kCrossEntropyForward,
            .operands = {{logits, Access::kUpdate}, {loss, Access::kUpdate}, {targets, Access::kRead}},
            .shape = shape,
            .flops_per_element = 5});
  for (std::int64_t pass = 2; pass < options.cross_entropy_passes; pass += 2) {
    // A kernel that reads and writes all logits, or reads only.
    const std::int64_t passes = std::min<std::int64_t>(options.cross_entropy_passes - pass, 2);
    b.elementwise({{logits, Access::kUpdate}}, Bytes(passes * b.rows() * vocab * logit_bytes));
  }
  // Vocabulary-parallel cross-entropy: maximum, target logit and sum of each row (Shoeybi et al. 2019,
  // section 3).
  b.tensor_all_reduce(logits, Bytes(3 * 4 * b.rows()));
  b.in_backward();
  b.launch({.kind = KernelKind::kCrossEntropyBackward,
            .operands = {{logits, Access::kUpdate}, {targets, Access::kRead}},
            .shape = shape,
            .scalar = loss_scale,
            .flops_per_element = 2});
  const int product_gradient = converts ? b.activation("logits.narrow_gradient", b.rows() * vocab) : logits;
  if (converts) {
    b.elementwise({{product_gradient, Access::kWrite}, {logits, Access::kRead}});
  }
  const int norm_gradient = b.column_parallel_backward("norm", linear, product_gradient, norm.output);
  b.norm_backward(norm, input, norm_gradient, {hidden_gradient, Access::kWrite});
  return b.finish();
}

std::vector<bool> weight_gradient_kernels(const Block& block) {
  // Backwards: what a kernel writes is a parameter's gradient, or read by such kernels only.
  std::vector<bool> found(block.backward.size(), false);
  std::vector<bool> needed_now(block.tensors.size(), false);
  for (std::size_t i = 0; i < block.tensors.size(); ++i) {
    const TensorRole role = block.tensors[i].role;
    needed_now[i] = role == TensorRole::kHiddenGradient || role == TensorRole::kInputGradient;
  }
  for (std::size_t i = block.backward.size(); i-- > 0;) {
    const std::vector<Operand>& operands = block.backward[i].kernel.operands;
    found[i] = std::none_of(operands.begin(), operands.end(), [&](const Operand& operand) {
      return operand.access != Access::kRead && needed_now[static_cast<std::size_t>(operand.tensor)];
    });
    for (const Operand& operand : operands) {
      if (!found[i] && operand.access != Access::kWrite) {
        needed_now[static_cast<std::size_t>(operand.tensor)] = true;
      }
    }
  }
  return found;
}

namespace {

/// `attended`: share of a sequence's keys that a query sees.
Flops products_of(const Block& block, double attended = 1) {
  Flops sum;
  for (const auto* list : {&block.forward, &block.backward}) {
    for (const GroupedKernel& grouped : *list) {
      const Kernel& kernel = grouped.kernel;
      sum += kernel.flops * (!is_gemm(kernel.kind) ? 0 : is_attention_gemm(kernel.kind) ? attended : 1);
    }
  }
  return sum;
}

}  // namespace

Flops model_flops_per_sequence(const TransformerConfig& config, std::int64_t sequence_length) {
  BlockOptions options;
  options.sequence_length = sequence_length;
  const std::int64_t keys = std::min(config.sliding_window.value_or(sequence_length), sequence_length);
  const double attended = static_cast<double>(keys) / static_cast<double>(sequence_length);
  Flops sum = products_of(head_block(config, options, 1.0));
  if (const std::int64_t layers = num_layers_of(config, LayerKind::kDense); layers > 0) {
    sum += products_of(layer_block(config, options), attended) * static_cast<double>(layers);
  }
  if (const std::int64_t layers = num_layers_of(config, LayerKind::kExperts); layers > 0) {
    // As many sequences as experts: rows divide evenly, and nothing is rounded up or dropped.
    TransformerConfig dropless = config;
    dropless.experts->capacity_factor.reset();
    options.microbatch_size = config.experts->num_experts;
    sum += products_of(layer_block(dropless, options, LayerKind::kExperts), attended) *
           (static_cast<double>(layers) / static_cast<double>(options.microbatch_size));
  }
  return sum;
}

}  // namespace portolan
