#pragma once

#include <string>
#include <vector>

#include "report/plot.h"
#include "study/paper_gains.h"

namespace portolan {

struct PaperFigure {
  std::string file;  ///< "baselines.svg"
  Plot plot;
};

/// Steps of the central model by who plans; the reduction against the fastest baseline of each model; steps
/// against memory; the three tiers; bandwidth of the network. What has no rows is left out.
std::vector<PaperFigure> paper_figures(const PaperQuestion& question, const std::vector<PaperRun>& runs,
                                       const std::vector<PaperGain>& gains);

}  // namespace portolan
