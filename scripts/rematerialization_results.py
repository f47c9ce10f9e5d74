#!/usr/bin/python3
"""Remakes results/rematerialization: usage: scripts/rematerialization_results.py PORTOLAN FOLDER

Step time and what each stage recomputes against the memory of a device: GPT-3 175B on 512 A100s, tensor parallelism of 8 and 8 stages,
by the closed form. Every figure comes from `portolan simulate --json` on a hardware file that differs from the shipped one in memory alone.
"""
import csv
import json
import os
import re
import subprocess
import sys
import tempfile

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

matplotlib.rcParams["svg.hashsalt"] = "portolan"  # the same figure from the same rows

SCENARIO = "gpt3-175b-512xa100"
STRATEGY = "tp=8,pp=8,dp=8,microbatch=4,schedule=1f1b,sequence_parallel=true,zero=1,axis_order=tensor-pipeline-data"
GIBI = 1 << 30
LAYERS = 12  # of a stage
CHOICES = ["none", "selective", "full"] + [f"block:{n}" for n in range(1, LAYERS)] + \
    [f"uniform:{n}" for n in (2, 3, 4, 6, 12)]
BUDGETS = range(20, 161, 2)  # GiB
SHOWN = (40, 60, 80)


def simulate(portolan, scenario, recompute):
    """The estimate, or nothing where it does not fit."""
    done = subprocess.run([portolan, "simulate", scenario, "--strategy", f"{STRATEGY},recompute={recompute}", "--fidelity", "closed-form",
                           "--json"], capture_output=True, text=True)
    if done.returncode == 1:
        return None
    if done.returncode != 0:
        sys.exit(f"{portolan}: {done.stderr.strip()}")
    return json.loads(done.stdout)["estimate"]


def with_memory(folder, gib):
    """A scenario like the shipped one, on devices of so much memory."""
    shipped = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scenarios", f"{SCENARIO}.yaml")
    text = open(shipped, encoding="utf-8").read()
    path = os.path.join(folder, f"memory-{gib}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"{text.rstrip()}\nhardware_overrides:\n  device:\n    memory: {gib} GiB\n")
    return path


def layers_of(name, num_layers):
    """Sets of all layers: "full*2:none" is full, full, none."""
    block = re.fullmatch(r"block:(\d+)", name)
    if block:
        n = int(block.group(1))
        return [("full" if i % LAYERS < n else "none") for i in range(num_layers)]
    runs = [run.partition("*") for run in name.rstrip(":").split(":")]
    if len(runs) == 1 and not runs[0][1]:
        return [name] * num_layers
    return [name for name, _, count in runs for _ in range(int(count or 1))]


def words(sets):
    """Runs of equal sets: "full x 3, none x 9"."""
    runs = []
    for name in sets:
        if runs and runs[-1][0] == name:
            runs[-1][1] += 1
        else:
            runs.append([name, 1])
    return ", ".join(f"{name} x {count}" for name, count in runs)


def main():
    portolan, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    rows, shown = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for gib in BUDGETS:
            scenario = with_memory(scratch, gib)
            optimal = simulate(portolan, scenario, "optimal")
            best = None
            for choice in CHOICES:
                estimate = simulate(portolan, scenario, choice)
                if estimate and (best is None or estimate["step_time_s"] < best[1]["step_time_s"]):
                    best = (choice, estimate)
            if optimal is None:
                assert best is None, f"{gib} GiB: {best[0]} fits and optimal does not"
                continue
            assert best is None or optimal["step_time_s"] <= best[1]["step_time_s"] * (1 + 1e-9), gib
            sets = layers_of(optimal["strategy"]["recompute"], 8 * LAYERS)
            for stage in range(8):
                own = sets[stage * LAYERS:(stage + 1) * LAYERS]
                rows.append([gib, f"{optimal['step_time_s']:.4f}", best[0] if best else "", f"{best[1]['step_time_s']:.4f}" if best else "",
                             stage, optimal["stage_memory"][stage]["reserved_bytes"],
                             sum(1 for name in own if name != "none"), sum(1 for name in own if name == "full"), words(own)])
            if gib in SHOWN:
                shown += [[str(gib), str(stage), words(sets[stage * LAYERS:(stage + 1) * LAYERS])] for stage in range(8)]

    with open(os.path.join(folder, "budgets.csv"), "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["memory_gib", "optimal_step_time_s", "best_other", "best_other_step_time_s", "stage", "reserved_bytes",
                         "layers_recomputing", "layers_full", "recompute"])
        writer.writerows(rows)
    draw(rows, os.path.join(folder, "budgets.svg"))
    write_page(rows, shown, os.path.join(folder, "README.md"))


