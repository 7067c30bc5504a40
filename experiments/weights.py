"""What learned weights are worth beside the detectors: one table, F1 / AUC / accuracy of a model trained on the kept rows.

    python weights.py DATA RESULTS.jsonl [--bilevel PATH] [--seeds 5]
    python weights.py --table RESULTS.jsonl

DATA holds mnist/ and fashion-mnist/ as IDX files. 3 000 rows, some trusted ones, labels replaced by any other; softmax
regression; the first 2 000 test images. Each line of RESULTS.jsonl is one run; runs that are there are not made again.
"""
import argparse
import gzip
import json
import pathlib
import struct
import subprocess
import tempfile

CASES = [("mnist", 100, 0.2), ("mnist", 100, 0.5), ("mnist", 500, 0.2), ("mnist", 500, 0.5)]
CASES += [("fashion-mnist", 100, 0.2), ("fashion-mnist", 500, 0.2)]
# Learned weights, with the step size that is measured.
WEIGHTS = ["improved", "basic"]
TEST = 2000


def first(source, target, rows):
    raw = gzip.open(source).read()
    start = 4 + 4 * raw[3]
    shape = struct.unpack(">" + "I" * raw[3], raw[4:start])
    size = 1
    for length in shape[1:]:
        size *= length
    head = raw[:4] + struct.pack(">" + "I" * raw[3], rows, *shape[1:])
    target.write_bytes(head + raw[start : start + rows * size])


def run(arguments, name, trusted, rate, seed, weights):
    data = pathlib.Path(arguments.data).resolve() / name
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for part in ("images-idx3", "labels-idx1"):
            first(data / f"t10k-{part}-ubyte.gz", folder / part, TEST)
        words = [arguments.bilevel, "clean", str(data / "train10k-images-idx3-ubyte.gz")]
        words += ["--labels", str(data / "train10k-labels-idx1-ubyte.gz"), "--test", "images-idx3"]
        words += ["--test-labels", "labels-idx1", "--train-rows", "3000", "--trusted-rows", str(trusted)]
        words += ["--corrupt", str(rate), "--seed", str(seed), "--json", "--quiet", "--out", "out"]
        words += ["--method"] + weights.split()
        ran = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if not ran.stdout:
        return {"error": ran.stderr.strip()[-300:]}
    return json.loads(ran.stdout)


def table(lines):
    order = []
    cells = {}
    for line in lines:
        case = (line["data"], line["trusted"], line["rate"], line["seed"])
        result = line["result"]
        rows = {line["weights"]: result}
        if line["weights"] == WEIGHTS[0]:
            rows |= result.get("baselines", {})
        for name, row in rows.items():
            if name not in order:
                order.append(name)
            figures = [row.get(figure) for figure in ("f1", "auc", "retrained_accuracy")]
            text = "/".join("" if value is None else f"{value:.3f}".lstrip("0") for value in figures)
            cells[case, name] = "diverges" if "error" in row else text
    cases = sorted({case for case, _ in cells}, key=lambda case: (case[0] != "mnist", case[1:]))
    print("| | " + " | ".join(f"{data} {trusted}, {rate}" for data, trusted, rate, _ in cases) + " |")
    print("|---" * (len(cases) + 1) + "|")
    for name in order:
        print(f"| {name} | " + " | ".join(cells.get((case, name), "") for case in cases) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("results", nargs="?")
    parser.add_argument("--bilevel", default="bilevel")
    parser.add_argument("--seeds", default="5")
    parser.add_argument("--table", action="store_true", help="DATA is the file of results")
    arguments = parser.parse_args()
    if arguments.table:
        return table([json.loads(line) for line in open(arguments.data)])
    results = pathlib.Path(arguments.results)
    lines = [json.loads(line) for line in results.open()] if results.exists() else []
    done = {(line["data"], line["trusted"], line["rate"], line["seed"], line["weights"]) for line in lines}
    for seed in map(int, arguments.seeds.split(",")):
        for name, trusted, rate in CASES:
            for weights in WEIGHTS:
                if (name, trusted, rate, seed, weights) in done:
                    continue
                result = run(arguments, name, trusted, rate, seed, weights)
                line = {"data": name, "trusted": trusted, "rate": rate, "seed": seed, "weights": weights}
                with results.open("a") as file:
                    file.write(json.dumps(line | {"result": result}) + "\n")
                print(*line.values(), result.get("error", ""), flush=True)


if __name__ == "__main__":
    main()
