#include "reference_variants.h"

#include <cmath>

#include "kernels/reference/rotary.h"
#include "reference_kernel.h"

namespace portolan {

namespace {

/// Rows of `rows` x queries and keys, in columns of one row.
std::int64_t query_key_columns(const operands::AttentionShape& s) {
  return (s.heads + s.kv_heads) * s.head_dim;
}

/// Calls visit(head of qkv row, head of qk row, its rstd, whether it is a query).
template <typename Visit>
void each_head(const KernelShape& s, Visit visit) {
  const std::int64_t heads = s.heads + s.kv_heads;
  for (std::int64_t row = 0; row < s.rows; ++row) {
    for (std::int64_t head = 0; head < heads; ++head) {
      visit((row * (heads + s.kv_heads) + head) * s.head_dim, (row * heads + head) * s.head_dim,
            row * heads + head, head < s.heads);
    }
  }
}

}  // namespace

std::vector<double> with_values(const operands::AttentionShape& shape, const std::vector<double>& rows) {
  const std::int64_t num_rows = shape.batch * shape.sequence;
  if (std::ssize(rows) == num_rows * shape.qkv_columns()) {
    return rows;
  }
  std::vector<double> qkv(at(num_rows * shape.qkv_columns()));
  for (std::int64_t row = 0; row < num_rows; ++row) {
    for (std::int64_t column = 0; column < query_key_columns(shape); ++column) {
      qkv[at(row * shape.qkv_columns() + column)] = rows[at(row * query_key_columns(shape) + column)];
    }
  }
  return qkv;
}

void copy_back(const operands::AttentionShape& shape, const std::vector<double>& qkv,
               std::vector<double>& rows) {
  const std::int64_t num_rows = shape.batch * shape.sequence;
  const std::int64_t columns = std::ssize(rows) / num_rows;
  for (std::int64_t row = 0; row < num_rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      rows[at(row * columns + column)] = qkv[at(row * shape.qkv_columns() + column)];
    }
  }
}

void add_alibi(const operands::AttentionShape& shape, double exponent, std::vector<double>& scores) {
  std::size_t i = 0;
  for (std::int64_t sequence = 0; sequence < shape.batch; ++sequence) {
    for (std::int64_t head = 1; head <= shape.heads; ++head) {
      const double slope =
          std::exp2(-exponent * static_cast<double>(head) / static_cast<double>(shape.heads));
      for (std::int64_t query = 0; query < shape.sequence; ++query) {
        for (std::int64_t key = 0; key < shape.sequence; ++key, ++i) {
          scores[i] -=
              slope * static_cast<double>(query - key) * std::sqrt(static_cast<double>(shape.head_dim));
        }
      }
    }
  }
}

void rotate_part(const operands::AttentionShape& shape, std::int64_t columns, double theta, Turn turn,
                 std::vector<double>& qkv) {
  operands::AttentionShape part = shape;
  part.head_dim = columns;
  const std::int64_t heads = shape.batch * shape.sequence * (shape.heads + 2 * shape.kv_heads);
  std::vector<double> turned(at(heads * columns));
  const auto copy = [&](bool back) {
    for (std::int64_t head = 0; head < heads; ++head) {
      for (std::int64_t column = 0; column < columns; ++column) {
        double& whole = qkv[at(head * shape.head_dim + column)];
        double& narrow = turned[at(head * columns + column)];
        (back ? whole : narrow) = back ? narrow : whole;
      }
    }
  };
  copy(false);
  const operands::Rotary<double> rotary{.shape = part, .theta = theta, .qkv = turned.data()};
  if (turn == Turn::kForward) {
    reference::rotary_forward<double>(rotary);
  } else {
    reference::rotary_backward<double>(rotary);
  }
  copy(true);
}

void head_norm_forward(const HeadNorm& norm, std::vector<double>& qk, std::vector<double>& rstd) {
  const KernelShape& s = norm.kernel.shape;
  each_head(s, [&](std::int64_t in, std::int64_t out, std::int64_t head, bool is_query) {
    double squares = 0;
    for (std::int64_t j = 0; j < s.head_dim; ++j) {
      squares += norm.qkv[at(in + j)] * norm.qkv[at(in + j)];
    }
    rstd[at(head)] = 1 / std::sqrt(squares / static_cast<double>(s.head_dim) + norm.kernel.scalar);
    const std::vector<double>& gain = is_query ? norm.query_gain : norm.key_gain;
    for (std::int64_t j = 0; j < s.head_dim; ++j) {
      qk[at(out + j)] = norm.qkv[at(in + j)] * rstd[at(head)] * gain[at(j)];
    }
  });
}

void head_norm_backward(const HeadNorm& norm, const std::vector<double>& rstd, const HeadNormGradients& d) {
  const KernelShape& s = norm.kernel.shape;
  each_head(s, [&](std::int64_t in, std::int64_t /*out*/, std::int64_t head, bool is_query) {
    const std::vector<double>& gain = is_query ? norm.query_gain : norm.key_gain;
    std::vector<double>& dgain = is_query ? d.dquery_gain : d.dkey_gain;
    const double r = rstd[at(head)];
    double projected = 0;
    for (std::int64_t j = 0; j < s.head_dim; ++j) {
      const double dy = d.dqkv[at(in + j)];
      const double x = norm.qkv[at(in + j)];
      dgain[at(j)] += dy * x * r;
      projected += dy * gain[at(j)] * x;
    }
    projected *= r * r / static_cast<double>(s.head_dim);
    for (std::int64_t j = 0; j < s.head_dim; ++j) {
      double& gradient = d.dqkv[at(in + j)];
      gradient = r * (gradient * gain[at(j)] - norm.qkv[at(in + j)] * projected);
    }
  });
}

}  // namespace portolan
