#include <Cbc_C_Interface.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "plan/rematerialization.h"
#include "rematerialization_problems.h"

namespace portolan {
namespace {

/// `sum of factors x columns <= bound`, where absent factors are 0.
struct Row {
  std::vector<int> columns;
  std::vector<double> factors;

  void add(int column, double factor) {
    columns.push_back(column);
    factors.push_back(factor);
  }
};

/// The problem as a mixed-integer program: one 0-1 column for each choice of each layer, of which each layer
/// takes one, and one column for the peak, which every layer of the running chunk bounds from below. Written
/// from the definition in rematerialization.h, without any of its solver.
class MixedIntegerProgram {
 public:
  explicit MixedIntegerProgram(const RematerializationProblem& problem)
      : problem_(problem), model_(Cbc_newModel(), &Cbc_deleteModel) {
    Cbc_setLogLevel(model_.get(), 0);
    Cbc_setParameter(model_.get(), "log", "0");
    add_choices();
    peak_ = Cbc_getNumCols(model_.get());
    Cbc_addCol(model_.get(), "peak", 0, 1e9, 0, 0, 0, nullptr, nullptr);
    add_peaks();
    add_moments();
  }

  std::optional<double> least_recompute() {
    Cbc_solve(model_.get());
    if (Cbc_isProvenInfeasible(model_.get()) != 0) {
      return std::nullopt;
    }
    EXPECT_NE(Cbc_isProvenOptimal(model_.get()), 0);
    return Cbc_getObjValue(model_.get());
  }

 private:
  struct Layer {
    std::size_t kind = 0;
    int first_column = 0;
  };

  void add_choices() {
    std::vector<std::size_t> kinds = problem_.running;
    for (const RematerializationProblem::HeldChunk& chunk : problem_.held) {
      kinds.insert(kinds.end(), chunk.layers.begin(), chunk.layers.end());
    }
    for (const std::size_t kind : kinds) {
      layers_.push_back({kind, Cbc_getNumCols(model_.get())});
      for (const LayerChoice& choice : problem_.kinds[kind]) {
        Cbc_addCol(model_.get(), "choice", 0, 1, choice.recompute.value, 1, 0, nullptr, nullptr);
      }
    }
    for (const Layer& layer : layers_) {
      Row one;
      for_choices(layer, [&](int column, const LayerChoice&) { one.add(column, 1); });
      add_row(one, 'E', 1);
    }
  }

  template <typename Each>
  void for_choices(const Layer& layer, const Each& each) const {
    int column = layer.first_column;
    for (const LayerChoice& choice : problem_.kinds[layer.kind]) {
      each(column++, choice);
    }
  }

  void add_peaks() {
    const std::size_t n = problem_.running.size();
    for (std::size_t i = 0; i < n; ++i) {
      Row row;
      for (std::size_t k = 0; k < n; ++k) {
        for_choices(layers_[k], [&](int column, const LayerChoice& choice) {
          const Bytes own = i == 0 || i + 1 == n ? choice.peak_at_end : choice.peak;
          row.add(column, static_cast<double>((k < i ? choice.saved : k > i ? choice.deferred : own).value));
        });
      }
      row.add(peak_, -1);
      add_row(row, 'L', 0);
    }
  }

  void add_moments() {
    const std::size_t n = problem_.running.size();
    for (const RematerializationProblem::Moment& moment : problem_.moments) {
      Row row;
      for (std::size_t k = 0; k < n; ++k) {
        for_choices(layers_[k], [&](int column, const LayerChoice& choice) {
          row.add(column, static_cast<double>(choice.saved.value * moment.num_saved +
                                              choice.deferred.value * moment.num_deferred));
        });
      }
      row.add(peak_, 1);
      std::size_t k = n;
      for (const RematerializationProblem::HeldChunk& chunk : problem_.held) {
        for (std::size_t i = 0; i < chunk.layers.size(); ++i) {
          for_choices(layers_[k++], [&](int column, const LayerChoice& choice) {
            row.add(column, static_cast<double>(choice.saved.value * chunk.num_saved));
          });
        }
      }
      const Bytes beside =
          problem_.saved_beside * moment.num_saved + problem_.deferred_beside * moment.num_deferred;
      add_row(row, 'L', static_cast<double>((problem_.budget - beside).value));
    }
  }

  void add_row(const Row& row, char sense, double bound) {
    Cbc_addRow(model_.get(), "row", static_cast<int>(row.columns.size()), row.columns.data(),
               row.factors.data(), sense, bound);
  }

  const RematerializationProblem& problem_;
  std::unique_ptr<Cbc_Model, void (*)(Cbc_Model*)> model_;
  std::vector<Layer> layers_;
  int peak_ = 0;
};

// Sizes and times are whole numbers, so that both optima are.
TEST(RematerializationAsMixedIntegerProgram, HasTheSameOptimum) {
  std::mt19937_64 random(4);
  int num_solved = 0;
  for (int i = 0; i < 200; ++i) {
    SCOPED_TRACE(i);
    const RematerializationProblem problem =
        made_up_problem(random, {.most_kinds = 2, .most_choices = 6, .most_layers = 12, .most_held = 4});
    const std::optional<double> optimum = MixedIntegerProgram(problem).least_recompute();
    const std::optional<Rematerialization> found = rematerialize(problem);
    ASSERT_EQ(found.has_value(), optimum.has_value());
    if (found) {
      ++num_solved;
      EXPECT_EQ(found->recompute.value, std::round(*optimum));
      EXPECT_NEAR(*optimum, std::round(*optimum), 1e-6);
    }
  }
  EXPECT_GT(num_solved, 150);
}

}  // namespace
}  // namespace portolan
