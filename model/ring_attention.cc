#include <string>

#include "model/attended_pairs.h"
#include "model/attention_core.h"

namespace portolan {

// Every rank of a context group keeps its queries; keys and values go round (Liu et al. 2023, arXiv
// 2310.01889, section 3). While a step computes, what the next needs is on its way.

namespace {

bool is_last(const BlockBuilder& b, std::int64_t step) { return step + 1 == b.options().context_parallel; }

std::string of_step(const char* name, std::int64_t step) { return name + std::to_string(step); }

std::int64_t key_value_elements(const BlockBuilder& b) {
  const KernelShape shape = attention_shape(b);
  return shape.rows * shape.kv_heads * (shape.head_dim + b.config().value_dim());
}

/// Whether keys and values lie together, apart from queries: as they are sent.
bool is_packed(const QueryKeyValue& t) { return t.key == t.value && t.key != t.query; }

int packed_key_value(BlockBuilder& b, const LayerTensors& t, const std::string& name) {
  if (is_packed(t.attended)) {
    return t.attended.key;
  }
  const int packed = b.activation(name, key_value_elements(b));
  std::vector<Operand> operands{{packed, Access::kWrite}};
  append_once(operands, {t.attended.key, t.attended.value}, Access::kRead);
  b.launch({.kind = KernelKind::kKeyValuePack,
            .operands = std::move(operands),
            .shape = attention_shape(b),
            .flops_per_element = 0,
            .bytes = Bytes(2 * key_value_elements(b) * b.options().compute_bytes)});
  return packed;
}

/// Sends `sent` round; returns what arrives.
int shifted(BlockBuilder& b, const std::string& name, int sent) {
  const int received = b.activation(name, key_value_elements(b));
  b.context_shift(received, sent, BlockBuilder::Overlap::kWithCompute);
  return received;
}

/// Adds a step's context to that of the steps before, each weighted by its log-sum-exp. Of zigzag's ranks
/// those whose keys came from later ones add half of their rows; all wait for those that add all.
void merge(BlockBuilder& b, const FlashOutput& sum, const FlashOutput& part) {
  b.launch({.kind = KernelKind::kContextMerge,
            .operands = {{sum.context, Access::kUpdate},
                         {sum.lse, Access::kUpdate},
                         {part.context, Access::kRead},
                         {part.lse, Access::kRead}},
            .shape = attention_shape(b),
            .flops_per_element = 3});
}

}  // namespace

void ring_core_forward(BlockBuilder& b, LayerTensors& t) {
  b.in_forward(KernelGroup::kAttentionCore);
  const FlashOutput output = flash_output(b, "");
  t.context = output.context;
  t.lse = output.lse;
  int held = packed_key_value(b, t, "key_value.own");
  for (std::int64_t step = 0; step < b.options().context_parallel; ++step) {
    const int next = is_last(b, step) ? held : shifted(b, of_step("key_value.received", step + 1), held);
    if (step == 0) {
      flash_forward(b, output, t.attended, step);
    } else {
      const FlashOutput part = flash_output(b, of_step("_part", step));
      flash_forward(b, part, {.query = t.attended.query, .key = held, .value = held}, step);
      merge(b, output, part);
    }
    held = next;
  }
}

void ring_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                        const QueryKeyValue& gradient) {
  // The own keys and values are kept where their product left them, and packed again.
  int held = packed_key_value(b, t, "key_value.own_again");
  int sum = 0;  // gradient of the keys and values held, over the ranks that held them before
  for (std::int64_t step = 0; step < b.options().context_parallel; ++step) {
    const int arrived = step == 0 ? 0 : shifted(b, of_step("key_value.gradient_sum", step), sum);
    const int next =
        is_last(b, step) ? held : shifted(b, of_step("key_value.received_again", step + 1), held);
    const int part = b.activation(of_step("key_value.gradient_part", step), key_value_elements(b));
    flash_backward(b,
                   {.context_gradient = context_gradient,
                    .output = {.context = t.context, .lse = t.lse},
                    .gradient = {.query = gradient.query, .key = part, .value = part}},
                   {.query = t.attended.query, .key = held, .value = held}, step);
    if (step > 0) {  // as in merge, some ranks add half of their rows
      b.launch({.kind = KernelKind::kGradientAdd,
                .operands = {{arrived, Access::kUpdate}, {part, Access::kRead}},
                .shape = attention_shape(b)});
    }
    sum = step == 0 ? part : arrived;
    held = next;
  }
  // One rank short of home.
  if (is_packed(gradient)) {
    b.context_shift(gradient.key, sum, BlockBuilder::Overlap::kNone);
    return;
  }
  const int home = b.activation("key_value.gradient", key_value_elements(b));
  b.context_shift(home, sum, BlockBuilder::Overlap::kNone);
  std::vector<Operand> operands;
  append_once(operands, {gradient.key, gradient.value}, Access::kUpdate);
  operands.push_back({home, Access::kRead});
  b.launch({.kind = KernelKind::kKeyValueUnpack,
            .operands = std::move(operands),
            .shape = attention_shape(b),
            .flops_per_element = 0,
            .bytes = Bytes(2 * key_value_elements(b) * b.options().compute_bytes)});
}

}  // namespace portolan
