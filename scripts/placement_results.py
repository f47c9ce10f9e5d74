#!/usr/bin/python3
"""Remakes results/placement: usage: scripts/placement_results.py PORTOLAN FOLDER

What it is worth to plan for the fabric and for the nodes that a job has. Every figure comes from `portolan plan --json` and `portolan
simulate --json` on scenarios that differ in `hardware_overrides` and `job_nodes` alone.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

matplotlib.rcParams["svg.hashsalt"] = "portolan"  # the same figure from the same rows

MODELS = {
    "GPT-3 175B": "model: gpt3-175b\nsequence_length: 2048\nglobal_batch: 1536\n",
    "LLaMA-2 70B": "model: llama2-70b\nsequence_length: 4096\nglobal_batch: 512\n",
}
COMMON = "hardware: a100-oversubscribed-4to1\nsoftware: megatron-2022\nnum_gpus: 512\n"
NON_BLOCKING = "hardware_overrides: {spines: {value: 32, source: as many links above a leaf as below}}\n"
# 5, 21, 30 and 8 nodes of four pods of 32: what a busy cluster has left.
PODS = [range(27, 32), range(43, 64), range(64, 94), range(96, 104)]
# Words of --strategy: all that a plan fixes.
WORDS = ("tp", "pp", "dp", "cp", "ep", "virtual_stages", "sequence_parallel", "microbatch", "schedule", "zero", "zero_group", "recompute",
         "aggregation", "bucket", "overlap", "compression", "axis_order", "precision", "offload")


def in_turn(pods):
    """Nodes of all pods in turn, as handed out by how long they were idle."""
    left = [list(pod) for pod in pods]
    nodes = []
    while any(left):
        nodes += [pod.pop(0) for pod in left if pod]
    return nodes


UNEVEN = "job_nodes: " + ",".join(f"{pod[0]}-{pod[-1]}" for pod in PODS) + "\n"
SCATTERED = "job_nodes: " + ",".join(map(str, in_turn(PODS))) + "\n"


# One spare node beyond the one that is slow; two trunks of the first pod and a spine that others use.
DEGRADED = ("job_nodes: 0-65\n"
            "strategy: {tp: 8, pp: 8, dp: 8, microbatch: 4, schedule: 1f1b, zero: 1}\n"
            "hardware_overrides:\n  condition:\n" + "".join(f"    - slow-gpu node5.gpu{gpu} 70%\n" for gpu in range(8)) +
            "    - slow-link pod0.leaf0<->spine3 25%\n    - slow-link pod0.leaf4<->spine1 25%\n"
            "    - congested-spine spine6 50%\n")


class Portolan:
    def __init__(self, program, scratch):
        self.program, self.scratch, self.num_files = program, scratch, 0

    def ask(self, verb, scenario, *options):
        self.num_files += 1
        path = os.path.join(self.scratch, f"scenario-{self.num_files}.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(scenario)
        return self.ask_file(verb, path, *options)

    def ask_file(self, verb, path, *options):
        done = subprocess.run([self.program, verb, path, *options, "--json"], capture_output=True, text=True)
        if done.returncode == 1:
            return None  # does not fit
        if done.returncode != 0:
            sys.exit(f"{self.program}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def plan(self, scenario):
        """The strategy that a search finds, the plan's file, and what placing its nodes gained, where they lie irregularly."""
        path = os.path.join(self.scratch, f"plan-{self.num_files}.json")
        plan = self.ask("plan", scenario, "--top", "1", "--out", path)
        return plan["best"]["strategy"], path, plan["placement"]

    def step(self, scenario, strategy):
        """One rail of every replica: what differs between fabrics and nodes is the same on all rails."""
        answer = self.ask("simulate", scenario, "--strategy", words(strategy), "--fidelity", "replicas")
        return answer and answer["estimate"]

    def step_of_plan(self, path):
        return self.ask_file("simulate", path, "--fidelity", "replicas")["estimate"]


def words(strategy):
    def text(word):
        value = strategy[word]
        if isinstance(value, list):
            return "-".join(map(str, value))
        return f"{value} B" if word == "bucket" else str(value).lower() if isinstance(value, bool) else str(value)
    layers = strategy["layers"]
    return ",".join([f"{word}={text(word)}" for word in WORDS] + ([f"layers={':'.join(map(str, layers))}"] if layers else []))


