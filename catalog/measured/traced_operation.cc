#include "catalog/measured/traced_operation.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace portolan {

namespace {

using Dims = std::vector<std::int64_t>;
using Operation = TraceEvents::Operation;

/// Products of sizes beyond it are none.
constexpr std::int64_t kMostElements = std::int64_t{1} << 45;

const Dims& input(const Operation& operation, std::size_t index) {
  static const Dims none;
  return index < operation.dims.size() ? operation.dims[index] : none;
}

/// 0 where it is no tensor, or too large.
std::int64_t elements_of(const Dims& dims) {
  std::int64_t elements = dims.empty() ? 0 : 1;
  for (const std::int64_t size : dims) {
    if (size <= 0 || elements > kMostElements / size) {
      return 0;
    }
    elements *= size;
  }
  return elements;
}

/// Of a (..., m, k) and b (..., k, n), each with `rank` dims.
std::optional<OperationProduct> product(const Dims& a, const Dims& b, std::size_t rank) {
  if (a.size() != rank || b.size() != rank || a[rank - 1] != b[rank - 2] || elements_of(a) == 0 ||
      elements_of(b) == 0 || (rank == 3 && a[0] != b[0])) {
    return std::nullopt;
  }
  return OperationProduct{rank == 3 ? a[0] : 1, a[rank - 2], b[rank - 1], a[rank - 1]};
}

/// Of x (..., k) and w (n, k).
std::optional<OperationProduct> linear(const Dims& x, const Dims& w) {
  if (x.empty() || w.size() != 2 || x.back() != w[1] || elements_of(x) == 0 || elements_of(w) == 0) {
    return std::nullopt;
  }
  return OperationProduct{1, elements_of(x) / x.back(), w[0], w[1]};
}

/// Where an operation of attention has its queries, its keys and whether it is causal.
struct FlashSchema {
  std::string_view name;
  std::size_t query;
  std::size_t causal;
  bool heads_first;  ///< (batch, heads, tokens, dim) rather than (batch, tokens, heads, dim)
  bool is_backward;
};
constexpr std::array<FlashSchema, 8> kFlashSchemas = {{
    {"aten::_flash_attention_forward", 0, 8, false, false},
    {"aten::_flash_attention_backward", 1, 11, false, true},
    {"aten::_scaled_dot_product_flash_attention", 0, 4, true, false},
    {"aten::_scaled_dot_product_flash_attention_backward", 1, 11, true, true},
    {"flash_attn::_flash_attn_forward", 0, 5, false, false},
    {"flash_attn::_flash_attn_backward", 1, 11, false, true},
    {"flash_attn::_flash_attn_varlen_forward", 0, 0, false, false},
    {"flash_attn::_flash_attn_varlen_backward", 1, 0, false, true},
}};

struct PassSchema {
  std::string_view name;
  KernelKind kind;
  std::size_t input;
  std::size_t rank;  ///< of the input; 0: any
  std::int64_t tensors;
  std::int64_t masks;
  bool forward_only;
  bool equal_inputs;  ///< the first two have one shape
};
constexpr std::array<PassSchema, 11> kPassSchemas = {{
    {"aten::gelu", KernelKind::kGeluForward, 0, 0, 2, 0, false, false},
    {"aten::gelu_backward", KernelKind::kGeluBackward, 0, 0, 3, 0, false, true},
    {"aten::relu", KernelKind::kReluForward, 0, 0, 2, 0, false, false},
    {"aten::threshold_backward", KernelKind::kReluBackward, 0, 0, 3, 0, false, true},
    {"aten::native_layer_norm", KernelKind::kLayerNormForward, 0, 0, 2, 0, false, false},
    {"aten::native_layer_norm_backward", KernelKind::kLayerNormBackward, 0, 0, 3, 0, false, true},
    {"aten::_fused_rms_norm", KernelKind::kRmsNormForward, 0, 0, 2, 0, false, false},
    {"aten::_softmax", KernelKind::kAttentionSoftmaxForward, 0, 4, 2, 0, false, false},
    {"aten::_softmax_backward_data", KernelKind::kAttentionSoftmaxBackward, 0, 4, 3, 0, false, true},
    {"aten::native_dropout", KernelKind::kAttentionDropoutForward, 0, 4, 2, 1, false, false},
    {"aten::add", KernelKind::kResidualAdd, 0, 3, 3, 0, true, true},
}};

}  // namespace

std::optional<OperationProduct> product_of(const Operation& operation) {
  const std::string_view name = operation.name;
  if (name == "aten::mm" || name == "aten::_scaled_mm") {
    return product(input(operation, 0), input(operation, 1), 2);
  }
  if (name == "aten::addmm") {
    return product(input(operation, 1), input(operation, 2), 2);
  }
  if (name == "aten::bmm") {
    return product(input(operation, 0), input(operation, 1), 3);
  }
  if (name == "aten::baddbmm") {
    return product(input(operation, 1), input(operation, 2), 3);
  }
  if (name == "aten::linear") {
    return linear(input(operation, 0), input(operation, 1));
  }
  if (name == "_Linear") {
    return linear(input(operation, 1), input(operation, 0));
  }
  return std::nullopt;
}

bool is_flash_operation(std::string_view name) {
  return std::any_of(kFlashSchemas.begin(), kFlashSchemas.end(),
                     [&](const FlashSchema& schema) { return schema.name == name; });
}

