#!/usr/bin/env python3
"""Draws src/curves.svg: time and memory of one hypergradient against the inner steps K, for every method.

    book/curves.py DATA [BILEVEL]

DATA is a folder as `bilevel bench cleaning` reads it, BILEVEL the binary (target/release/bilevel). Each point is a
process of its own, so that its peak of memory is its own; the figures are kept in src/curves.csv. Needs matplotlib.
"""

import csv
import json
import pathlib
import subprocess
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

HERE = pathlib.Path(__file__).parent
STEPS = [10, 30, 100, 300, 1000]
# Label, options; where repeating the forward steps would take minutes, up to how many steps.
METHODS = [
    ("basic, reverse", ["--method", "basic"], 1000),
    ("basic, reverse:tape", ["--method", "basic", "--adjoint", "reverse:tape"], 300),
    ("basic, checkpointed:10", ["--method", "basic", "--adjoint", "checkpointed:10"], 1000),
    ("basic, checkpointed:1", ["--method", "basic", "--adjoint", "checkpointed:1"], 100),
    ("improved", ["--method", "improved"], 1000),
    ("bigsam", ["--method", "bigsam"], 1000),
    ("bda", ["--method", "bda"], 1000),
    ("truncated:10", ["--method", "truncated:10"], 1000),
    ("ufo, q = 1/K", ["--method", "ufo"], 300),
    ("implicit:cg", ["--method", "implicit:cg"], 1000),
    ("implicit:neumann", ["--method", "implicit:neumann"], 1000),
    ("implicit:fixed-point", ["--method", "implicit:fixed-point"], 1000),
    ("stocbio", ["--method", "stocbio"], 1000),
    ("hoag, at most K", ["--method", "hoag"], 1000),
    ("reversible", ["--method", "reversible"], 1000),
    ("one-stage", ["--method", "one-stage"], 1000),
    ("t1t2", ["--method", "t1t2"], 1000),
    ("bome", ["--method", "bome"], 1000),
    ("f2sa", ["--method", "f2sa"], 1000),
    ("pbgd", ["--method", "pbgd"], 1000),
    ("bvfsm", ["--method", "bvfsm"], 1000),
    ("iaptt", ["--method", "iaptt"], 1000),
]
# One step of everything at a time: no K.
SINGLE_LOOPS = ["soba", "bamm", "meha"]


def measure(bilevel, data, options, steps):
    if "ufo" in options:
        # The mean over many coins.
        options = [*options, "--probability", str(1 / steps), "--repeat", str(4 * steps)]
    else:
        options = [*options, "--repeat", "3"]
    if steps:
        options = [*options, "--steps", str(steps)]
    command = [bilevel, "bench", "cleaning", "--data", data, "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"left out: {' '.join(command)}: {done.stderr.strip()}", file=sys.stderr)
        return None
    result = json.loads(done.stdout)
    return result["mean_ms" if "ufo" in options else "median_ms"], result["peak_rss_mb"]


def main(data, bilevel="target/release/bilevel"):
    rows = []
    for label, options, most in METHODS:
        for steps in STEPS:
            if steps <= most and (found := measure(bilevel, data, options, steps)):
                rows.append((label, steps, *found))
                print(*rows[-1], sep=", ", flush=True)
    for name in SINGLE_LOOPS:
        if found := measure(bilevel, data, ["--method", name], None):
            rows.extend((name, steps, *found) for steps in (STEPS[0], STEPS[-1]))
            print(*rows[-1], sep=", ", flush=True)
    with open(HERE / "src/curves.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "steps", "milliseconds", "peak_mb"])
        writer.writerows((label, steps, f"{time:.2f}", f"{memory:.1f}") for label, steps, time, memory in rows)

    figure, panels = plt.subplots(1, 2, figsize=(12, 6))
    styles = ["-", "--", ":", "-."]
    for place, label in enumerate([label for label, _, _ in METHODS] + SINGLE_LOOPS):
        points = [row[1:] for row in rows if row[0] == label]
        for panel, column in zip(panels, (1, 2)):
            panel.plot(
                [point[0] for point in points],
                [point[column] for point in points],
                styles[place // 10],
                color=f"C{place % 10}",
                marker=".",
                label=label,
            )
    for panel, title in zip(panels, ("milliseconds for one hypergradient", "peak memory of the process, MB")):
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel("inner steps K")
        panel.set_title(title)
        panel.grid(alpha=0.3)
    panels[1].legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    plt.rcParams["svg.hashsalt"] = "bilevel"
    figure.savefig(HERE / "src/curves.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
