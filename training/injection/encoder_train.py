"""Fits the encoder: `encoder_train.py MODEL_FOLDER DATA.npz OUT_FOLDER [LAYERS]`. CPU, one thread; needs `torch` and `numpy`.

MODEL_FOLDER holds `model.safetensors` of MiniLM-L6 (Wang et al., 2020; sentence-transformers, Apache-2.0), of which the embeddings,
which stay as they are, and the first LAYERS (4) layers are taken. Tokens are pooled by learned attention; two heads say what a passage
is as words of the user and as data. DATA.npz is of `encoder_rows.py`. Writes `a.npz` and `f.npz`, and a checkpoint from which it goes on.
"""
import json
import math
import os
import random
import struct
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

FOLDER, DATA, OUT = sys.argv[1:4]
LAYERS = int(sys.argv[4]) if len(sys.argv) > 4 else 4
HIDDEN, HEADS, INNER = 384, 12, 1536
TOKENS, RATE = 2048, {"a": float(os.environ.get("RATE_A", 1.5e-4)), "f": float(os.environ.get("RATE_F", 0.8e-4))}
torch.set_num_threads(1)
torch.manual_seed(5)
RNG = random.Random(5)


def tensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        head = json.loads(file.read(size))
        data = file.read()
    head.pop("__metadata__", None)
    return {name: torch.from_numpy(np.frombuffer(data[h["data_offsets"][0]: h["data_offsets"][1]], dtype=np.float32).reshape(h["shape"]).copy())
            for name, h in head.items() if h["dtype"] == "F32"}


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.f, self.g = nn.Linear(HIDDEN, INNER), nn.Linear(INNER, HIDDEN)
        self.n1, self.n2 = nn.LayerNorm(HIDDEN, 1e-12), nn.LayerNorm(HIDDEN, 1e-12)

    def forward(self, x, mask):
        b, t, _ = x.shape
        heads = lambda y: y.view(b, t, HEADS, HIDDEN // HEADS).transpose(1, 2)
        weights = (heads(self.q(x)) @ heads(self.k(x)).transpose(-1, -2) / math.sqrt(HIDDEN // HEADS) + mask).softmax(-1)
        x = self.n1(x + F.dropout(self.o((weights @ heads(self.v(x))).transpose(1, 2).reshape(b, t, HIDDEN)), 0.1, self.training))
        return self.n2(x + F.dropout(self.g(F.gelu(self.f(x))), 0.1, self.training))


class Encoder(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.words = start["embeddings.word_embeddings.weight"]
        self.places = start["embeddings.position_embeddings.weight"] + start["embeddings.token_type_embeddings.weight"][0]
        self.first = nn.LayerNorm(HIDDEN, 1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.look, self.head = nn.Linear(HIDDEN, 1), nn.Linear(HIDDEN, 2)
        names = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "o": "attention.output.dense",
                 "f": "intermediate.dense", "g": "output.dense", "n1": "attention.output.LayerNorm", "n2": "output.LayerNorm"}
        with torch.no_grad():
            for at, layer in enumerate(self.layers):
                for ours, theirs in names.items():
                    for kind in ("weight", "bias"):
                        getattr(getattr(layer, ours), kind).copy_(start[f"encoder.layer.{at}.{theirs}.{kind}"])
            for kind in ("weight", "bias"):
                getattr(self.first, kind).copy_(start[f"embeddings.LayerNorm.{kind}"])
            nn.init.zeros_(self.look.weight)
            nn.init.normal_(self.head.weight, std=0.02)
        for parameter in self.first.parameters():
            parameter.requires_grad_(False)

    def forward(self, ids, mask):
        x = self.first(self.words[ids] + self.places[: ids.shape[1]])
        shut = (1 - mask) * -1e4
        for layer in self.layers:
            x = layer(x, shut[:, None, None, :])
        look = (self.look(x).squeeze(-1) + shut).softmax(-1)
        return self.head(F.dropout((look[:, None, :] @ x).squeeze(1), 0.1, self.training))


def passages(data, part):
    starts = np.concatenate([[0], data[f"{part}_ends"][:-1]])
    return [(data[f"{part}_ids"][s:e].tolist(), m) for s, e, m in zip(starts, data[f"{part}_ends"], data[f"{part}_marks"])]


def thinned(ids):
    """Some words left out, so that no single one decides."""
    if RNG.random() < 0.6 or len(ids) < 12:
        return ids
    return ids[:1] + [i for i in ids[1:-1] if RNG.random() > 0.08] + ids[-1:]


def batches(rows):
    rows = sorted(rows, key=lambda r: len(r[0]) + RNG.random() * 12)
    out, batch = [], []
    for row in rows:
        if batch and (len(batch) + 1) * max(len(row[0]), len(batch[-1][0])) > TOKENS or len(batch) == 64:
            out.append(batch)
            batch = []
        batch.append(row)
    out.append(batch)
    RNG.shuffle(out)
    return out


def padded(batch):
    longest = max(len(ids) for ids, _ in batch)
    ids, mask = torch.zeros(len(batch), longest, dtype=torch.long), torch.zeros(len(batch), longest)
    for at, (one, _) in enumerate(batch):
        ids[at, : len(one)] = torch.tensor(one)
        mask[at, : len(one)] = 1
    return ids, mask


def fit(model, data, part, epochs, seconds):
    """At most so many seconds of processor time: the rate falls with the larger of the two shares done."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, RATE[part], weight_decay=0.01)
    steps = [batch for _ in range(epochs) for batch in batches(passages(data, part))]
    model.train()
    begun, mean = time.process_time(), 0.7
    for at, batch in enumerate(steps):
        done = max(at / len(steps), (time.process_time() - begun) / seconds)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = RATE[part] * min(1, (at + 1) / 30) * (1 - done)
        rows = [(thinned(ids), marks) for ids, marks in batch]
        ids, mask = padded(rows)
        marks = torch.from_numpy(np.stack([m for _, m in rows]))
        wanted = (marks[:, :1] * 0.94 + 0.03).expand(-1, 2)
        loss = (F.binary_cross_entropy_with_logits(model(ids, mask), wanted, reduction="none") * marks[:, 1:3]).sum() / marks[:, 1:3].sum().clamp(min=1)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        mean = 0.97 * mean + 0.03 * loss.item()
        if at % 20 == 0:
            print(f"{part} step {at} of {len(steps)}, loss {mean:.3f}, {time.process_time() - begun:.0f} s of processor", flush=True)
        if at % 100 == 99:
            torch.save(model.state_dict(), f"{OUT}/{part}.part")
    torch.save(model.state_dict(), f"{OUT}/{part}.pt")
    np.savez(f"{OUT}/{part}.npz", words=model.words.numpy(), places=model.places.numpy(), **{n: v.numpy() for n, v in model.state_dict().items()})


def main():
    model = Encoder(tensors(os.path.join(FOLDER, "model.safetensors")))
    data = np.load(DATA)
    for part, seconds in [("a", float(os.environ.get("SECONDS_A", 2400))), ("f", float(os.environ.get("SECONDS_F", 1500)))]:
        if os.path.exists(f"{OUT}/{part}.pt"):
            model.load_state_dict(torch.load(f"{OUT}/{part}.pt"))
            continue
        if os.path.exists(f"{OUT}/{part}.part"):
            model.load_state_dict(torch.load(f"{OUT}/{part}.part"))
        fit(model, data, part, 1, seconds)


main()
