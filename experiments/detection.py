"""Finding wrong labels: `bilevel clean` beside cleanlab and scikit-learn, on the same rows.

    python detection.py DATA RESULTS.jsonl [--bilevel PATH] [--rows N] [--sets mnist,...] [--seeds 0,1,2]
    python detection.py DATA AGAIN.jsonl --peers RESULTS.jsonl
    python detection.py --table RESULTS.jsonl

DATA holds mnist/, fashion-mnist/, cifar10/ and tabular/, as in the data sets' own files. Each line of RESULTS.jsonl is
one case; cases that are there are not run again. Needs numpy, pandas, scikit-learn and cleanlab.

Noise (a share of the labels): `uniform` among the other classes; `pairwise` class c -> c + 1; `boundary` the rows that a
model of other rows is least sure of, to their second class; `annotator` five annotators, two of whom make nearly all
mistakes, each pairwise with a shift of their own; `bilevel` is told who labelled which row.
"""
import argparse
import gzip
import json
import pathlib
import struct
import subprocess
import tempfile
import time

import numpy as np

SETS = ["mnist", "fashion", "cifar", "digits", "a9a", "housing", "imbalanced"]
SMALL = ["cancer", "wine", "iris"]
NOISES = ["uniform", "pairwise", "boundary", "annotator"]
TRUSTED = [0, 50, 500]


def idx(path):
    raw = gzip.open(path).read()
    axes = raw[3]
    shape = struct.unpack(">" + "I" * axes, raw[4 : 4 + 4 * axes])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def load(name, data):
    """Features (float32), labels 0..k-1, and how bilevel is to scale them."""
    import pandas as pd

    data = pathlib.Path(data)
    if name in ("mnist", "fashion"):
        folder = data / {"mnist": "mnist", "fashion": "fashion-mnist"}[name]
        x = idx(folder / "train10k-images-idx3-ubyte.gz").reshape(10000, -1)
        return x.astype("f4") / 255, idx(folder / "train10k-labels-idx1-ubyte.gz").astype(int), "none"
    if name == "cifar":
        raw = np.frombuffer(gzip.open(data / "cifar10/train_first4000.bin.gz").read(), np.uint8).reshape(-1, 3073)
        return raw[:, 1:].astype("f4") / 255, raw[:, 0].astype(int), "none"
    table = data / "tabular"
    if name == "digits":
        t = np.loadtxt(gzip.open(table / "digits.csv.gz"), delimiter=",", skiprows=0)
        return t[:, :-1].astype("f4") / 16, t[:, -1].astype(int), "none"
    if name == "a9a":
        from sklearn.datasets import load_svmlight_file

        with gzip.open(table / "a9a.gz") as file:
            x, y = load_svmlight_file(file, n_features=123)
        return x.toarray().astype("f4"), (y > 0).astype(int), "standard"
    if name == "housing":
        t = pd.read_csv(table / "california_housing.csv.gz")
        y = pd.qcut(t.pop("median_house_value"), 4, labels=False).to_numpy()
        x = pd.get_dummies(t).astype(float)
        return x.fillna(x.mean()).to_numpy("f4"), y, "standard"
    if name == "imbalanced":
        r = np.random.default_rng(5)
        y = (r.random(6000) < 0.08).astype(int)
        x = r.standard_normal((6000, 20))
        x[:, :5] += 1.6 * y[:, None]
        return x.astype("f4"), y, "standard"
    file = {"cancer": "breast_cancer", "wine": "wine_data", "iris": "iris"}[name]
    t = pd.read_csv(table / f"{file}.csv", header=None, skiprows=1).to_numpy(float)
    return t[:, :-1].astype("f4"), t[:, -1].astype(int), "standard"


def model():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    class Fit:
        def __init__(self, scale):
            self.model = LogisticRegression(max_iter=300)
            if scale == "standard":
                self.model = make_pipeline(StandardScaler(), self.model)

        def probabilities(self, x, y, to, classes):
            out = np.full((len(to), classes), 1e-9)
            if len(np.unique(y)) < 2:
                out[:, y[0]] = 1
                return out
            self.model.fit(x, y)
            out[:, self.model.classes_] = self.model.predict_proba(to)
            return out / out.sum(1, keepdims=True)

    return Fit


