#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "exec/data/token_dataset.h"
#include "plan/scenario.h"

namespace portolan {

/// Text for a run: the files of `folder` (its lm/ where it has one), else of PORTOLAN_DATA, through a
/// byte-pair vocabulary of the model's size trained on that text. Errors: no folder named, nothing to read
/// there, too little text.
Result<TokenDataset> load_training_text(const std::optional<std::string>& folder, const Scenario& scenario);

}  // namespace portolan
