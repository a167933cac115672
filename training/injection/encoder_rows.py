"""Chooses and tokenises what the encoder is fitted to: `encoder_rows.py ROWS.jsonl PASSAGES.jsonl TOKENIZER.json OUT.npz`.

Rows are those of `prepare.py`, passages those of `cargo run --example passages` with the first stage's weights, line by line:
the encoder learns on what it will be asked about. Needs `tokenizers` and `numpy`. The same files and the same seed give the same choice.

Two parts: `a` is fitted to sources outside HELD (and to templates outside the last fold) and judged on HELD; `f` goes on from
there over all sources that may be shipped.
"""
import collections
import json
import random
import re
import sys

import numpy as np
from tokenizers import Tokenizer

ROWS, PASSAGES, TOKENIZER, OUT = sys.argv[1:5]
HELD = {"neuralchemy", "deepset_train", "garak", "bastioncorpus", "gptfuzz_templates", "pyrit_templates", "yanismiraoui", "bipia_train",
        "prompts_chat_book", "owasp_cheatsheets", "wiki_demo", "glaive_toolcall"}
# Passages of a source in part `a`: of attacks, of others. Half as many in part `f`, and HELD beside them.
MOST = {"slabs": (900, 1400), "inthewild_jailbreaks": (1000, 0), "generated": (600, 600), "generated_obfuscated": (100, 20),
        "generated_embedded": (600, 700), "own": (1700, 0), "own embedded": (1000, 0), "own embedded twin": (0, 1000), "own indirect": (500, 0),
        "own asks": (0, 700), "own about attacks": (0, 1000), "own requests": (0, 800), "own sentences": (0, 250), "own carriers": (0, 350),
        "own languages": (150, 0), "own languages benign": (0, 80), "own obfuscated": (300, 0), "own encoded": (0, 150), "t0_p3": (0, 700),
        "web_c4": (0, 350), "writingbench": (0, 400), "self_instruct": (0, 350), "python": (0, 450), "readme": (0, 300), "code": (0, 100)}
MOST_HELD = {"neuralchemy": (900, 700), "prompts_chat_book": (0, 700), "owasp_cheatsheets": (0, 400), "bipia_train": (300, 400),
             "yanismiraoui": (200, 0), "deepset_train": (169, 300), "glaive_toolcall": (0, 300)}
LONGEST = 128
LAST_FOLD = 5
RNG = random.Random(11)


def readable(text):
    """Nearly all letters are of the English alphabet: the vocabulary has no others."""
    letters = [c for c in text if c.isalpha()]
    return len(letters) > 3 and sum(c.isascii() for c in letters) > 0.85 * len(letters)


tokenizer = Tokenizer.from_file(TOKENIZER)
tokenizer.no_padding()
tokenizer.enable_truncation(LONGEST)
pools = collections.defaultdict(list)
for number, (line, passages) in enumerate(zip(open(ROWS), open(PASSAGES))):
    row, passages = json.loads(line), json.loads(passages)
    if not row["train"] or not passages:
        continue
    held = row["source"] in HELD or (row["source"].startswith(("own", "generated")) and row["fold"] == LAST_FOLD)
    # Of an attack only the worst passage is one for sure.
    for score, text in passages[: 1 if row["attack"] else 2]:
        if not readable(text):
            continue
        most_u, most_d = row["u"], row["d"]
        pools[(row["source"], row["attack"], held)].append((text, row["attack"], most_u, most_d))

chosen = {"a": [], "f": []}
for key in sorted(pools):
    source, attack, held = key
    pool = pools[key]
    RNG.shuffle(pool)
    if source in HELD:
        most = MOST_HELD.get(source, (100, 300))[1 - attack]
        chosen["f"] += pool[:most]
        continue
    most = MOST[source][1 - attack]
    if held:
        chosen["f"] += pool[: most // 4]
    else:
        chosen["a"] += pool[:most]
        chosen["f"] += RNG.sample(pool, min(len(pool), most // 2))

out = {}
for part, rows in chosen.items():
    RNG.shuffle(rows)
    ids = [e.ids for e in tokenizer.encode_batch([r[0] for r in rows])]
    flat = np.array([i for one in ids for i in one], dtype=np.uint16)
    out[f"{part}_ids"], out[f"{part}_ends"] = flat, np.cumsum([len(one) for one in ids]).astype(np.int64)
    out[f"{part}_marks"] = np.array([r[1:] for r in rows], dtype=np.float32)
    print(part, len(rows), "passages", len(flat), "tokens", sum(r[1] for r in rows), "attacks")
np.savez(OUT, **out)
