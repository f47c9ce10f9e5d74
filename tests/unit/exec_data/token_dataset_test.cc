#include "exec/data/token_dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace portolan {
namespace {

/// Tokens 0, 1, 2, ..., so that a window's first token is its place.
TokenStream counting_stream(std::int32_t num_tokens, std::vector<std::int64_t> document_starts = {0}) {
  TokenStream stream{std::vector<std::int32_t>(static_cast<std::size_t>(num_tokens)),
                     std::move(document_starts)};
  std::iota(stream.tokens.begin(), stream.tokens.end(), 0);
  return stream;
}

TokenDataset make_dataset(TokenStream stream, const TokenDatasetOptions& options) {
  auto dataset = TokenDataset::make(std::move(stream), options);
  EXPECT_TRUE(dataset.has_value());
  return *dataset;
}

struct Window {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> targets;

  explicit Window(std::int64_t length)
      : tokens(static_cast<std::size_t>(length)), targets(static_cast<std::size_t>(length)) {}
  bool operator==(const Window&) const = default;
};

Window training_window(const TokenDataset& dataset, std::int64_t step, std::int64_t sequence_index) {
  Window window(dataset.sequence_length());
  dataset.training_window(step, sequence_index, window.tokens, window.targets);
  return window;
}

TEST(TokenDataset, SplitsAsTheTableSays) {
  struct Row {
    std::int32_t num_tokens;
    std::vector<std::int64_t> document_starts;
    double heldout_fraction;
    HeldoutBoundary boundary;
    std::int64_t num_training;
    std::int64_t num_heldout;
    std::int64_t num_heldout_windows;  // of 4 tokens
  };
  constexpr auto kToken = HeldoutBoundary::kToken;
  constexpr auto kDocument = HeldoutBoundary::kDocument;
  const std::vector<Row> rows = {
      {100, {0}, 0.05, kToken, 95, 5, 1},
      {1000, {0}, 0.05, kToken, 950, 50, 12},
      {1000, {0, 900}, 0.05, kToken, 950, 50, 12},
      {1000, {0, 900}, 0.05, kDocument, 900, 100, 24},
      {1000, {0, 900, 950}, 0.05, kDocument, 950, 50, 12},
      {1000, {0, 900, 951}, 0.05, kDocument, 900, 100, 24},
      {1000, {0, 900}, 0, kDocument, 1000, 0, 0},
      {10, {0}, 0, kToken, 10, 0, 0},
      {10, {0}, 0.5, kToken, 5, 5, 1},
  };
  for (const Row& row : rows) {
    const TokenDataset dataset = make_dataset(
        counting_stream(row.num_tokens, row.document_starts),
        {.sequence_length = 4, .heldout_fraction = row.heldout_fraction, .boundary = row.boundary});
    EXPECT_EQ(dataset.num_training_tokens(), row.num_training);
    EXPECT_EQ(dataset.num_heldout_tokens(), row.num_heldout);
    EXPECT_EQ(dataset.num_heldout_windows(), row.num_heldout_windows);
  }
}

TEST(TokenDataset, Errors) {
  struct Row {
    std::int32_t num_tokens;
    std::vector<std::int64_t> document_starts;
    TokenDatasetOptions options;
    std::string message;
  };
  const std::vector<Row> rows = {
      {100, {0}, {.sequence_length = 0}, "sequence_length: 0 is too short (at least 1)"},
      {100,
       {0},
       {.sequence_length = 4, .heldout_fraction = 1},
       "heldout_fraction: 1 is out of range (at least 0, below 1)"},
      {100,
       {0},
       {.sequence_length = 4, .heldout_fraction = -0.5},
       "heldout_fraction: -0.5 is out of range (at least 0, below 1)"},
      {80,
       {0},
       {.sequence_length = 4},
       "text too short: the held-out part has 4 of 80 tokens, a sequence of 4 needs at least 5"},
      {10,
       {0},
       {.sequence_length = 4, .heldout_fraction = 0.6},
       "text too short: the training part has 4 of 10 tokens, a sequence of 4 needs at least 5"},
      {128,
       {0},
       {.sequence_length = 128, .heldout_fraction = 0},
       "text too short: the training part has 128 of 128 tokens, a sequence of 128 needs at least 129"},
      {0,
       {},
       {.sequence_length = 1, .heldout_fraction = 0},
       "text too short: the training part has 0 of 0 tokens, a sequence of 1 needs at least 2"},
      {1000,
       {0, 951},
       {.sequence_length = 4, .boundary = HeldoutBoundary::kDocument},
       "the last 50 of 1000 tokens begin in the first of 2 documents: no document boundary leaves a training "
       "part "
       "(split at any token instead)"},
  };
  for (const Row& row : rows) {
    const auto dataset =
        TokenDataset::make(counting_stream(row.num_tokens, row.document_starts), row.options);
    ASSERT_FALSE(dataset.has_value()) << row.message;
    EXPECT_EQ(dataset.error(), bad_input(row.message));
  }
}

TEST(TokenDataset, TargetsAreTheNextTokensAndStayInTraining) {
  const TokenDataset dataset =
      make_dataset(counting_stream(20), {.sequence_length = 4, .heldout_fraction = 0.25, .seed = 7});
  std::set<std::int32_t> places;
  for (std::int64_t step = 0; step < 50; ++step) {
    for (std::int64_t index = 0; index < 8; ++index) {
      const Window window = training_window(dataset, step, index);
      for (std::size_t i = 0; i < 4; ++i) {
        ASSERT_EQ(window.tokens[i], window.tokens[0] + static_cast<std::int32_t>(i));
        ASSERT_EQ(window.targets[i], window.tokens[i] + 1);
      }
      ASSERT_LT(window.targets[3], 15);
      places.insert(window.tokens[0]);
    }
  }
  EXPECT_EQ(places.size(), 11U) << "each of the places 0..10 is drawn in 400 draws";
}

TEST(TokenDataset, HeldoutWindowsFollowOneAnother) {
  const TokenDataset dataset =
      make_dataset(counting_stream(20), {.sequence_length = 4, .heldout_fraction = 0.5});
  ASSERT_EQ(dataset.num_heldout_windows(), 2);
  Window window(4);
  dataset.heldout_window(0, window.tokens, window.targets);
  EXPECT_EQ(window.tokens, (std::vector<std::int32_t>{10, 11, 12, 13}));
  EXPECT_EQ(window.targets, (std::vector<std::int32_t>{11, 12, 13, 14}));
  dataset.heldout_window(1, window.tokens, window.targets);
  EXPECT_EQ(window.tokens, (std::vector<std::int32_t>{14, 15, 16, 17}));
  EXPECT_EQ(window.targets, (std::vector<std::int32_t>{15, 16, 17, 18}));
}

/// Whatever way 16 sequences are divided over ranks and microbatches, the batch holds the same windows.
TEST(TokenDataset, BatchIsTheSameHoweverItIsDivided) {
  constexpr std::int64_t kGlobalBatch = 16;
  constexpr std::int64_t kStep = 3;
  const TokenDataset dataset = make_dataset(counting_stream(5000), {.sequence_length = 16, .seed = 11});
  std::vector<Window> serial;
  for (std::int64_t index = 0; index < kGlobalBatch; ++index) {
    serial.push_back(training_window(dataset, kStep, index));
  }
  for (std::int64_t data_parallel = 1; data_parallel <= kGlobalBatch; data_parallel *= 2) {
    const std::int64_t per_rank = kGlobalBatch / data_parallel;
    for (std::int64_t microbatch_size = 1; microbatch_size <= per_rank; microbatch_size *= 2) {
      std::vector<Window> divided(kGlobalBatch, Window(0));
      for (std::int64_t rank = data_parallel - 1; rank >= 0; --rank) {  // any order of work
        const TokenDataset own = dataset;
        for (std::int64_t microbatch = 0; microbatch < per_rank / microbatch_size; ++microbatch) {
          for (std::int64_t i = 0; i < microbatch_size; ++i) {
            const std::int64_t index = rank * per_rank + microbatch * microbatch_size + i;
            divided[static_cast<std::size_t>(index)] = training_window(own, kStep, index);
          }
        }
      }
      EXPECT_EQ(divided, serial) << "data_parallel " << data_parallel << ", microbatch_size "
                                 << microbatch_size;
    }
  }
}

TEST(TokenDataset, StepsSequencesAndSeedsDiffer) {
  const TokenDatasetOptions options = {.sequence_length = 8, .seed = 1};
  const TokenDataset dataset = make_dataset(counting_stream(1'000'000), options);
  std::set<std::int32_t> places;
  for (std::int64_t step = 0; step < 16; ++step) {
    for (std::int64_t index = 0; index < 16; ++index) {
      places.insert(training_window(dataset, step, index).tokens[0]);
    }
  }
  EXPECT_GE(places.size(), 254U) << "256 draws of 950,000 places: a repetition is rare";

  TokenDatasetOptions other_options = options;
  other_options.seed = 2;
  const TokenDataset other = make_dataset(counting_stream(1'000'000), other_options);
  EXPECT_NE(training_window(dataset, 0, 0), training_window(other, 0, 0));
  EXPECT_EQ(training_window(dataset, 5, 5), training_window(dataset, 5, 5));
}

/// These places must never change: a checkpoint resumes on the batches that it left off.
TEST(TokenDataset, PlacesArePinned) {
  const TokenDataset dataset = make_dataset(counting_stream(1'000'000), {.sequence_length = 8, .seed = 1});
  EXPECT_EQ(training_window(dataset, 0, 0).tokens[0], 658830);
  EXPECT_EQ(training_window(dataset, 0, 1).tokens[0], 402047);
  EXPECT_EQ(training_window(dataset, 1, 0).tokens[0], 324547);
}

}  // namespace
}  // namespace portolan
