#pragma once

#include <string>
#include <vector>

#include "base/text_table.h"
#include "study/paper_gains.h"

namespace portolan {

/// "Megatron-LM 2022", "Portolan, lossy gradients".
std::string planner_title(const PaperCase& row);

/// Every row with all its figures, for programs (docs/reproduce.md lists the columns). What is not known is
/// empty.
TextTable paper_runs_table(const std::vector<PaperRun>& runs);
/// Every gain likewise.
TextTable paper_gains_table(const std::vector<PaperGain>& gains);

/// For people: rows of one part, model and device; what does not fit says so.
TextTable shown_runs(const std::vector<PaperRun>& runs, PaperPart part, const std::string& model,
                     const std::string& device);
/// Time and memory of the same step against each baseline, with intervals, ties named.
TextTable shown_gains(const std::vector<PaperGain>& gains);

/// "41.2 % (33.0 to 48.4)"; "3.0 % (-9.1 to 13.8): tie".
std::string reduction_text(const Reduction& reduction);

}  // namespace portolan
