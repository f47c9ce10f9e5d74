#include "kernels/host/embedding.h"

#include "kernels/reference/embedding.h"
#include "tests/unit/kernels/closeness.h"
#include "tests/unit/kernels/finite_difference.h"

namespace portolan {
namespace {

struct Shape {
  std::int64_t batch;
  std::int64_t sequence;
  std::int64_t columns;
  std::int64_t vocabulary;
};

// Small vocabularies repeat tokens, whose gradients must add up.
TEST(Embedding, EqualsReference) {
  for (const auto& [batch, sequence, columns, vocabulary] :
       {Shape{1, 1, 1, 1}, Shape{2, 5, 7, 3}, Shape{3, 16, 64, 100}, Shape{2, 33, 129, 11}}) {
    const std::int64_t rows = batch * sequence;
    const auto tokens = random_tokens("tokens", rows, vocabulary);
    for (const bool with_position : {false, true}) {
      Tensor word = random_tensor("word", vocabulary * columns);
      Tensor position = random_tensor("position", sequence * columns);
      Tensor x = poisoned_tensor(rows * columns);
      host::embedding_forward({.rows = rows,
                               .sequence = sequence,
                               .columns = columns,
                               .tokens = tokens.data(),
                               .word = word.f(),
                               .position = with_position ? position.f() : nullptr,
                               .x = x.f()});
      reference::embedding_forward<double>({.rows = rows,
                                            .sequence = sequence,
                                            .columns = columns,
                                            .tokens = tokens.data(),
                                            .word = word.d(),
                                            .position = with_position ? position.d() : nullptr,
                                            .x = x.d()});
      expect_close(x, "x", 2e-7);
      Tensor dx = random_tensor("dx", rows * columns);
      host::embedding_backward({.rows = rows,
                                .sequence = sequence,
                                .columns = columns,
                                .tokens = tokens.data(),
                                .dx = dx.f(),
                                .dword = word.f(),
                                .dposition = with_position ? position.f() : nullptr});
      reference::embedding_backward<double>({.rows = rows,
                                             .sequence = sequence,
                                             .columns = columns,
                                             .tokens = tokens.data(),
                                             .dx = dx.d(),
                                             .dword = word.d(),
                                             .dposition = with_position ? position.d() : nullptr});
      expect_close(word, "dword", 1e-6);
      expect_close(position, "dposition", 1e-6);
    }
  }
}

TEST(Embedding, ReferenceGradientsAreFiniteDifferences) {
  const std::int64_t sequence = 4;
  const std::int64_t rows = 2 * sequence;
  const std::int64_t columns = 3;
  const std::int64_t vocabulary = 5;
  const auto tokens = random_tokens("tokens", rows, vocabulary);
  auto word = random_doubles("word", vocabulary * columns);
  auto position = random_doubles("position", sequence * columns);
  const auto dx = random_doubles("dx", rows * columns);
  const auto loss = [&] {
    std::vector<double> x(dx.size());
    reference::embedding_forward<double>({.rows = rows,
                                          .sequence = sequence,
                                          .columns = columns,
                                          .tokens = tokens.data(),
                                          .word = word.data(),
                                          .position = position.data(),
                                          .x = x.data()});
    return weighted_sum(dx, x);
  };
  std::vector<double> dword(word.size());
  std::vector<double> dposition(position.size());
  reference::embedding_backward<double>({.rows = rows,
                                         .sequence = sequence,
                                         .columns = columns,
                                         .tokens = tokens.data(),
                                         .dx = dx.data(),
                                         .dword = dword.data(),
                                         .dposition = dposition.data()});
  expect_gradient(word, dword, loss, "dword");
  expect_gradient(position, dposition, loss, "dposition");
}

}  // namespace
}  // namespace portolan
