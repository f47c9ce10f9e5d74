#pragma once

#include <string>
#include <vector>

#include "report/paper_figures.h"

namespace portolan {

/// The page of results/paper: what the paper claims, what is modelled here, what others measured, and where
/// the claim is reached. `gains`, `leaner`: as of paper_gains and leaner_gains of the central model.
std::string paper_readme(const PaperQuestion& question, const std::vector<PaperRun>& runs,
                         const std::vector<PaperGain>& gains, const std::vector<PaperGain>& leaner,
                         const std::vector<PaperFigure>& figures);

/// For terminals: where the claim is reached, and what is a tie.
std::string paper_summary(const std::vector<PaperGain>& gains);

}  // namespace portolan