def corrupt(kind, rate, x, y, others, scale, rng):
    """Given labels, and the annotator of each row."""
    n, k = len(y), y.max() + 1
    given = y.copy()
    annotator = rng.integers(0, 5, n)
    if kind == "uniform":
        rows = rng.permutation(n)[: round(rate * n)]
        given[rows] = (y[rows] + rng.integers(1, k, len(rows))) % k
    elif kind == "pairwise":
        rows = rng.permutation(n)[: round(rate * n)]
        given[rows] = (y[rows] + 1) % k
    elif kind == "boundary":
        p = model()(scale).probabilities(*others, x, k)
        p[np.arange(n), y] = -1
        second = p.argmax(1)
        rows = np.argsort(-p.max(1))[: round(rate * n)]
        given[rows] = second[rows]
    else:
        share = np.array([0.02, 0.02, 0.02, 0.5, 0.5])
        share = share * rate / share[annotator].mean()
        wrong = rng.random(n) < np.minimum(share, 0.95)[annotator]
        shift = 1 + annotator % max(k - 1, 1)
        given[wrong] = ((y + shift) % k)[wrong]
    return given, annotator


def figures(score, kept, wrong):
    """score: probability that the label is right."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    clean = ~wrong
    hit = (kept & clean).sum()
    f1 = 2 * hit / max(kept.sum() + clean.sum(), 1)
    return {
        "auc": float(roc_auc_score(wrong, -score)),
        "ap": float(average_precision_score(wrong, -score)),
        "f1": float(f1),
        "dropped": int((~kept).sum()),
        "precision": float((~kept & wrong).sum() / max((~kept).sum(), 1)),
        "recall": float((~kept & wrong).sum() / max(wrong.sum(), 1)),
    }


def peers(x, y, check, trust, given, wrong, scale, seed):
    """The figures of cleanlab, and of scikit-learn's agreement if rows are trusted."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores
    from sklearn.model_selection import StratifiedKFold

    found, k = {}, y.max() + 1
    start = time.time()
    labels = np.concatenate([given, y[trust]])
    rows = np.concatenate([check, trust])
    p = np.zeros((len(rows), k))
    for fit, held in StratifiedKFold(5, shuffle=True, random_state=seed).split(rows, labels):
        p[held] = model()(scale).probabilities(x[rows[fit]], labels[fit], x[rows[held]], k)
    present, dense = np.unique(labels, return_inverse=True)
    q = p[:, present] / p[:, present].sum(1, keepdims=True)
    issues = find_label_issues(dense, q, n_jobs=1)[: len(check)]
    quality = get_label_quality_scores(dense, q)[: len(check)]
    found["cleanlab"] = figures(quality, ~issues, wrong) | {"seconds": time.time() - start}
    if len(trust):
        start = time.time()
        p = model()(scale).probabilities(x[trust], y[trust], x[check], k)
        own = p[np.arange(len(check)), given]
        found["agreement"] = figures(own, p.argmax(1) == given, wrong) | {"seconds": time.time() - start}
    return found


