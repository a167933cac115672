"""Fits how the two stages are read together and where the thresholds lie, on sources that neither was fitted to:
`encoder_combine.py ROWS.jsonl PASSAGES.jsonl HELD.onnx TOKENIZER.json INJECTION.bin SHIPPED.onnx`.

PASSAGES are of `cargo run --example passages` with the weights of the folds, HELD.onnx is the encoder of part `a` (see `encoder_rows.py`).
Writes the numbers into INJECTION.bin, with the digest of SHIPPED.onnx. Needs `onnxruntime`, `tokenizers` and `numpy`. Reports what is flagged and
blocked by the first stage alone and by both, on the same texts.
"""
import collections
import hashlib
import json
import os
import random
import struct
import sys

import numpy as np

from encoder_passages import HELD, LONGEST, of_last_fold, readable

ROWS, PASSAGES, HELD_MODEL, TOKENIZER, BINARY, SHIPPED = sys.argv[1:7]
MOST, TEXTS = 4, 700
RNG = random.Random(3)
CHANNELS = ["user", "tool", "document"]
# Share of ordinary texts (mean over sources) from whose score on the second stage is asked, and at the two thresholds.
ASKED, FLAGGED, BLOCKED = 0.15, 0.006, 0.001
# From where on the shipped policy refuses data (`Thresholds::SHIPPED`).
REFUSED = {"tool": 0.9998, "document": 0.997}


def belongs(row, channel):
    ordinary = row["group"].startswith("ordinary")
    if channel == "user":
        return row["channel"] == "user" or ordinary and row["channel"] != "tool"
    if channel == "tool":
        return row["channel"] == "tool" or ordinary and row["channel"] == "document"
    return row["channel"] != "user"


def load():
    rows = []
    for line, passages in zip(open(ROWS), open(PASSAGES)):
        row = json.loads(line)
        own = of_last_fold(row)
        if row["train"] and row["source"] not in HELD and not own:
            continue
        row["passages"] = [(score, text) for score, text in json.loads(passages)[:MOST]]
        del row["text"]
        rows.append(row)
    # Of each source and group so many, since a core reads a hundred passages a second.
    RNG.shuffle(rows)
    count = collections.Counter()
    few = []
    for row in rows:
        key = (row["source"], row["attack"], row["group"], row["channel"])
        count[key] += 1
        if count[key] <= TEXTS:
            few.append(row)
    return few


def quantile(rows, value, share):
    """The value at or above which the mean over sources of the share of ordinary texts is at most `share`."""
    by_source = collections.defaultdict(list)
    for row in rows:
        if row["group"].startswith("ordinary"):
            by_source[row["source"]].append(value(row))
    by_source = {k: np.sort(v) for k, v in by_source.items() if len(v) >= 40}
    points = np.unique(np.concatenate(list(by_source.values())))
    mean = lambda t: np.mean([1 - np.searchsorted(v, t) / len(v) for v in by_source.values()])
    low, high = 0, len(points)
    while low < high:
        at = (low + high) // 2
        low, high = (at + 1, high) if mean(points[at]) > share else (low, at)
    return float(points[min(low, len(points) - 1)]) + 1e-4


def first(row):
    return row["passages"][0][0] if row["passages"] else -9.0


def read(rows, wanted):
    """Logits of passages by the held encoder."""
    cache_path = HELD_MODEL + "." + hashlib.sha1(open(HELD_MODEL, "rb").read()).hexdigest()[:12] + ".json"
    cache = json.load(open(cache_path)) if os.path.exists(cache_path) else {}
    missing = sorted({t for t in wanted if t not in cache})
    if missing:
        import onnxruntime
        from tokenizers import Tokenizer
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(HELD_MODEL, options)
        tokenizer = Tokenizer.from_file(TOKENIZER)
        for text in missing:
            ids = [101, *tokenizer.encode(text, add_special_tokens=False).ids[: LONGEST - 2], 102]
            cache[text] = [float(x) for x in session.run(None, {"ids": np.array([ids], dtype=np.int32)})[0][0]]
        json.dump(cache, open(cache_path, "w"))
    return cache


def logistic(x, y, w):
    """Weighted logistic regression by Newton's method."""
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(x.shape[1])
        beta += np.linalg.solve(hessian, x.T @ (w * (y - p)) - 1e-3 * beta)
    return beta


def fair(rows):
    """Every source of a side weighs the same, and both sides do."""
    mass = collections.Counter((r["source"], r["attack"]) for r in rows)
    sides = collections.Counter(a for _, a in mass)
    return np.array([1000 / mass[(r["source"], r["attack"])] / sides[r["attack"]] for r in rows])


def area(scores, labels, w):
    order = np.argsort(scores, kind="stable")
    labels, w = labels[order], w[order]
    below = np.cumsum(w * (1 - labels)) / np.sum(w * (1 - labels))
    return float(np.sum((w * labels) * below) / np.sum(w * labels))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


rows = [r for r in load() if r["group"] not in ("other", "system prompts")]
ask = {}
for at, channel in enumerate(CHANNELS):
    part = [r for r in rows if belongs(r, channel)]
    ask[channel] = quantile(part, first, ASKED)
