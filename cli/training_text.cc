#include "cli/training_text.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "exec/data/byte_pair_tokenizer.h"
#include "exec/data/byte_pair_trainer.h"
#include "exec/data/text_source.h"
#include "exec/data/token_stream.h"

namespace portolan {

Result<TokenDataset> load_training_text(const std::optional<std::string>& folder, const Scenario& scenario) {
  const char* variable = std::getenv("PORTOLAN_DATA");
  if (!folder && (variable == nullptr || *variable == '\0')) {
    return bad_input(
        "no text to train on: pass --data FOLDER or set PORTOLAN_DATA (.txt and .jsonl files are read)");
  }
  std::filesystem::path place = folder ? *folder : variable;
  if (!std::filesystem::exists(place)) {
    return bad_input(fmt::format("{}: {}: no such folder (allowed: one with .txt or .jsonl files)",
                                 folder ? "--data" : "PORTOLAN_DATA", place.string()));
  }
  if (std::filesystem::is_directory(place / "lm")) {
    place /= "lm";
  }
  PORTOLAN_TRY(const std::vector<Document> documents, read_documents(place));
  PORTOLAN_TRY(
      BytePairVocabulary vocabulary,
      train_byte_pairs(documents, {.num_entries = static_cast<std::int32_t>(scenario.model.vocab_size)}));
  if (vocabulary.num_entries() > scenario.model.vocab_size) {
    return bad_input(
        fmt::format("vocab_size: {} is too small for bytes and an end-of-text mark (allowed: {} or more)",
                    scenario.model.vocab_size, vocabulary.num_entries()));
  }
  BytePairTokenizer tokenizer(std::move(vocabulary));
  return TokenDataset::make(tokenize_documents(documents, tokenizer),
                            {.sequence_length = scenario.sequence_length, .seed = scenario.training.seed});
}

}  // namespace portolan
