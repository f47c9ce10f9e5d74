#include "report/paper_readme.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/paper_tables.h"

namespace portolan {

namespace {

using Test = bool (*)(const PaperGain&);

/// Gains of one kind of settings on the 80 GB device, all models.
std::vector<const PaperGain*> gains_against(const std::vector<PaperGain>& gains, PaperSettings settings) {
  std::vector<const PaperGain*> list;
  for (const PaperGain& gain : gains) {
    if (gain.theirs->row.settings == settings && gain.theirs->row.device == "80 GB") {
      list.push_back(&gain);
    }
  }
  return list;
}

/// "4 of 31 (Megatron-LM 2021 of gpt3-175b; ...)", the names where they are few.
std::string those(const std::vector<const PaperGain*>& gains, Test test) {
  constexpr std::size_t kMostNames = 8;
  std::string names;
  std::size_t count = 0;
  for (const PaperGain* gain : gains) {
    if (test(*gain)) {
      names += fmt::format("{}{} of {}", count > 0 ? "; " : "", planner_title(gain->theirs->row),
                           gain->theirs->row.model);
      ++count;
    }
  }
  return fmt::format("{} of {}{}", count, gains.size(),
                     count > 0 && count <= kMostNames ? fmt::format(" ({})", names) : "");
}

std::string claim_text(const std::vector<PaperGain>& gains, PaperSettings settings) {
  const std::vector<const PaperGain*> list = gains_against(gains, settings);
  const auto time = [](const PaperGain& g) { return g.reaches_time(); };
  const auto surely = [](const PaperGain& g) {
    return g.time.interval && g.time.interval->low >= kClaimedTimePct;
  };
  const auto memory = [](const PaperGain& g) { return g.reaches_memory(); };
  const auto both = [](const PaperGain& g) { return g.reaches_time() && g.reaches_memory(); };
  const auto tie = [](const PaperGain& g) { return g.time.is_tie(); };
  const auto slower = [](const PaperGain& g) { return g.time.pct < 0; };
  return fmt::format(
      "- {} % less time: {}; with the whole interval above it: {}\n- {} % less memory in the same step: {}\n"
      "- both at once: {}\n- a tie in time, the interval of the reduction has 0 in it: {}\n"
      "- Portolan's plan is slower: {}\n",
      kClaimedTimePct, those(list, time), those(list, surely), kClaimedMemoryPct, those(list, memory),
      those(list, both), those(list, tie), those(list, slower));
}

std::string claims(const std::vector<PaperGain>& gains) {
  return fmt::format(
      "Against documented defaults:\n\n{}\nAgainst the best legal settings of each framework:\n\n{}",
      claim_text(gains, PaperSettings::kDefaults), claim_text(gains, PaperSettings::kBest));
}

std::vector<PaperGain> of_model(const std::vector<PaperGain>& gains, const std::string& model,
                                const std::string& device) {
  std::vector<PaperGain> list;
  std::copy_if(gains.begin(), gains.end(), std::back_inserter(list), [&](const PaperGain& gain) {
    return gain.theirs->row.model == model && gain.theirs->row.device == device;
  });
  return list;
}

std::string figure(const std::vector<PaperFigure>& figures, std::string_view file) {
  const bool there =
      std::any_of(figures.begin(), figures.end(), [&](const PaperFigure& each) { return each.file == file; });
  return there ? fmt::format("![{0}]({0})\n\n", file) : "";
}

std::string section(const std::string& title, const std::string& text) {
  return text.empty() ? "" : fmt::format("## {}\n\n{}\n", title, text);
}

constexpr const char* kHead =
    R"(# A paper's claim, planned

`portolan reproduce paper` remakes this folder, with `--models` for some of the models (docs/reproduce.md). `runs.csv` and `gains.csv` have every figure.

Three kinds of statements, which are not to be mixed up:

1. **What the paper claims.** 38 % less training time and 42 % less memory on 512 A100s against DeepSpeed, FairScale and Megatron-LM, by three tiers: topology-aware parallelism,
   communication-efficient gradient aggregation, memory-aware rematerialization (Int. J. Computational Intelligence Systems 18, 293, 2025). Only its abstract is public: which models, batches, settings of the
   baselines and versions it means is not known, so nobody can run *its* comparison again.
2. **What is modelled here.** Everything in this folder: predictions of steps that nobody ran. The same model, batch (1,536 sequences of 2,048 tokens), bf16 and 512 GPUs for all; layers as Megatron-LM's. Baselines are
   `scenarios/baselines/`: with documented defaults, a source beside each field, and with the fastest legal settings that the search finds. No constant was chosen with 38 % or 42 % in mind.
3. **What others measured.** Published steps of Megatron-LM, DeepSpeed, FSDP and others, none of which is a row here: they say how far predictions err ([validation](../validation/README.md)) and make the intervals,
   in which nine of ten measurements are expected (in brackets). DeepSpeed's ZeRO and FairScale have no published step among them: their intervals are those of a new source. Intervals of memory rest on one source.

A **reduction** is 100 (1 - Portolan's / the baseline's). Its interval takes both predictions to err independently. Where it has 0 in it, it is called a **tie**.
)";

}  // namespace