# Passages that a text of an origin would be asked about; code and documents are read as words of the user too.
wanted = {t for r in rows for c in CHANNELS if belongs(r, c) for s, t in r["passages"] if s >= ask[c] and readable(t)}
print(len(rows), "texts,", len(wanted), "passages to read", {c: round(a, 2) for c, a in ask.items()})
cache = read(rows, wanted)
calibrations, report, judged = [], collections.defaultdict(list), []
# Whether harmless results of tools and documents are stopped.
results = []
# Whether attacks in results and documents are.
refused = collections.defaultdict(lambda: collections.defaultdict(list))
for at, channel in enumerate(CHANNELS):
    head = 0 if channel == "user" else 1
    part = [r for r in rows if belongs(r, channel) and r["source"] != "agent traces"]
    asked = [r for r in part if first(r) >= ask[channel] and readable(r["passages"][0][1])]
    x = np.array([[first(r), np.clip(cache[r["passages"][0][1]][head], -12, 12)] for r in asked])
    y = np.array([r["attack"] for r in asked], dtype=float)
    both = logistic(x, y, fair(part)[[i for i, r in enumerate(part) if first(r) >= ask[channel] and readable(r["passages"][0][1])]])
    # Alone, the first stage is scaled so that its thresholds for the same shares of ordinary texts are the same numbers.
    raw = [quantile(part, first, share) for share in (FLAGGED, BLOCKED)]

    def together(row, scale):
        best = -30.0
        for score, text in row["passages"]:
            if score >= ask[channel] and text in cache:
                z = both[0] * score + both[1] * np.clip(cache[text][head], -12, 12) + both[2]
            else:
                z = scale[0] * score + scale[1]
            best = max(best, z)
        return best

    x1 = np.array([[first(r)] for r in part])
    scale = tuple(logistic(x1, np.array([r["attack"] for r in part], dtype=float), fair(part)))
    for _ in range(4):
        levels = [quantile(part, lambda r: together(r, scale), share) for share in (FLAGGED, BLOCKED)]
        slope = (levels[1] - levels[0]) / max(raw[1] - raw[0], 1e-3)
        scale = (slope, levels[0] - slope * raw[0])
    # Both stages are brought to one calibration of whole texts.
    z = np.array([together(r, scale) for r in part])
    slope, shift = logistic(z[:, None], np.array([r["attack"] for r in part], dtype=float), fair(part))
    both = np.array([slope * both[0], slope * both[1], slope * both[2] + shift])
    scale, levels = (slope * scale[0], slope * scale[1] + shift), [slope * x + shift for x in levels]
    flag, block = (min(np.ceil(sigmoid(z) * 1000) / 1000, 0.997) for z in levels)
    z = np.array([together(r, scale) for r in part])
    y, w = np.array([r["attack"] for r in part], dtype=float), fair(part)
    p = sigmoid(z)
    bins = np.minimum((p * 10).astype(int), 9)
    error = sum(abs(np.sum(w[bins == b] * (p[bins == b] - y[bins == b]))) for b in range(10)) / np.sum(w)
    print(f"{channel}: first {both[0]:.2f} second {both[1]:.2f} intercept {both[2]:.2f}; alone {scale[0]:.2f} {scale[1]:.2f}; "
          f"flag {flag:.3f} block {block:.3f}; calibration error {error:.3f}; area {area(z, y, w):.3f}, of the first alone {area(x1[:, 0], y, w):.3f}; "
          f"asked about {np.mean([first(r) >= ask[channel] for r in part if r['group'].startswith('ordinary')]):.3f} of ordinary texts")
    calibrations.append([scale[0], scale[1], flag, block, ask[channel], *both])
    for row in rows:
        if row["channel"] == channel:
            p = sigmoid(together(row, scale))
            alone = first(row)
            judged.append((row, p, sigmoid(scale[0] * alone + scale[1])))
            report[(row["attack"], row["group"], row["source"])].append((alone >= raw[0], alone >= raw[1], p >= flag, p >= block))
            if not row["attack"] and channel != "user" and row["group"].split(":")[0] in ("ordinary", "agent tool results", "harmless twin"):
                results.append(p >= REFUSED[channel])
            if row["attack"] and channel != "user":
                refused[row["group"]][row["source"]].append(p >= REFUSED[channel])
sessions = [any(RNG.sample(results, RNG.randrange(20, min(201, len(results))))) for _ in range(5000)]
print(f"{len(results)} harmless tool results and documents, {sum(results)} stopped; of 5000 sessions of 20 to 200 of them {100 * np.mean(sessions):.2f} % have one that is")
for group, sources in sorted(refused.items()):
    print("stopped of", group, f"{100 * np.mean([np.mean(s) for s in sources.values() if len(s) >= 15] or [0]):.1f} %")
y, w = np.array([r["attack"] for r, _, _ in judged], dtype=float), fair([r for r, _, _ in judged])
for name, p in [("both", np.array([p for _, p, _ in judged])), ("the first alone", np.array([p for _, _, p in judged]))]:
    bins = np.minimum((p * 10).astype(int), 9)
    error = sum(abs(np.sum(w[bins == b] * (p[bins == b] - y[bins == b]))) for b in range(10)) / np.sum(w)
    print(f"{name}: area {area(p, y, w):.3f}, calibration error {error:.3f}, {len(judged)} texts")
print("attack | group | source | n | first: flagged, blocked | both: flagged, blocked")
groups = collections.defaultdict(list)
for key in sorted(report):
    values = np.array(report[key])
    if len(values) >= 15:
        mean = 100 * values.mean(axis=0)
        groups[key[:2]].append(mean)
        print(*key, len(values), *(f"{v:.1f}" for v in mean), sep=" | ")
print("means over sources")
for key in sorted(groups):
    print(*key, *(f"{v:.1f}" for v in np.mean(groups[key], axis=0)), sep=" | ")
data = bytearray(open(BINARY, "rb").read())
assert data[:8] == b"BTZINJ02"
data[8 + 36: 8 + 36 + 96] = struct.pack("<24f", *(x for c in calibrations for x in c))
digest = 0xCBF29CE484222325
for byte in open(SHIPPED, "rb").read():
    digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
data[8 + 132: 8 + 140] = struct.pack("<Q", digest)
open(BINARY, "wb").write(data)