def fabric_rows(portolan, model, text):
    """Each of two plans on both fabrics."""
    fabrics = {"non-blocking": text + COMMON + NON_BLOCKING, "4:1": text + COMMON}
    plans = {name: portolan.plan(scenario)[0] for name, scenario in fabrics.items()}
    rows = []
    for fabric, scenario in fabrics.items():
        own = portolan.step(scenario, plans[fabric])
        for tuned_for, strategy in plans.items():
            estimate = portolan.step(scenario, strategy)
            rows.append(row(model, f"fabric {fabric}", f"tuned for {tuned_for}", strategy, estimate, own))
    return rows


def row(model, place, plan, strategy, estimate, reference):
    low, high = (estimate["step_time_interval_s"] if estimate else (None, None))
    its_low, its_high = (reference["step_time_interval_s"] if reference else (None, None))
    return {"model": model, "where": place, "plan": plan, "strategy": name_of(strategy),
            "step_time_s": estimate and round(estimate["step_time_s"], 4), "low_s": low and round(low, 2), "high_s": high and round(high, 2),
            "against_pct": estimate and reference and round(100 * (estimate["step_time_s"] / reference["step_time_s"] - 1), 2),
            "tie": low <= its_high and its_low <= high if estimate and reference else None,
            "busiest_link_s": None, "node_order": strategy.get("node_order") or ""}


def name_of(s):
    order = "" if s["axis_order"][-1] == "pipeline" else " " + "-".join(s["axis_order"])
    return f"tp{s['tp']} pp{s['pp']} dp{s['dp']} mb{s['microbatch']} {s['schedule']}{order}"


def node_rows(portolan, model, text):
    """Jobs on uneven nodes: the plan of the regular cluster, the one tuned for these nodes in the job's own order, and mapped."""
    regular = portolan.plan(text + COMMON)[0]
    rows = []
    for place, nodes in (("uneven nodes", UNEVEN), ("scattered nodes", SCATTERED)):
        scenario = text + COMMON + nodes
        strategy, plan, placement = portolan.plan(scenario)
        default = portolan.step(scenario, strategy)
        mapped = row(model, place, "tuned for these nodes, mapped", strategy, portolan.step_of_plan(plan), default)
        mapped["busiest_link_s"] = round(placement["busiest_link_s"], 3)
        unmapped = row(model, place, "tuned for these nodes, job's order", dict(strategy, node_order=None), default, default)
        unmapped["busiest_link_s"] = round(placement["default_busiest_link_s"], 3)
        rows += [unmapped, mapped,
                 row(model, place, "tuned for nodes 0-63, job's order", regular,
                     portolan.step(scenario, regular), default)]
    return rows


def degraded_rows(portolan, model, text):
    """66 nodes, one of them and some trunks slow: a plan of few, long microbatches, which can be simulated in full."""
    scenario = text + COMMON + DEGRADED
    strategy, plan, placement = portolan.plan(scenario)
    default = portolan.ask("simulate", scenario, "--strategy", words(strategy), "--fidelity", "full")["estimate"]
    placed = portolan.ask_file("simulate", plan, "--fidelity", "full")["estimate"]
    unmapped = row(model, "degraded cluster", "job's order", dict(strategy, node_order=None), default, default)
    unmapped["busiest_link_s"] = round(placement["default_busiest_link_s"], 3)
    mapped = row(model, "degraded cluster", "mapped", strategy, placed, default)
    mapped["busiest_link_s"] = round(placement["busiest_link_s"], 3)
    return [unmapped, mapped]


