"""Few-shot learning by other derivatives and other inner fields, at equal cost: tables and curves.

    python fewshot.py DATA RUNS [--bilevel PATH] [--seeds 3] [--way 5] [--shot 1] [--steps 600]
        [--family derivatives|fields]
    python fewshot.py --table RUNS [--plot FILE.svg]

DATA is an archive or folder of pictures such as omniglot28.tar.gz. Two families of runs:

* derivatives: exact MAML, first-order, UFO with q = 0.1, 0.2 and adaptive, with as many gradient calls as exact MAML makes in
  --steps outer steps. A product with second derivatives counts as two gradients: K + 2 K for exact MAML, K for first-order,
  K + 2 q K for UFO (adaptive: as q = 0.2; what it took is in the table).
* fields: hyper-representation with basic, improved (constant:0.5 and bigsam) and bda, --steps outer steps each.

Each run is a folder of RUNS. What has ended is not run again, what was stopped is resumed to the same bits. --plot needs
matplotlib.
"""
import argparse
import json
import pathlib
import subprocess

MAML = ["--steps", "3", "--step-size", "0.2", "--outer-optimizer", "adam:0.003"]
DERIVATIVES = {
    "maml": (["--algorithm", "maml"] + MAML, 1.0),
    "first-order": (["--algorithm", "first-order"] + MAML, 3.0),
    "ufo q=0.1": (["--algorithm", "ufo", "--probability", "0.1"] + MAML, 3 / 1.2),
    "ufo q=0.2": (["--algorithm", "ufo", "--probability", "0.2"] + MAML, 3 / 1.4),
    "ufo adaptive": (["--algorithm", "ufo", "--probability", "adaptive"] + MAML, 3 / 1.4),
}
FIELDS = {
    "basic": (["--method", "basic"], 1.0),
    "improved constant:0.5": (["--method", "improved", "--schedule", "constant:0.5"], 1.0),
    "improved bigsam": (["--method", "bigsam"], 1.0),
    "bda": (["--method", "bda"], 1.0),
}
VALIDATIONS = 12


def run(arguments, name, options, share, seed):
    folder = pathlib.Path(arguments.runs) / f"{name} {arguments.way}-way {arguments.shot}-shot seed {seed}".replace(" ", "_")
    if (folder / "result.json").exists():
        return
    if (folder / "checkpoint").exists():
        words = [arguments.bilevel, "resume", str(folder)]
    else:
        steps = round(arguments.steps * share)
        words = [arguments.bilevel, "fewshot", arguments.data, "--out", str(folder), "--seed", str(seed)]
        words += ["--way", str(arguments.way), "--shot", str(arguments.shot), "--outer-steps", str(steps)]
        words += ["--validate-every", str(max(1, steps // VALIDATIONS)), "--train-classes", "1200"]
        words += ["--validation-classes", "100", "--image-size", "28"] + options
    print(" ".join(words), flush=True)
    subprocess.run(words + ["--quiet"], check=True, stdout=subprocess.DEVNULL)


def gradients(calls):
    """In gradients: a product counts as two."""
    return calls["grad_y"] + 2 * calls["pulls"] + 2 * calls["pushes"]


def read(runs):
    found = {}
    for folder in sorted(pathlib.Path(runs).iterdir()):
        if not (folder / "result.json").exists():
            continue
        name, _, seed = folder.name.replace("_", " ").partition(" seed ")
        result = json.loads((folder / "result.json").read_text())
        history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        found.setdefault(name, []).append((int(seed), result, history))
    return found


def mean(values):
    values = list(values)
    middle = sum(values) / len(values)
    spread = (sum((value - middle) ** 2 for value in values) / max(1, len(values) - 1)) ** 0.5
    return middle, spread


def table(runs):
    print("| | seeds | outer steps | gradient calls | test accuracy, mean ± sd | seconds | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for name, found in read(runs).items():
        accuracy, spread = mean(result["test"]["accuracy"] for _, result, _ in found)
        calls, _ = mean(gradients(history[-1]["inner_calls"]) for _, _, history in found)
        steps, _ = mean(result["outer_steps"] for _, result, _ in found)
        seconds, _ = mean(result["seconds"] for _, result, _ in found)
        memory, _ = mean(result["peak_memory_mb"] or 0 for _, result, _ in found)
        print(f"| {name} | {len(found)} | {steps:.0f} | {calls:.0f} | {100 * accuracy:.2f} ± {100 * spread:.2f} % | {seconds:.0f} | {memory:.0f} |")


def plot(runs, target):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5), sharey=True)
    for name, found in read(runs).items():
        panel = axes[1] if any(name.startswith(field) for field in FIELDS) else axes[0]
        lines = [[(gradients(line["inner_calls"]), line["validation"]) for line in history if "validation" in line] for *_, history in found]
        least = min(map(len, lines))
        x = [lines[0][i][0] for i in range(least)]
        panel.plot(x, [mean(line[i][1] for line in lines)[0] for i in range(least)], label=name)
    for panel, title in zip(axes, ["derivatives", "inner fields"]):
        panel.set(xlabel="gradient calls of the inner objective", ylabel="accuracy on validation tasks", title=title)
        panel.legend()
    figure.tight_layout()
    figure.savefig(target)


parser = argparse.ArgumentParser()
parser.add_argument("data", nargs="?")
parser.add_argument("runs", nargs="?")
parser.add_argument("--table")
parser.add_argument("--plot")
parser.add_argument("--bilevel", default="bilevel")
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--way", type=int, default=5)
parser.add_argument("--shot", type=int, default=1)
parser.add_argument("--steps", type=int, default=600)
parser.add_argument("--family", choices=["derivatives", "fields"])
given = parser.parse_args()
if given.table:
    table(given.table)
    if given.plot:
        plot(given.table, given.plot)
elif given.data and given.runs:
    pathlib.Path(given.runs).mkdir(parents=True, exist_ok=True)
    families = {"derivatives": DERIVATIVES, "fields": FIELDS, None: DERIVATIVES | FIELDS}
    for seed in range(given.seeds):
        for name, (options, share) in families[given.family].items():
            run(given, name, options, share, seed)
else:
    parser.error("expected DATA and RUNS, or --table RUNS")
