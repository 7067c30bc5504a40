"""Learned weights by every method, with the step size that `bilevel clean` measures and with 0.5: the table of all methods.

    python methods.py MNIST RESULTS.jsonl [--bilevel PATH]
    python methods.py --table RESULTS.jsonl

MNIST holds train10k-* and t10k-* in IDX format. 5 000 rows of which 80 % have a wrong label, 5 000 trusted rows, softmax, seed
0, early stopping off. Each line of RESULTS.jsonl is one run; runs that are there are not done again.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

DECAY = ["--weight-decay", "0.01"]
MANY = ["--outer-steps", "60", "--outer-optimizer", "adam:0.05", "--steps", "100"]


def single(steps, optimizer, inner=1):
    """`inner` None: a method that has no inner steps."""
    settings = ["--outer-steps", str(steps), "--outer-optimizer", optimizer]
    return settings if inner is None else [*settings, "--steps", str(inner)]


# Name in the table, method, and its settings.
CASES = [(name, name, MANY) for name in ["basic", "improved", "bigsam", "bda"]]
CASES += [
    ("reversible", "reversible", MANY),
    ("iaptt", "iaptt", MANY),
    ("truncated:20", "truncated:20", MANY),
    ("ufo, q = 0.1", "ufo", [*MANY, "--probability", "0.1", "--adjoint", "reverse"]),
]
CASES += [
    (f"{name}, D", name, MANY + DECAY)
    for name in ["implicit:cg", "implicit:neumann", "implicit:fixed-point", "hoag", "stocbio"]
]
CASES += [(f"{name}, 1 000", name, single(1000, "adam:0.01")) for name in ["one-stage", "t1t2"]]
CASES += [("soba, 1 000, D", "soba", single(1000, "adam:0.01", None) + DECAY)]
CASES += [("bamm, 1 000", "bamm", single(1000, "adam:0.01", None))]
CASES += [("bome, 1 000", "bome", single(1000, "adam:0.01", 10)), ("pbgd, 1 000", "pbgd", single(1000, "adam:0.01"))]
CASES += [("meha, 1 000", "meha", single(1000, "adam:0.01", None))]
CASES += [(f"{name}, 300", name, single(300, "adam:0.02", 10)) for name in ["f2sa", "bvfsm"]]

# Momentum makes steps longer.
FIXED = {"reversible": "0.05"}


def run(method, settings, step, arguments):
    data = pathlib.Path(arguments.mnist).resolve()
    with tempfile.TemporaryDirectory() as folder:
        words = [arguments.bilevel, "clean", data / "train10k-images-idx3-ubyte.gz"]
        words += ["--labels", data / "train10k-labels-idx1-ubyte.gz", "--train-rows", "5000", "--trusted-rows", "5000"]
        words += ["--test-images", data / "t10k-images-idx3-ubyte.gz", "--test-labels", data / "t10k-labels-idx1-ubyte.gz"]
        words += ["--corrupt", "0.8", "--method", method, "--early-stopping", "off", "--step-size", step, *settings]
        words += ["--out", "out", "--json", "--quiet", "--seed", "0"]
        ran = subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True)
    if not ran.stdout:
        return {"error": ran.stderr.strip()[-300:]}
    result = json.loads(ran.stdout)
    names = ["step_size", "f1", "auc", "test_accuracy", "retrained_accuracy", "seconds"]
    return {name: result.get(name) for name in names}


def table(lines):
    by = {(line["name"], line["step"]): line for line in lines}
    print("| method | measured step | F1 | AUC | accuracy | retrained | F1 with 0.5 | AUC | accuracy | retrained |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, _, _ in CASES:
        cells = []
        for step in ("auto", "0.5"):
            found = by.get((name, step), {})
            if step == "auto":
                cells.append(f"{found['step_size']:.3g}" if found.get("step_size") else "")
            if "error" in found:
                cells += [f"ends: {found['error'].splitlines()[-1]}", "", "", ""]
                continue
            figures = [found.get(key) for key in ("f1", "auc", "test_accuracy", "retrained_accuracy")]
            cells += ["" if figure is None else f"{figure:.3f}" for figure in figures]
        print(f"| `{name.split(',')[0]}`{name[len(name.split(',')[0]):]} |", " | ".join(cells), "|")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mnist")
    parser.add_argument("results", nargs="?")
    parser.add_argument("--bilevel", default="bilevel")
    parser.add_argument("--table", action="store_true", help="MNIST is the file of results")
    arguments = parser.parse_args()
    if arguments.table:
        return table([json.loads(line) for line in open(arguments.mnist)])
    arguments.bilevel = str(pathlib.Path(arguments.bilevel).resolve())
    results = pathlib.Path(arguments.results)
    known = [json.loads(line) for line in results.open()] if results.exists() else []
    known = {(line["name"], line["step"]) for line in known}
    for step in ("auto", "0.5"):
        for name, method, settings in CASES:
            if (name, step) not in known:
                size = step if step == "auto" else FIXED.get(name, step)
                found = {"name": name, "step": step, **run(method, settings, size, arguments)}
                with results.open("a") as to:
                    to.write(json.dumps(found) + "\n")
                print(found, flush=True)


if __name__ == "__main__":
    main()