def case(name, kind, rate, trusted, seed, arguments):
    x, y, scale = load(name, arguments.data)
    rng = np.random.default_rng([seed, len(name), len(kind), int(100 * rate)])
    order = rng.permutation(len(y))
    small = name in SMALL
    trusted = min(trusted, len(y) // 4) if small else trusted
    test = order[: min(1000, len(y) // 5)]
    rest = order[len(test) :]
    check = rest[trusted : trusted + arguments.rows]
    spare = rest[trusted + arguments.rows :]
    if len(spare) < 400:
        check, spare = rest[trusted : len(rest) - len(rest) // 5], rest[len(rest) - len(rest) // 5 :]
    trust = rest[:trusted]
    given, annotator = corrupt(kind, rate, x[check], y[check], (x[spare], y[spare]), scale, rng)
    wrong = given != y[check]
    found = {"set": name, "noise": kind, "rate": rate, "trusted": trusted, "seed": seed, "wrong": int(wrong.sum())}

    found |= arguments.known.get((name, kind, rate, trusted, seed)) or peers(
        x, y, check, trust, given, wrong, scale, seed
    )
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        import pandas as pd

        def save(file, rows, labels):
            np.save(folder / f"{file}.npy", x[rows])
            pd.DataFrame({"y": labels}).to_csv(folder / f"{file}.csv", index=False)

        save("check", check, given)
        pd.DataFrame({"y": given, "who": annotator}).to_csv(folder / "check.csv", index=False)
        save("test", test, y[test])
        words = [arguments.bilevel, "clean", "check.npy", "--labels", "check.csv", "--label", "y", "--scale", scale]
        words += ["--test", "test.npy", "--test-labels", "test.csv", "--out", "out", "--json", "--quiet"]
        words += ["--seed", str(seed)] + arguments.more.split()
        if trusted:
            save("trust", trust, y[trust])
            words += ["--trusted", "trust.npy", "--trusted-labels", "trust.csv"]
        if kind == "annotator":
            words += ["--annotator", "who"]
        start = time.time()
        ran = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        if not ran.stdout:
            found["error"] = ran.stderr[-500:]
            return found
        result = json.loads(ran.stdout)
        scores = pd.read_csv(folder / "out/scores.csv").set_index("row").sort_index()
        kept = ~scores["suspect"].astype(str).str.lower().eq("true").to_numpy()
        # The rank orders what is equal in the file.
        score = scores["rank"].to_numpy(float)
        found["bilevel"] = figures(score, kept, wrong) | {"seconds": time.time() - start}
        found["chosen"] = result.get("chosen")
        found["expected"] = result.get("expected")
        found["accuracy"] = result.get("retrained_accuracy")
        found["rows"] = {
            name: [row["f1"], row["auc"], row["retrained_accuracy"]] for name, row in result["baselines"].items()
        }
    return found


def cases(arguments):
    for seed in arguments.seeds:
        for name in arguments.sets:
            for kind in arguments.noises:
                for trusted in arguments.trusted:
                    for rate in [0.2, 0.4] if name in ("mnist", "a9a") else [0.2]:
                        if name in SMALL and (seed or trusted == 500):
                            continue
                        yield name, kind, rate, trusted, seed


def table(lines):
    """Means over seeds, for bilevel with half of the 95 % interval of the mean; * where bilevel is significantly (paired,
    95 %) behind the better of the two by more than .01. Without trusted rows there is no agreement."""
    from scipy import stats

    def half(values):
        if len(values) < 2:
            return np.nan
        return stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))

    groups = {}
    for line in lines:
        if "bilevel" in line:
            key = (line["set"], line["noise"], line["rate"], line["trusted"])
            groups.setdefault(key, []).append(line)
    behind = above = 0
    covered = []
    print("Each figure: `auto`, cleanlab, agreement.\n")
    print("| set | noise | wrong | trusted | seeds | F1 | AUC | average precision | accuracy, all rows |")
    print("|---|---|---|---|---|---|---|---|---|")
    for key, runs in sorted(groups.items()):
        cells = []
        for figure in ("f1", "auc", "ap"):
            own = np.array([run["bilevel"][figure] for run in runs])
            peers = {}
            for peer in ("cleanlab", "agreement"):
                if all(peer in run for run in runs):
                    peers[peer] = np.array([run[peer][figure] for run in runs])
            best = max(peers.values(), key=lambda values: values.mean())
            difference = own - best
            mark = ""
            if difference.mean() + half(difference) < -0.01:
                mark = "*"
                behind += 1
            above += difference.mean() >= 0
            values = ", ".join(f"{values.mean():.3f}" for values in peers.values())
            cells.append(f"{own.mean():.3f}{mark} ± {half(own):.3f}, {values}")
        accuracy = np.mean([run["accuracy"] or np.nan for run in runs])
        everything = np.mean([run["rows"].get("all_rows", [0, 0, np.nan])[2] or np.nan for run in runs])
        print("|", " | ".join(map(str, [*key, len(runs), *cells])), f"| {accuracy:.3f}, {everything:.3f} |")
        for run in runs:
            if run["expected"]:
                interval = run["expected"]["precision"]
                covered.append(interval["low"] <= run["bilevel"]["precision"] <= interval["high"])
    print()
    print(f"cells significantly behind by more than .01: {behind}; at least equal: {above} of {3 * len(groups)}")
    if covered:
        print(f"stated precision covers the truth: {sum(covered)} of {len(covered)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("results", nargs="?")
    parser.add_argument("--bilevel", default="bilevel")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--sets", default=",".join(SETS + SMALL))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--more", default="", help="more options of bilevel clean")
    parser.add_argument("--noises", default=",".join(NOISES))
    parser.add_argument("--trusted", default=",".join(map(str, TRUSTED)))
    parser.add_argument("--peers", help="earlier results, of which the figures of the peers are taken")
    parser.add_argument("--table", action="store_true", help="DATA is the file of results")
    arguments = parser.parse_args()
    if arguments.table:
        return table([json.loads(line) for line in open(arguments.data)])
    arguments.sets = arguments.sets.split(",")
    arguments.noises = arguments.noises.split(",")
    arguments.trusted = [int(rows) for rows in arguments.trusted.split(",")]
    arguments.seeds = [int(seed) for seed in arguments.seeds.split(",")]
    results = pathlib.Path(arguments.results)
    lines = [json.loads(line) for line in results.open()] if results.exists() else []
    arguments.known = {
        tuple(line["asked"]): {peer: line[peer] for peer in ("cleanlab", "agreement") if peer in line}
        for line in (open(arguments.peers) if arguments.peers else [])
        for line in [json.loads(line)]
    }
    known = ["set", "noise", "rate", "trusted", "seed"]
    done = {tuple(line["asked"]) for line in lines}
    for asked in cases(arguments):
        if asked in done:
            continue
        found = case(*asked, arguments)
        found["asked"] = list(asked)
        with results.open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(*[found[key] for key in known], found.get("error", ""), flush=True)


if __name__ == "__main__":
    main()
