#pragma once

#include <cstdint>

namespace portolan::operands {

/// Sizes of one attention layer. A row of qkv is [Q heads | K heads | V heads], each head head_dim wide; row
/// r holds sequence position r % sequence of batch entry r / sequence. Query head i reads key-value head
/// i / (heads / kv_heads): grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245).
/// Preconditions: all sizes >= 1, heads is a multiple of kv_heads.
struct AttentionShape {
  std::int64_t batch;
  std::int64_t sequence;
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;

  std::int64_t rows() const { return batch * sequence; }
  std::int64_t group() const { return heads / kv_heads; }
  std::int64_t qkv_columns() const { return (heads + 2 * kv_heads) * head_dim; }
  std::int64_t context_columns() const { return heads * head_dim; }
  std::int64_t score_count() const { return batch * heads * sequence * sequence; }
  /// First column of qkv that holds query, key or value head `head`.
  std::int64_t query_column(std::int64_t head) const { return head * head_dim; }
  std::int64_t key_column(std::int64_t kv_head) const { return (heads + kv_head) * head_dim; }
  std::int64_t value_column(std::int64_t kv_head) const { return (heads + kv_heads + kv_head) * head_dim; }

  bool operator==(const AttentionShape&) const = default;
};

// The three steps of causal attention and their gradients. A score or probability whose key position is after
// its query position is "above the diagonal". No output overlaps an input.

/// scores = Q K^T per head, unscaled. Entries above the diagonal may be left unwritten: the softmax ignores
/// them.
template <typename T>
struct AttentionScoresForward {
  AttentionShape shape;
  const T* qkv;  // (rows, qkv_columns)
  T* scores;     // (batch, heads, sequence, sequence)
};

/// In place: probabilities = softmax(scores / sqrt(head_dim)) over the keys up to the query's position.
/// Entries above the diagonal are never read and become exactly 0.
template <typename T>
struct AttentionSoftmaxForward {
  AttentionShape shape;
  T* scores;  // (batch, heads, sequence, sequence), probabilities on return
};

/// context = probabilities V per head. Overwrites context.
template <typename T>
struct AttentionContextForward {
  AttentionShape shape;
  const T* probabilities;  // (batch, heads, sequence, sequence), 0 above the diagonal
  const T* qkv;            // (rows, qkv_columns), only V is read
  T* context;              // (rows, heads * head_dim)
};

/// dprobabilities = dcontext V^T per head (above the diagonal possibly left unwritten), and the V columns of
/// dqkv = probabilities^T dcontext, summed over the query heads of a group. Overwrites both.
template <typename T>
struct AttentionContextBackward {
  AttentionShape shape;
  const T* probabilities;  // (batch, heads, sequence, sequence), 0 above the diagonal
  const T* qkv;            // (rows, qkv_columns), only V is read
  const T* dcontext;       // (rows, heads * head_dim)
  T* dprobabilities;       // (batch, heads, sequence, sequence)
  T* dqkv;                 // (rows, qkv_columns), only V is written
};

/// In place: dprobabilities becomes dscores, with the factor 1 / sqrt(head_dim).
/// Entries above the diagonal are never read and become exactly 0.
template <typename T>
struct AttentionSoftmaxBackward {
  AttentionShape shape;
  const T* probabilities;  // (batch, heads, sequence, sequence)
  T* dprobabilities;       // (batch, heads, sequence, sequence), dscores on return
};

/// The Q columns of dqkv = dscores K, the K columns = dscores^T Q, summed over the query heads of a group.
/// Overwrites both.
template <typename T>
struct AttentionScoresBackward {
  AttentionShape shape;
  const T* qkv;      // (rows, qkv_columns), Q and K are read
  const T* dscores;  // (batch, heads, sequence, sequence), 0 above the diagonal
  T* dqkv;           // (rows, qkv_columns), Q and K are written
};

}  // namespace portolan::operands