std::string paper_summary(const std::vector<PaperGain>& gains) {
  return "512 A100 80 GB, baselines that fit; names where they are few\n\n" + claims(gains);
}

std::string paper_readme(const PaperQuestion& question, const std::vector<PaperRun>& runs,
                         const std::vector<PaperGain>& gains, const std::vector<PaperGain>& leaner,
                         const std::vector<PaperFigure>& figures) {
  std::string text = kHead;
  text += "\n" + section("Where the claim is reached and where not",
                         claims(gains) +
                             "\nCounted on 80 GB, over all models, baselines that do not fit left out.\n\n" +
                             figure(figures, "fastest.svg"));
  for (const std::string& model : question.models) {
    const std::string bars = model == question.central ? figure(figures, "baselines.svg") : "";
    text += section(model + ", A100 80 GB",
                    bars + write_markdown(shown_runs(runs, PaperPart::kBaselines, model, "80 GB")) +
                        "\nPortolan's exact plan against each:\n\n" +
                        write_markdown(shown_gains(of_model(gains, model, "80 GB"))));
  }
  if (!question.all_parts) {
    return text;
  }
  text += section(
      "Less memory: " + question.central,
      "The fastest plan takes all the memory that there is. With less it may take it becomes slower:\n\n" +
          figure(figures, "memory.svg") +
          write_markdown(shown_runs(runs, PaperPart::kBudgets, question.central, "80 GB")) +
          "\nWhat counts is what the framework's allocator has reserved. With less it gives cached blocks "
          "back "
          "sooner: a strategy may show less under a smaller limit, and the baselines, which have all of the "
          "device here, might too. These rows say what Portolan's plan can do without, not what a baseline "
          "cannot.\n\nThe fastest of these plans that needs 42 % less than each baseline as it stands above, "
          "time and memory of one step:\n\n" +
          write_markdown(shown_gains(leaner)));
  text += section(
      "The three tiers: " + question.central,
      "A tier that does not plan keeps what Megatron-LM 2022 does with its defaults. Tier 1: degrees, "
      "microbatch, sequence parallelism, schedule, placement. Tier 2: algorithm, overlap and buckets of sums "
      "of gradients, ZeRO. Tier 3: what is recomputed, what is kept on the host.\n\n" +
          figure(figures, "tiers.svg") +
          write_markdown(shown_runs(runs, PaperPart::kTiers, question.central, "80 GB")));
  text += section("The fabric: " + question.central,
                  "Every link of the network made slower or faster, each plan made anew.\n\n" +
                      figure(figures, "fabrics.svg") +
                      write_markdown(shown_runs(runs, PaperPart::kFabrics, question.central, "80 GB")));
  for (const std::string& model : question.models) {
    text += section(model + ", A100 40 GB",
                    "Documented defaults, and Megatron-LM 2022 at its best.\n\n" +
                        write_markdown(shown_runs(runs, PaperPart::kBaselines, model, "40 GB")) + "\n" +
                        write_markdown(shown_gains(of_model(gains, model, "40 GB"))));
  }
  return text;
}

}  // namespace portolan
