"""Chooses the passages of the encoder's last pass: `encoder_last_rows.py ROWS.jsonl PASSAGES.jsonl TOKENIZER.json OUT.npz`.

The files are those of `encoder_rows.py`. Half are attacks in other languages and in talk between people, for which the passes
before had few rows; the rest are harmless texts of the kinds that were flagged most. The same files give the same choice.
"""
import collections
import json
import random
import sys

from encoder_passages import of_last_fold, readable, save

ROWS, PASSAGES, TOKENIZER, OUT = sys.argv[1:5]
# Passages of a source, by whether it is an attack. Parts `a` and `f` are those of `encoder_rows.py`.
MOST = {("own languages", 1): 280, ("own talk hijacked", 1): 90, ("own switch", 1): 60, ("own talk", 0): 160, ("own languages benign", 0): 60,
        ("manuals", 0): 60, ("python", 0): 130, ("readme", 0): 60, ("own", 1): 80, ("inthewild_jailbreaks", 1): 60, ("own prompts", 0): 60,
        ("own articles", 0): 60}
# Of sources that only part `f` is fitted to.
MOST_HELD = {("yanismiraoui", 1): 150, ("deepset_train", 1): 60, ("prompts_chat_book", 0): 120}
RNG = random.Random(21)

pools = collections.defaultdict(list)
for line, passages in zip(open(ROWS), open(PASSAGES)):
    row = json.loads(line)
    key = (row["source"], row["attack"])
    if not row["train"] or (key not in MOST and key not in MOST_HELD):
        continue
    # What is new here is the other language.
    if row["source"] == "own switch" and row["lang"] == "en":
        continue
    last = of_last_fold(row)
    for _, text in json.loads(passages)[:1]:
        if readable(text):
            pools[(*key, last)].append((text, row["attack"], row["u"], row["d"]))

chosen = {"a": [], "f": []}
for *key, last in sorted(pools):
    pool = pools[(*key, last)]
    RNG.shuffle(pool)
    key = tuple(key)
    if key in MOST_HELD:
        chosen["f"] += pool[: MOST_HELD[key]]
    elif last:
        chosen["f"] += pool[: MOST[key] // 5]
    else:
        chosen["a"] += pool[: MOST[key]]
        chosen["f"] += pool[: MOST[key] * 3 // 4]

save(chosen, RNG, TOKENIZER, OUT)