def draw(rows, path):
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(7.5, 7), height_ratios=[3, 2])
    firsts = [row for row in rows if row[4] == 0]
    others = [row for row in firsts if row[3]]
    above.step([row[0] for row in others], [float(row[3]) for row in others], where="post", color="tab:gray",
               label="best of none, selective, full, block:N, uniform:N")
    above.step([row[0] for row in firsts], [float(row[1]) for row in firsts], where="post", color="tab:blue", label="optimal")
    last = None
    for row in others:
        kind = row[2].partition(":")[0]
        if kind != last:
            above.annotate(kind, (row[0], float(row[3])), textcoords="offset points", xytext=(4, 5), fontsize=8, color="tab:gray")
            last = kind
    above.margins(y=0.08)
    above.set_ylabel("step time, s")
    above.legend(fontsize=9)
    above.set_title("GPT-3 175B, 512 A100s, tp8 pp8 dp8, microbatch 4, 1F1B: closed form", fontsize=10)
    budgets = sorted({row[0] for row in rows})
    counts = [[next(row[6] for row in rows if row[0] == gib and row[4] == stage) for gib in budgets] for stage in range(8)]
    step = budgets[1] - budgets[0]
    image = below.imshow(counts, aspect="auto", origin="lower", cmap="Blues", vmin=0, vmax=LAYERS, interpolation="nearest",
                         extent=(budgets[0] - step / 2, budgets[-1] + step / 2, -0.5, 7.5))
    figure.colorbar(image, ax=[above, below], label=f"layers that recompute something, of {LAYERS}", fraction=0.04)
    below.set_ylabel("stage")
    below.set_yticks(range(8))
    below.set_xlabel("memory of a device, GiB")
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def write_page(rows, shown, path):
    firsts = [row for row in rows if row[4] == 0]
    gains = [(1 - float(row[1]) / float(row[3])) * 100 for row in firsts if row[3]]
    at = max(range(len(gains)), key=gains.__getitem__)
    compared = [row for row in firsts if row[3]]
    lines = [
        "# Recomputation against memory",
        "",
        "What `recompute=optimal` makes of GPT-3 175B on 512 A100s (`tp=8,pp=8,dp=8,microbatch=4`, 1F1B, sequence parallelism, ZeRO 1) as the memory",
        f"of a device goes from {BUDGETS[0]} to {firsts[-1][0]} GiB, by the closed form, beside the best of `none`, `selective`, `full`, every `block:N`",
        "and `uniform:2`, `3`, `4`, `6`, `12` that fits. At no budget is it slower; it is faster by "
        f"{sum(gains) / len(gains):.1f} % on average and by {gains[at]:.1f} % at",
        f"{compared[at][0]} GiB, where `{compared[at][2]}` is the best of the others. Below {firsts[0][0]} GiB nothing fits at all. Remade by",
        "`./dev results rematerialization`; all rows, stage by stage: [budgets.csv](budgets.csv).",
        "",
        "![step time and layers that recompute, against memory](budgets.svg)",
        "",
        "The first stage holds eight microbatches, the last one: what is scarce differs from stage to stage, and so do the sets.",
        "",
        "| memory, GiB | stage | its 12 layers recompute |",
        "|---|---|---|",
    ] + ["| " + " | ".join(row) + " |" for row in shown]
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")


main()
