#include "model/experts.h"

#include <cmath>

namespace portolan {

namespace {

/// Of the rows that a rank holds: what the router dispatches.
std::int64_t held_rows(const BlockOptions& o) {
  const std::int64_t rows = o.microbatch_size * o.local_sequence();
  return o.sequence_parallel ? rows / o.tensor_parallel : rows;
}

const MixtureOfExperts& experts_of(const BlockBuilder& b) { return *b.config().experts; }
ExpertRows rows_of(const BlockBuilder& b) { return expert_rows(b.config(), b.options()); }

/// A tensor of `rows` hidden states.
int hidden_states(BlockBuilder& b, const std::string& name, std::int64_t rows) {
  return b.activation(name, rows * b.config().hidden_size);
}
Bytes bytes_of(const BlockBuilder& b, std::int64_t rows) {
  return Bytes(rows * b.config().hidden_size * b.options().compute_bytes);
}

/// To the ranks that hold the rows' experts, or back.
int exchange(BlockBuilder& b, const std::string& name, int sent) {
  if (b.options().expert_parallel == 1) {
    return sent;
  }
  const std::int64_t rows = rows_of(b).dispatched;
  const int received = hidden_states(b, name, rows);
  b.launch({.kind = KernelKind::kExpertAllToAll,
            .operands = {{received, Access::kWrite}, {sent, Access::kRead}},
            .flops_per_element = 0,
            .bytes = bytes_of(b, rows)});
  return received;
}

/// Rows of all ranks of the tensor-parallel group, each of which has a part of every expert.
int gather(BlockBuilder& b, const std::string& name, int held) {
  if (!b.shards_sequence()) {
    return held;
  }
  const std::int64_t rows = rows_of(b).computed;
  const int whole = hidden_states(b, name, rows);
  b.launch({.kind = KernelKind::kTensorAllGather,
            .operands = {{whole, Access::kWrite}, {held, Access::kRead}},
            .flops_per_element = 0,
            .bytes = bytes_of(b, rows)});
  return whole;
}

/// Adds up what the parts of each expert make; a rank keeps the rows that it received.
int sum_expert_parts(BlockBuilder& b, const std::string& name, int part) {
  const ExpertRows rows = rows_of(b);
  if (!b.shards_sequence()) {
    b.tensor_all_reduce(part, bytes_of(b, rows.dispatched));
    return part;
  }
  const int sum = hidden_states(b, name, rows.dispatched);
  b.launch({.kind = KernelKind::kTensorReduceScatter,
            .operands = {{sum, Access::kWrite}, {part, Access::kRead}},
            .flops_per_element = 0,
            .bytes = bytes_of(b, rows.computed)});
  return sum;
}

void route(BlockBuilder& b, ExpertTensors& e, int input) {
  const MixtureOfExperts& x = experts_of(b);
  const std::int64_t rows = b.hidden_rows();
  e.router = b.linear_parameters({.name = "router",
                                  .out = x.num_experts,
                                  .in = b.config().hidden_size,
                                  .rows = rows,
                                  .partial_gradient = b.shards_sequence(),
                                  .fp8 = false});
  e.logits = b.activation("router.logits", rows * x.num_experts, 4);
  b.linear_forward(e.router, e.logits, input, false);
  e.probabilities = b.activation("router.probabilities", rows * x.experts_per_token, 4);
  e.indices = b.activation("router.indices", rows * x.experts_per_token, 4);
  std::vector<Operand> operands{
      {e.probabilities, Access::kWrite}, {e.indices, Access::kWrite}, {e.logits, Access::kRead}};
  if (x.router_bias) {
    e.router_bias = b.parameter({.name = "router.bias",
                                 .elements = x.num_experts,
                                 .init = ParameterInit::kZeros,
                                 .partial_gradient = b.shards_sequence()});
    operands.push_back({e.router_bias->value, Access::kRead});
  }
  // Of each score: softmax, and a comparison for each of the top k.
  const auto k = static_cast<double>(x.experts_per_token);
  b.launch({.kind = KernelKind::kRouterTopKForward,
            .operands = std::move(operands),
            .shape = {.rows = rows, .columns = x.num_experts, .inner = x.experts_per_token},
            .flops_per_element = (5 + k) * static_cast<double>(x.num_experts) / k});
}

/// Gradient of the logits from that of the chosen probabilities, then of router weight and input.
void route_backward(BlockBuilder& b, const ExpertTensors& e, int input, int input_gradient,
                    int probabilities_gradient) {
  const MixtureOfExperts& x = experts_of(b);
  const int logits_gradient = b.activation("router.logits_gradient", b.hidden_rows() * x.num_experts, 4);
  std::vector<Operand> operands{{logits_gradient, Access::kWrite},
                                {probabilities_gradient, Access::kRead},
                                {e.logits, Access::kRead},
                                {e.indices, Access::kRead}};
  if (e.router_bias) {
    operands.push_back({e.router_bias->gradient, b.gradient_access()});
  }
  b.launch({.kind = KernelKind::kRouterTopKBackward,
            .operands = std::move(operands),
            .shape = {.rows = b.hidden_rows(), .columns = x.num_experts, .inner = x.experts_per_token},
            .flops_per_element = 9});
  b.linear_backward_input(e.router, input_gradient, logits_gradient);
  b.linear_backward_weight(e.router, logits_gradient, input);
}

KernelShape permutation_shape(const BlockBuilder& b) {
  return {.rows = rows_of(b).dispatched,
          .columns = b.config().hidden_size,
          .inner = experts_of(b).experts_per_token};
}

/// Rows in the order of their experts, exchanged and gathered: what the experts' first product reads.
int dispatch(BlockBuilder& b, const ExpertTensors& e, int input) {
  const std::int64_t rows = rows_of(b).dispatched;
  const int dispatched = hidden_states(b, "experts.dispatched", rows);
  // A row is read as often as it has experts.
  const std::int64_t indices = 4 * b.hidden_rows() * experts_of(b).experts_per_token;
  b.launch({.kind = KernelKind::kPermuteTokensForward,
            .operands = {{dispatched, Access::kWrite}, {input, Access::kRead}, {e.indices, Access::kRead}},
            .shape = permutation_shape(b),
            .flops_per_element = 0,
            .bytes = bytes_of(b, 2 * rows) + Bytes(indices)});
  return gather(b, "experts.gathered", exchange(b, "experts.received", dispatched));
}

void compute_experts(BlockBuilder& b, ExpertTensors& e) {
  const TransformerConfig& c = b.config();
  const MixtureOfExperts& x = experts_of(b);
  const std::int64_t rows = rows_of(b).computed;
  const std::int64_t local = x.num_experts / b.options().expert_parallel;
  const std::int64_t ffn = x.expert_ffn_size / b.options().tensor_parallel;
  e.fc1 = b.linear_parameters({.name = "experts.fc1",
                               .out = c.activation == Activation::kSwiGlu ? 2 * ffn : ffn,
                               .in = c.hidden_size,
                               .rows = rows,
                               .experts = local});
  e.fc1_output = b.activation("experts.fc1.output", rows * e.fc1.out);
  b.linear_forward(e.fc1, e.fc1_output, e.input, false);
  e.activated = activation_forward(b, "experts.", {.rows = rows, .ffn = ffn}, e.fc1_output);
  e.fc2 = b.linear_parameters({.name = "experts.fc2",
                               .out = c.hidden_size,
                               .in = ffn,
                               .residual_projection = true,
                               .rows = rows,
                               .experts = local});
  const int part = hidden_states(b, "experts.part", rows);
  b.linear_forward(e.fc2, part, e.activated.output, false);
  e.returned = exchange(b, "experts.returned", sum_expert_parts(b, "experts.output", part));
}

/// Adds up the experts' rows of each token into `output`.
void combine(BlockBuilder& b, const ExpertTensors& e, int output) {
  b.launch({.kind = KernelKind::kUnpermuteTokensForward,
            .operands = {{output, Access::kWrite},
                         {e.returned, Access::kRead},
                         {e.probabilities, Access::kRead},
                         {e.indices, Access::kRead}},
            .shape = permutation_shape(b),
            .flops_per_element = 2.0 * static_cast<double>(experts_of(b).experts_per_token)});
}

struct CombineGradients {
  int returned = 0;
  int probabilities = 0;
};
CombineGradients combine_backward(BlockBuilder& b, const ExpertTensors& e, int output_gradient) {
  const std::int64_t rows = rows_of(b).dispatched;
  const std::int64_t choices = b.hidden_rows() * experts_of(b).experts_per_token;
  const CombineGradients gradients{
      .returned = hidden_states(b, "experts.returned_gradient", rows),
      .probabilities = b.activation("router.probabilities_gradient", choices, 4)};
  // The output's gradient is read as often as a row has experts; weights, their gradients and indices, 4 B
  // each.
  b.launch({.kind = KernelKind::kUnpermuteTokensBackward,
            .operands = {{gradients.returned, Access::kWrite},
                         {gradients.probabilities, Access::kWrite},
                         {output_gradient, Access::kRead},
                         {e.returned, Access::kRead},
                         {e.probabilities, Access::kRead},
                         {e.indices, Access::kRead}},
            .shape = permutation_shape(b),
            .flops_per_element = 3,
            .bytes = bytes_of(b, 3 * rows) + Bytes(12 * choices)});
  return gradients;
}

/// From the gradient of what the experts returned to that of the rows that were dispatched.
int experts_backward(BlockBuilder& b, const ExpertTensors& e, int returned_gradient) {
  const MlpSizes sizes{.rows = rows_of(b).computed, .ffn = e.fc2.in};
  const int output_gradient =
      gather(b, "experts.gathered_gradient", exchange(b, "experts.received_gradient", returned_gradient));
  const int activated_gradient = b.activation("experts.activation.gradient", sizes.rows * sizes.ffn);
  b.linear_backward_input(e.fc2, activated_gradient, output_gradient);
  b.linear_backward_weight(e.fc2, output_gradient, e.activated.output);
  const int fc1_gradient = activation_backward(
      b, "experts.", sizes,
      {.input = e.fc1_output, .made = e.activated, .output_gradient = activated_gradient});
  const int part = hidden_states(b, "experts.input_gradient_part", sizes.rows);
  b.linear_backward_input(e.fc1, part, fc1_gradient);
  b.linear_backward_weight(e.fc1, fc1_gradient, e.input);
  return exchange(b, "experts.dispatched_gradient", sum_expert_parts(b, "experts.input_gradient", part));
}

}  // namespace

ExpertRows expert_rows(const TransformerConfig& config, const BlockOptions& options) {
  const MixtureOfExperts& x = *config.experts;
  const std::int64_t choices = held_rows(options) * x.experts_per_token;
  ExpertRows rows{.dispatched = choices, .computed = 0};
  if (x.capacity_factor) {
    const double share =
        *x.capacity_factor * static_cast<double>(choices) / static_cast<double>(x.num_experts);
    rows.dispatched = x.num_experts * static_cast<std::int64_t>(std::ceil(share));
  }
  rows.computed = rows.dispatched * (options.sequence_parallel ? options.tensor_parallel : 1);
  return rows;
}

void experts_branch_forward(BlockBuilder& b, LayerTensors& t) {
  const std::int64_t shared_ffn_size = experts_of(b).shared_ffn_size;
  b.in_forward(KernelGroup::kNorm2);
  t.norm2 = b.norm_forward({.name = "norm2"}, t.residual);
  b.in_forward(KernelGroup::kMlp);
  t.experts.emplace();
  ExpertTensors& e = *t.experts;
  route(b, e, t.norm2.output);
  e.input = dispatch(b, e, t.norm2.output);
  compute_experts(b, e);
  if (shared_ffn_size == 0) {
    combine(b, e, t.output);
    t.output_mask = residual_add(b, "fc2", t.output, t.residual, std::nullopt);
    return;
  }
  e.shared = mlp_forward(b, "shared.", shared_ffn_size, b.whole_rows("norm2.gathered", t.norm2.output));
  const int part = b.part_of("shared.fc2.part", t.output);
  b.linear_forward(e.shared->fc2, part, e.shared->activated.output, false);
  b.sum_parts(part, t.output);
  const int combined = hidden_states(b, "experts.combined", b.hidden_rows());
  combine(b, e, combined);
  add_hidden(b, t.output, combined);
  t.output_mask = residual_add(b, "fc2", t.output, t.residual, e.shared->fc2.bias);
}

int experts_branch_backward(BlockBuilder& b, const LayerTensors& t, int output_gradient) {
  const ExpertTensors& e = *t.experts;
  const CombineGradients gradients = combine_backward(b, e, output_gradient);
  const int dispatched_gradient = experts_backward(b, e, gradients.returned);
  int norm2_gradient = 0;
  if (e.shared) {
    const int fc1_gradient = mlp_backward(b, "shared.", *e.shared, b.gathered("shared.fc2", output_gradient));
    norm2_gradient = b.column_parallel_backward("norm2", e.shared->fc1, fc1_gradient, t.norm2.output);
    const int router_gradient = hidden_states(b, "router.input_gradient", b.hidden_rows());
    route_backward(b, e, t.norm2.output, router_gradient, gradients.probabilities);
    add_hidden(b, norm2_gradient, router_gradient);
  } else {
    norm2_gradient = hidden_states(b, "norm2.gradient", b.hidden_rows());
    route_backward(b, e, t.norm2.output, norm2_gradient, gradients.probabilities);
  }
  b.launch({.kind = KernelKind::kPermuteTokensBackward,
            .operands = {{norm2_gradient, Access::kUpdate},
                         {dispatched_gradient, Access::kRead},
                         {e.indices, Access::kRead}},
            .shape = permutation_shape(b),
            .flops_per_element = static_cast<double>(experts_of(b).experts_per_token)});
  return norm2_gradient;
}

}  // namespace portolan
