#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/measured/training_rows.h"
#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// What a published step's source does not say, and what is taken for it.
struct Assumption {
  std::string field;  ///< "vocab"
  std::string value;

  bool operator==(const Assumption&) const = default;
};

/// A published step as a question to predict.
struct PublishedCase {
  Scenario scenario;
  /// One where the source says how the step was divided; else one for each legal value of what it does not
  /// say (microbatch, virtual stages, how many layers recompute): the prediction is a range.
  std::vector<Strategy> strategies;
  std::vector<Assumption> assumed;
  /// Why the step is shown apart from the others of its source: it did what its software profile does not
  /// know, and what that costs is unknown too. The prediction is a lower bound. Empty: it is not.
  std::string apart;
};

/// Why a row is not predicted, in one line.
struct SkippedRow {
  std::string reason;

  bool operator==(const SkippedRow&) const = default;
};

/// The question that `row` answers. Hardware and software are found by name in `paths`; a software that no
/// file describes, or none, is "generic". Where the source is silent, its software profile's usual values are
/// taken (SoftwareProfile::usual_...), and said. Whether a model is of GPT's or of LLaMA's kind follows from
/// its number of parameters. Skipped: sizes or degrees are not published, no hardware file describes the
/// cluster, nothing legal is left. Errors: those of the files named.
Result<std::variant<PublishedCase, SkippedRow>> published_case(const TrainingRow& row,
                                                               const CatalogPaths& paths);

}  // namespace portolan
