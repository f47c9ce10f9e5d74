#!/usr/bin/python3
"""Remakes results/validation: usage: scripts/validation_results.py PORTOLAN TABLE FOLDER [MEMORY]

TABLE holds published steps, MEMORY published peaks of memory (docs/published-steps.md). What is predicted and how it is judged comes from
`portolan validate` and `portolan calibrate`; here it is put into tables and drawn.
"""
import csv
import json
import math
import os
import statistics
import subprocess
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import matplotlib.ticker  # noqa: E402

matplotlib.rcParams["svg.hashsalt"] = "portolan"  # the same figure from the same rows

# What constants are fitted to steps: the option of `portolan calibrate`, the table's column, and its values there.
FITS = [("--software", "software", ["megatron-deepspeed-2022", "megatron-deepspeed-2021"]),
        ("--clusters", "cluster", ["h100-80g-800g", "h100-80g-400g"])]


def run(portolan, *arguments):
    done = subprocess.run([portolan, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{portolan} {' '.join(arguments)}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout else None


def number(value, form="{:.1f}"):
    return "-" if value is None else form.format(value)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def counts(row):
    return row["range_s"] is None and row["apart"] is None


def groups_table(result):
    rows = []
    for group in result["groups"]:
        if group["mape_pct"] is None:
            continue
        new = group["new_source"]
        rows.append([group["source_family"], group["prefix"], str(group["rows"] - group["ranges"] - group["apart"]),
                     number(group["mape_pct"]), number(group["median_pct"]), number(group["max_pct"]),
                     number(group["bias_pct"], "{:+.1f}"), number(group["noise_pct"]),
                     number(group["half_width_pct"]), number(group["coverage90_pct"]),
                     number(new["half_width_pct"]), number(new["coverage90_pct"])])
    return table(["source", "table", "steps", "mean %", "median %", "max %", "bias %", "noise %", "90 % interval, %",
                  "covers %", "as a new source, %", "covers %"], rows)


def ranges_table(result, published):
    rows = []
    for row in result["rows"]:
        if row["range_s"] is not None:
            rows.append([row["id"], f"{row['measured_s']:.4g}", f"{row['range_s'][0]:.4g} to {row['range_s'][1]:.4g}",
                         "within" if row["error_pct"] == 0 else f"{row['error_pct']:+.1f} %", published[row["id"]]["missing"]])
        elif row["apart"] is not None:
            rows.append([row["id"], f"{row['measured_s']:.4g}", f"at least {row['predicted_s']:.4g}",
                         "above" if row["error_pct"] < 0 else "below", row["apart"]])
    return table(["step", "measured s", "predicted s", "measured is", "not published"], rows)


def left_out(result, fits, published):
    """Each family's mean error, its steps left out of any fit. `fits`: each with whether it fits a published step."""
    one_node = " (one node)"
    crossed, of_fit = {}, {}
    for which, (fit, is_fitted) in enumerate(fits):
        for source in fit["sources"]:
            crossed[source["source_family"], which] = source["error_pct"]["crossed"]
    errors = {}
    for row in result["rows"]:
        step = published[row["id"]]
        if counts(row) and step["use"] in ("", "calibrate"):
            family = step["source_family"] + (one_node if step["inter_link"].startswith("none") else "")
            which = next((i for i, (_, is_fitted) in enumerate(fits) if is_fitted(step)), None)
            fitted = (family, which) in crossed
            errors.setdefault(family, []).append(crossed[family, which] if fitted else abs(row["error_pct"]))
            of_fit.setdefault(family, []).append(fitted)
    rows, means = [], []
    for family, list_of in errors.items():
        mean = statistics.mean(list_of)
        means.append((mean, family))
        fitted = sum(of_fit[family])
        rows.append([family, str(len(list_of)), number(mean),
                     "in no fit" if fitted == 0 else "fitted on the others" if fitted == len(list_of) else
                     f"{fitted} fitted on the others, others in no fit"])
    others = [mean for mean, family in means if not family.endswith(one_node)]
    rows.append(["mean of all but one node", "", number(statistics.mean(others)), f"worst {max(others):.1f}"])
    return table(["source left out", "steps", "mean %", ""], rows)


def ranking_table(result):
    rows = [[group["source_family"], group["prefix"], str(group["jobs"]), str(group["configurations"]),
             f"{group['regret_pct']:.1f}", f"{group['place_of_best']:.1f}", f"{group['spearman']:.2f}"]
            for group in result["ranking"]]
    return table(["source", "table", "jobs", "configurations", "chosen is slower than the best by, %", "place of the best",
                  "Spearman"], rows)


def memory_tables(result):
    groups, rows = [], []
    for group in result["memory_groups"]:
        groups.append([group["source_family"], group["prefix"], str(group["rows"] - group["did_not_fit"]),
                       number(group["mape_pct"]), number(group["median_pct"]), number(group["max_pct"]),
                       number(group["bias_pct"], "{:+.1f}"), number(group["half_width_pct"]), number(group["coverage90_pct"]),
                       str(group["did_not_fit"]), str(group["did_not_fit_but_called_feasible"])])
    gib = 1 << 30
    for row in result["memory_rows"]:
        if row["did_not_fit"]:
            low, high = row["interval_bytes"]
            rows.append([row["id"], row["strategy"], f"{row['predicted_bytes'] / gib:.0f}", f"{low / gib:.0f} to {high / gib:.0f}",
                         "yes" if row["feasible_at_95_pct"] else "no"])
    return table(["source", "table", "peaks", "mean %", "median %", "max %", "bias %", "90 % interval, %", "covers %",
                  "did not fit", "but called feasible"], groups) + "\n" + table(
        ["did not fit", "strategy", "predicted GiB", "90 %", "feasible at 95 %"], rows)


def ablation_table(portolan, truth, shipped):
    tables, rows = [], []
    for term, what in [("", "as shipped")] + [(term["name"], term["what"]) for term in shipped["terms"]]:
        result = run(portolan, "validate", "--truth", truth, "--json", "--without", term) if term else shipped
        means = {group["prefix"]: group["mape_pct"] for group in result["groups"] if group["mape_pct"] is not None}
        tables = tables or list(means)
        rows.append([f"{term}: {what}" if term else what] + [number(means.get(name)) for name in tables])
    return table(["without", *tables], rows)


def draw(result, published, file):
    families = {}
    for row in result["rows"]:
        if counts(row):
            families.setdefault(published[row["id"]]["source_family"], []).append((row["measured_s"], row["predicted_s"]))
    columns = 4
    figure, axes = plt.subplots(math.ceil(len(families) / columns), columns, figsize=(11, 2.9 * math.ceil(len(families) / columns)))
    for axis in axes.flat[len(families):]:
        axis.set_visible(False)
    for axis, (family, points) in zip(axes.flat, families.items()):
        measured = [point[0] for point in points]
        errors = [100 * (point[1] / point[0] - 1) for point in points]
        axis.axhspan(-10, 10, color="0.93", linewidth=0)
        axis.axhline(0, color="0.6", linewidth=0.8)
        axis.scatter(measured, errors, s=9, alpha=0.5, linewidths=0)
        if max(measured) > 4 * min(measured):
            axis.set_xscale("log")
        else:
            middle = statistics.mean(measured)
            axis.set_xlim(0.5 * middle, 1.5 * middle)
        axis.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
        axis.set_ylim(-50, 50)
        axis.set_title(f"{family} ({len(points)})", fontsize=9)
        axis.tick_params(labelsize=7)
    figure.supxlabel("measured step, s", fontsize=9)
    figure.supylabel("predicted against measured, % (band: 10 %)", fontsize=9)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    portolan, truth, folder = sys.argv[1:4]
    peaks = ["--memory", sys.argv[4]] if len(sys.argv) == 5 else []
    with open(truth, newline="") as file:
        published = {row["id"]: row for row in csv.DictReader(file)}
    os.makedirs(folder, exist_ok=True)
    result = run(portolan, "validate", "--truth", truth, *peaks, "--json")
    memory = f"## Peaks of memory\n\n{memory_tables(result)}\n" if peaks else ""
    scratch = os.path.join(folder, "fit.yaml")
    fits = []
    for option, column, names in FITS:
        fit = run(portolan, "calibrate", "--json", "--from", "step-csv", truth, option, ",".join(names), "--out", scratch)
        os.remove(scratch)
        fits.append((fit, lambda step, column=column, names=names: step[column] in names))
    draw(result, published, os.path.join(folder, "predicted.svg"))
    text = f"""# Published steps, predicted

`./dev results validation TABLE [MEMORY]` remakes this folder from tables of published steps and of peaks of memory (docs/published-steps.md). No constant is of a row, a model or a source; constants and where they come from: docs/calibrate.md,
docs/decisions. Errors are |predicted - measured| / measured. Intervals: docs/published-steps.md; those *as a new source* know nothing of the source's own errors.

![predicted against measured](predicted.svg)

## Errors and intervals by source

{groups_table(result)}
*noise*: how far repeats of one configuration are from their mean; no predictor can be below it.

## Each source left out of every fit

Two constants are fitted to steps (docs/decisions/0018 and 0025): those are predicted from the other sources. All others are in no fit. Rows that a table marks with another `use` than "calibrate" are left out here: they are unverified or partial (llm.c, a step each of NeMo and others).

{left_out(result, fits, published)}
## Ranking

Jobs with at least 8 configurations of one model, batch and cluster; medians over the jobs of a table.

{ranking_table(result)}
{memory}## What the source leaves open, and what the software does not know

A microbatch, an interleaving or a share of layers that is not published gives the range over what is legal. A step that did what its software profile cannot do has the
prediction as a lower bound.

{ranges_table(result, published)}
## What each part of the physics is worth

Mean error, %, without it.

{ablation_table(portolan, truth, result)}"""
    with open(os.path.join(folder, "README.md"), "w") as file:
        file.write(text)


main()