def table(rows):
    def shown(value):
        return "" if value is None else str(value)
    lines = ["| model | on | plan | strategy | step, s | 90 % of steps, s | against the reference | intervals overlap | busiest link, s |",
             "|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        interval = f"{r['low_s']} to {r['high_s']}" if r["low_s"] else "does not fit"
        against = "" if r["against_pct"] is None else f"{r['against_pct']:+.2f} %"
        lines.append("| " + " | ".join([r["model"], r["where"], r["plan"], r["strategy"], shown(r["step_time_s"]), interval, against, {True: "yes", False: "no", None: ""}[r["tie"]],
                                        shown(r["busiest_link_s"])]) + " |")
    return lines


def draw(rows, path):
    models = list(MODELS)
    figure, axes = plt.subplots(1, len(models), figsize=(10, 4.6))
    for axis, model in zip(axes, models):
        # What is gained on the degraded cluster would leave no room to tell the others apart: the table has it.
        own = [r for r in rows if r["model"] == model and r["step_time_s"] and not r["where"].startswith("degraded")]
        places = list(dict.fromkeys(r["where"] for r in own))
        bars = [(place, r) for place in places for r in own if r["where"] == place]
        heights = [r["against_pct"] for _, r in bars]
        y = list(range(len(bars)))[::-1]
        axis.barh(y, heights, color=["tab:gray" if h == 0 else "tab:blue" if h < 0 else "tab:red" for h in heights])
        for at, (_, r) in zip(y, bars):
            axis.annotate(f"{r['step_time_s']:.2f} s", (r["against_pct"], at), textcoords="offset points",
                          xytext=(3 if r["against_pct"] >= 0 else -3, 0), va="center",
                          ha="left" if r["against_pct"] >= 0 else "right", fontsize=7)
        axis.set_yticks(y, [f"{place}:\n{r['plan']}" for place, r in bars], fontsize=7)
        axis.axvline(0, color="black", linewidth=0.8)
        axis.margins(x=0.25)
        axis.set_xlabel("step time against the reference, %", fontsize=8)
        axis.tick_params(axis="x", labelsize=7)
        axis.set_title(f"{model}, 512 A100s", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def page(rows, path):
    def of(model, place, plan):
        return next(r for r in rows if r["model"] == model and r["where"] == place and r["plan"] == plan)
    lines = ["# Planned for one fabric or one set of nodes, run on another", "",
             "512 A100s of `a100-oversubscribed-4to1` (128 nodes in pods of 32, spines with a quarter of the cards' bandwidth), software `megatron-2022`.",
             "*Non-blocking*: the same with 32 spines. *Uneven nodes*: a job has 5, 21, 30 and 8 nodes of four pods (`27-31,43-63,64-93,96-103`), in",
             "ascending order; *scattered*: the same nodes, one of each pod in turn. Every step is simulated with all replicas, one rail of each",
             "(fidelity `replicas`). *Degraded*: 66 nodes, of which one computes at 70 %, two trunks of the first pod have a quarter of their bandwidth and a",
             "spine half; strategies fixed to tp8 pp8 dp8, microbatches of 4, simulated in full. The reference of a place is the plan tuned for it, in the job's order. Remade by `./dev results placement`; all",
             "rows: [gains.csv](gains.csv).", ""]
    for model in MODELS:
        foreign = of(model, "fabric 4:1", "tuned for non-blocking")
        lines.append(f"- **{model}.** Tuned for the non-blocking fabric and run on 4:1: " + (
            f"{foreign['against_pct']:+.2f} % against the plan tuned for 4:1." if foreign["step_time_s"] else "does not fit."))
        for place in ("uneven nodes", "scattered nodes"):
            mapped = of(model, place, "tuned for these nodes, mapped")
            default = of(model, place, "tuned for these nodes, job's order")
            lines.append(f"  On {place} the mapped order takes {mapped['against_pct']:+.2f} % against the job's own; the busiest links are busy "
                         f"{mapped['busiest_link_s']} s of a step instead of {default['busiest_link_s']}.")
        default, mapped = (of(model, "degraded cluster", plan) for plan in ("job's order", "mapped"))
        lines.append(f"  On the degraded cluster the mapped order, which leaves the slow node out, takes {mapped['against_pct']:+.2f} % against the job's own.")
    lines += ["", "**How to read it.** Each interval holds nine of ten measured steps, as predictions have erred elsewhere. Where it overlaps with the reference's,",
              "a measurement of one could fall beside the other's: in the absolute these are ties. Two rows of one place come from the same model of the same",
              "hardware, whose errors they share; what the model says of their difference is the percentage. No measurement has shown how well it does.",
              "On the degraded cluster the mapped order gains by leaving out the slow node, for which two are to spare, and by what it puts on slow trunks; the",
              "busiest link says how much there was of the latter.", "",
              "![step time of each plan against the reference of its place](gains.svg)", ""]
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines + table(rows)) + "\n")


def main():
    program, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        portolan = Portolan(os.path.abspath(program), scratch)
        for model, text in MODELS.items():
            rows += fabric_rows(portolan, model, text) + node_rows(portolan, model, text) + degraded_rows(portolan, model, text)
    with open(os.path.join(folder, "gains.csv"), "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, os.path.join(folder, "gains.svg"))
    page(rows, os.path.join(folder, "README.md"))


if __name__ == "__main__":
    main()
