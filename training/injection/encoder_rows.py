"""Chooses and tokenises what the encoder is fitted to: `encoder_rows.py ROWS.jsonl PASSAGES.jsonl TOKENIZER.json OUT.npz [SHARE SHARE_NEWER]`.

Rows are those of `prepare.py`, passages those of `cargo run --example passages` with the first stage's weights, line by line:
the encoder learns on what it will be asked about. Needs `tokenizers` and `numpy`. The same files and the same seed give the same choice.

Two parts: `a` is fitted to sources outside HELD (and to templates outside the last fold) and judged on HELD; `f` goes on from
there over all sources that may be shipped.
"""
import collections
import json
import random
import sys

from encoder_passages import HELD, of_last_fold, readable, save

ROWS, PASSAGES, TOKENIZER, OUT = sys.argv[1:5]
# What an encoder was fitted to before need not all be shown again where it goes on: the share that is.
SHARE, SHARE_NEWER = (float(x) for x in (sys.argv[5:7] or (1, 1)))
# Passages of a source in part `a`: of attacks, of others. Half as many in part `f`, and HELD beside them.
MOST = {"slabs": (900, 1400), "inthewild_jailbreaks": (1000, 0), "generated": (600, 600), "generated_obfuscated": (100, 20),
        "generated_embedded": (600, 700), "own": (1700, 0), "own embedded": (1000, 0), "own embedded twin": (0, 1000), "own indirect": (500, 0),
        "own asks": (0, 700), "own about attacks": (0, 1000), "own requests": (0, 800), "own sentences": (0, 250), "own carriers": (0, 350),
        "own languages": (150, 0), "own languages benign": (0, 80), "own obfuscated": (300, 0), "own encoded": (0, 150), "t0_p3": (0, 700),
        "web_c4": (0, 350), "writingbench": (0, 400), "self_instruct": (0, 350), "python": (0, 450), "readme": (0, 300), "code": (0, 100)}
# Of texts that instruct with and without an attack (`contrast.py`).
NEWER = {"own prompts": (0, 700), "own hijacked": (400, 0), "own articles": (0, 700), "own execute": (300, 0), "own execute calm": (0, 150),
         "own switch": (300, 0), "own switch calm": (0, 100), "own insertions": (400, 0), "own insertions twin": (0, 400), "own talk": (0, 150),
         "own talk hijacked": (60, 0), "manuals": (0, 200)}
MOST_HELD = {"neuralchemy": (900, 700), "prompts_chat_book": (0, 700), "owasp_cheatsheets": (0, 400), "bipia_train": (300, 400),
             "yanismiraoui": (200, 0), "deepset_train": (169, 300), "glaive_toolcall": (0, 300)}
RNG = random.Random(11)

pools = collections.defaultdict(list)
for number, (line, passages) in enumerate(zip(open(ROWS), open(PASSAGES))):
    row, passages = json.loads(line), json.loads(passages)
    if not row["train"] or not passages:
        continue
    held = row["source"] in HELD or of_last_fold(row)
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
        most = int(SHARE * MOST_HELD.get(source, (100, 300))[1 - attack])
        chosen["f"] += pool[:most]
        continue
    most = int(SHARE_NEWER * NEWER[source][1 - attack]) if source in NEWER else int(SHARE * MOST[source][1 - attack])
    if held:
        chosen["f"] += pool[: most // 4]
    else:
        chosen["a"] += pool[:most]
        chosen["f"] += RNG.sample(pool, min(len(pool), most // 2))

save(chosen, RNG, TOKENIZER, OUT)