std::optional<bool> causal_in_name(std::string_view kernel) {
  std::size_t at = std::string_view::npos;
  for (const std::string_view name : {"flash_fwd_kernel<", "flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<"}) {
    const std::size_t found = kernel.find(name);
    at = found == std::string_view::npos ? at : found + name.size();
  }
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  int depth = 0, argument = 0;
  std::string causal;
  for (; at < kernel.size() && argument <= 2 && depth >= 0; ++at) {
    const char c = kernel[at];
    depth += c == '<' ? 1 : c == '>' ? -1 : 0;
    if (c == ',' && depth == 0) {
      ++argument;
    } else if (argument == 2 && c != ' ' && depth == 0) {
      causal += c;
    }
  }
  const bool is_true = causal == "(bool)1" || causal == "true" || causal == "1";
  const bool is_false = causal == "(bool)0" || causal == "false" || causal == "0";
  return is_true || is_false ? std::optional(is_true) : std::nullopt;
}

std::optional<OperationAttentionPass> attention_of(const Operation& operation,
                                                   std::optional<bool> causal_by_kernel) {
  const auto schema = std::find_if(kFlashSchemas.begin(), kFlashSchemas.end(),
                                   [&](const FlashSchema& one) { return one.name == operation.name; });
  if (schema == kFlashSchemas.end()) {
    return std::nullopt;
  }
  const Dims& query = input(operation, schema->query);
  const Dims& key = input(operation, schema->query + 1);
  const std::string_view value =
      schema->causal < operation.values.size() ? std::string_view(operation.values[schema->causal]) : "";
  const std::optional<bool> causal = value == "True"    ? std::optional(true)
                                     : value == "False" ? std::optional(false)
                                                        : causal_by_kernel;
  if (query.size() != 4 || key.size() != 4 || elements_of(query) == 0 || elements_of(key) == 0 || !causal) {
    return std::nullopt;
  }
  const std::size_t tokens = schema->heads_first ? 2 : 1, heads = schema->heads_first ? 1 : 2;
  if (query[tokens] != key[tokens]) {
    return std::nullopt;
  }
  return OperationAttentionPass{.attention = {.batch = query[0],
                                              .heads = query[heads],
                                              .sequence = query[tokens],
                                              .head_dim = query[3],
                                              .causal = *causal},
                                .is_backward = schema->is_backward};
}

std::optional<OperationPass> pass_of(const Operation& operation) {
  for (const PassSchema& schema : kPassSchemas) {
    const Dims& dims = input(operation, schema.input);
    if (schema.name != operation.name) {
      continue;
    }
    if (elements_of(dims) == 0 || (schema.rank > 0 && dims.size() != schema.rank) ||
        (schema.equal_inputs && input(operation, 1) != dims)) {
      return std::nullopt;
    }
    return OperationPass{.kind = schema.kind,
                         .elements = elements_of(dims),
                         .tensors = schema.tensors,
                         .masks = schema.masks,
                         .forward_only = schema.forward_only};
  }
  if (operation.name == "aten::embedding") {
    const std::int64_t tokens = elements_of(input(operation, 1));
    const Dims& table = input(operation, 0);
    if (tokens > 0 && table.size() == 2 && table[1] > 0 && tokens <= kMostElements / table[1]) {
      return OperationPass{
          .kind = KernelKind::kEmbeddingForward, .elements = tokens * table[1], .tensors = 2};
    }
  }
  return std::nullopt;
}

std::optional<Precision> precision_of_type(std::string_view type) {
  type.remove_prefix(type.starts_with("c10::") ? 5 : 0);
  if (type == "BFloat16") {
    return Precision::kBf16;
  }
  if (type == "Half") {
    return Precision::kFp16;
  }
  if (type == "float" || type == "Float") {
    return Precision::kFp32;
  }
  return type.starts_with("Float8") ? std::optional(Precision::kFp8) : std::nullopt;
}

std::int64_t bytes_of_type(std::string_view type) {
  if (const std::optional<Precision> precision = precision_of_type(type)) {
    return *precision == Precision::kFp32 ? 4 : *precision == Precision::kFp8 ? 1 : 2;
  }
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 10> kOthers = {{{"Double", 8},
                                                                                  {"double", 8},
                                                                                  {"Long", 8},
                                                                                  {"long int", 8},
                                                                                  {"Int", 4},
                                                                                  {"int", 4},
                                                                                  {"Byte", 1},
                                                                                  {"Char", 1},
                                                                                  {"Bool", 1},
                                                                                  {"unsigned char", 1}}};
  for (const auto& [name, bytes] : kOthers) {
    if (name == type) {
      return bytes;
    }
  }
  return 0;
}

std::optional<Precision> precision_in_name(std::string_view kernel) {
  // The first word that is there counts: wide sums of narrow products have both in their names.
  constexpr std::array<std::pair<std::string_view, Precision>, 14> kWords = {{
      {"e4m3", Precision::kFp8},
      {"bf16", Precision::kBf16},
      {"bfloat16", Precision::kBf16},
      {"BFloat16", Precision::kBf16},
      {"nvjet_tst", Precision::kBf16},
      {"nvjet_hsh", Precision::kFp16},
      {"f16", Precision::kFp16},
      {"fp16", Precision::kFp16},
      {"h16816", Precision::kFp16},
      {"Half", Precision::kFp16},
      {"half", Precision::kFp16},
      {"tf32", Precision::kTf32},
      {"sgemm", Precision::kFp32},
      {"float", Precision::kFp32},
  }};
  for (const auto& [word, precision] : kWords) {
    if (kernel.find(word) != std::string_view::npos) {
      return precision;
    }
  }
  return std::nullopt;
}

}  // namespace portolan
