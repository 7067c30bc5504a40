"""The step size that `bilevel clean` measures, with the curvature, on twelve data sets; 20 % of the labels are made wrong.

    python step_sizes.py DATA RESULTS.jsonl [--bilevel PATH]
    python step_sizes.py --table RESULTS.jsonl

DATA as for detection.py, which reads it. Learned weights (`improved`) with the measured step and with 0.5, what the papers'
code has: F1 of the kept rows, or that the run ended as training went up.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np

from detection import load

# Set and model.
CASES = [(name, "softmax") for name in ["mnist", "fashion", "cifar", "digits", "a9a", "housing", "imbalanced"]]
CASES += [(name, "softmax") for name in ["cancer", "wine", "iris", "diabetes", "wide"]]
CASES += [("mnist", "mlp:100"), ("a9a", "mlp:100")]


def rows(name, data):
    if name == "diabetes":
        import pandas as pd

        folder = pathlib.Path(data) / "tabular"
        x = np.loadtxt(folder / "diabetes_data_raw.csv.gz")
        y = np.loadtxt(folder / "diabetes_target.csv.gz")
        return x.astype("f4"), pd.qcut(y, 3, labels=False), "standard"
    if name == "wide":
        # More columns than rows, of very different sizes.
        r = np.random.default_rng(9)
        y = r.integers(0, 3, 800)
        x = r.standard_normal((800, 1500)) * np.exp(2 * r.standard_normal(1500))
        x[:, :30] += 3 * np.eye(3)[y].repeat(10, 1)
        return x.astype("f4"), y, "none"
    return load(name, data)


def case(name, model, arguments):
    x, y, scale = rows(name, arguments.data)
    order = np.random.default_rng(1).permutation(len(y))
    trusted = min(300, len(y) // 4)
    order = order[: 2000 + trusted]
    found = {"set": name, "model": model, "rows": len(order) - trusted, "trusted": trusted, "columns": x.shape[1]}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        np.save(folder / "x.npy", x[order])
        np.save(folder / "y.npy", y[order].astype("i8"))
        for step in ("auto", "0.5"):
            words = [arguments.bilevel, "clean", "x.npy", "--labels", "y.npy", "--scale", scale, "--model", model]
            words += ["--trusted-rows", str(trusted), "--corrupt", "0.2", "--method", "improved", "--step-size", step]
            words += ["--out", step, "--json", "--quiet", "--seed", "1"]
            ran = subprocess.run(words, cwd=folder, capture_output=True, text=True)
            if ran.stdout:
                result = json.loads(ran.stdout)
                found[step] = {key: result[key] for key in ("step_size", "f1", "auc")}
                found["agreement"] = result["baselines"]["agreement"]["f1"]
            else:
                found[step] = {"error": ran.stderr.strip()[-300:]}
    return found


def table(lines):
    print("| set | model | rows × columns | curvature | step size | F1 | F1 with 0.5 | F1 of `agreement` |")
    print("|---|---|---|---|---|---|---|---|")
    for line in lines:
        own, half = line["auto"], line["0.5"]
        step = own.get("step_size")
        f1 = [f"{row['f1']:.3f}" if "f1" in row else "ends: training went up" for row in (own, half)]
        measured = [f"{0.5 / step:.3g}", f"{step:.3g}"] if step else ["", ""]
        size = f"{line['rows']} × {line['columns']}"
        print("|", " | ".join([line["set"], line["model"], size, *measured, *f1, f"{line['agreement']:.3f}"]), "|")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("results", nargs="?")
    parser.add_argument("--bilevel", default="bilevel")
    parser.add_argument("--table", action="store_true", help="DATA is the file of results")
    arguments = parser.parse_args()
    if arguments.table:
        return table([json.loads(line) for line in open(arguments.data)])
    arguments.bilevel = str(pathlib.Path(arguments.bilevel).resolve())
    results = pathlib.Path(arguments.results)
    lines = [json.loads(line) for line in results.open()] if results.exists() else []
    done = {(line["set"], line["model"]) for line in lines}
    for name, model in CASES:
        if (name, model) not in done:
            found = case(name, model, arguments)
            with results.open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
