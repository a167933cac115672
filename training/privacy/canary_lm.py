"""A small neural language model of characters, trained on a corpus with canaries and served in OpenAI's dialect.

    canary_lm.py corpus ROWS OUT            write a corpus of generated sentences
    canary_lm.py train CORPUS MODEL.npz     train on JSON lines with a `text` column
    canary_lm.py serve MODEL.npz PORT       serve `/v1/completions` with echo and logprobs

Needs numpy. One hidden layer over the last 28 characters, Adam, one epoch: seconds on one core. It memorises what it sees often
and little else, which is what `bartizan privacy test` has to show.
"""

import json
import random
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

CONTEXT, EMBED, HIDDEN, BATCH, EPOCHS = 28, 12, 192, 256, 1
PAD = 0


def corpus(rows, out):
    """Sentences of a small grammar, so that there is something else to learn."""
    dice = random.Random(7)
    who = "the clerk|a neighbour|the old captain|her sister|nobody|the second driver|my teacher".split("|")
    did = "counted|sold|painted|forgot|found|carried|measured|returned".split("|")
    what = "the boats|three chairs|a letter|the keys|every window|two maps|the last parcel".split("|")
    when = "on Monday|before the rain|in the harbour|after lunch|at the station|without a word".split("|")
    with open(out, "w", encoding="utf-8") as to:
        for _ in range(rows):
            text = " ".join(dice.choice(words) for words in (who, did, what, when))
            to.write(json.dumps({"text": text[0].upper() + text[1:] + "."}) + "\n")


def encode(text, index):
    return [index.get(c, PAD) for c in text]


def forward(w, contexts):
    embedded = w["embed"][contexts].reshape(len(contexts), -1)
    hidden = np.tanh(embedded @ w["in"] + w["in_bias"])
    logits = hidden @ w["out"] + w["out_bias"]
    logits -= logits.max(axis=1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return embedded, hidden, logs


def train(path, model):
    texts = [json.loads(line)["text"] + "\n" for line in open(path, encoding="utf-8") if line.strip()]
    letters = sorted(set("".join(texts)))
    index = {c: i + 1 for i, c in enumerate(letters)}
    contexts, wanted = [], []
    for text in texts:
        ids = [PAD] * CONTEXT + encode(text, index)
        for at in range(CONTEXT, len(ids)):
            contexts.append(ids[at - CONTEXT : at])
            wanted.append(ids[at])
    contexts, wanted = np.array(contexts, dtype=np.int32), np.array(wanted, dtype=np.int32)
    dice = np.random.default_rng(7)
    size = len(letters) + 1
    w = {
        "embed": dice.normal(0, 0.3, (size, EMBED)),
        "in": dice.normal(0, 1 / np.sqrt(CONTEXT * EMBED), (CONTEXT * EMBED, HIDDEN)),
        "in_bias": np.zeros(HIDDEN),
        "out": dice.normal(0, 1 / np.sqrt(HIDDEN), (HIDDEN, size)),
        "out_bias": np.zeros(size),
    }
    w = {k: v.astype(np.float32) for k, v in w.items()}
    first = {k: np.zeros_like(v) for k, v in w.items()}
    second = {k: np.zeros_like(v) for k, v in w.items()}
    step = 0
    for epoch in range(EPOCHS):
        order, total = dice.permutation(len(wanted)), 0.0
        for start in range(0, len(order) - BATCH + 1, BATCH):
            picked = order[start : start + BATCH]
            x, y = contexts[picked], wanted[picked]
            embedded, hidden, logs = forward(w, x)
            total -= logs[np.arange(BATCH), y].sum()
            d = np.exp(logs)
            d[np.arange(BATCH), y] -= 1
            d /= BATCH
            dh = (d @ w["out"].T) * (1 - hidden**2)
            de = (dh @ w["in"].T).reshape(BATCH, CONTEXT, EMBED)
            embed = np.zeros_like(w["embed"])
            np.add.at(embed, x, de)
            g = {"out": hidden.T @ d, "out_bias": d.sum(0), "in": embedded.T @ dh, "in_bias": dh.sum(0), "embed": embed}
            step += 1
            rate = 2e-3 * (1 - 0.9 * epoch / EPOCHS)
            for k in w:
                first[k] = 0.9 * first[k] + 0.1 * g[k]
                second[k] = 0.999 * second[k] + 0.001 * g[k] ** 2
                w[k] -= rate * (first[k] / (1 - 0.9**step)) / (np.sqrt(second[k] / (1 - 0.999**step)) + 1e-8)
        print(f"epoch {epoch + 1}: {total / len(order):.3f} nats a character", flush=True)
    np.savez(model, letters=np.array(letters), **w)


class Model:
    def __init__(self, path):
        saved = np.load(path)
        self.letters = list(saved["letters"])
        self.index = {c: i + 1 for i, c in enumerate(self.letters)}
        self.w = {k: saved[k] for k in ("embed", "in", "in_bias", "out", "out_bias")}

    def logs(self, ids):
        contexts = [([PAD] * CONTEXT + ids[:at])[-CONTEXT:] for at in range(len(ids) + 1)]
        return forward(self.w, np.array(contexts))[2]

    def complete(self, asked):
        prompt, count = asked.get("prompt", ""), int(asked.get("max_tokens", 16))
        heat, wants = float(asked.get("temperature", 1.0)), asked.get("logprobs")
        dice = np.random.default_rng(asked.get("seed"))
        ids = encode(prompt, self.index)
        tokens, logs, tops = [], [], []

        def top(row):
            best = np.argsort(-row)[: max(int(wants or 0), 1)]
            return {self.letters[i - 1]: float(row[i]) for i in best if i != PAD}

        if asked.get("echo"):
            rows = self.logs(ids)
            for at, (c, i) in enumerate(zip(prompt, ids)):
                tokens.append(c)
                logs.append(None if at == 0 else float(rows[at][i]))
                tops.append(None if at == 0 else top(rows[at]))
        text = ""
        for _ in range(count):
            row = self.logs(ids[-CONTEXT:])[-1] if len(ids) < CONTEXT else forward(self.w, np.array([ids[-CONTEXT:]]))[2][0]
            p = np.exp(row / heat if heat > 0 else row)
            p[PAD] = 0
            i = int(p.argmax()) if heat == 0 else int(dice.choice(len(p), p=p / p.sum()))
            c = self.letters[i - 1]
            if c == "\n":
                break
            tokens.append(c)
            logs.append(float(row[i]))
            tops.append(top(row))
            ids.append(i)
            text += c
        said = {"tokens": tokens, "token_logprobs": logs, "top_logprobs": tops} if wants is not None else None
        choice = {"index": 0, "text": (prompt if asked.get("echo") else "") + text, "finish_reason": "length", "logprobs": said}
        return {"object": "text_completion", "choices": [choice], "usage": {"prompt_tokens": len(prompt), "completion_tokens": count}}


def serve(path, port):
    model = Model(path)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path.endswith("/completions") and "chat" not in self.path
            said = json.dumps(model.complete(body) if known else {"error": {"message": "no such route"}}).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    {"corpus": lambda n, out: corpus(int(n), out), "train": train, "serve": serve}[sys.argv[1]](*sys.argv[2:])
