#!/usr/bin/env bash
# Fits the second stage anew: `encoder.sh MINILM_FOLDER`, after `train.sh`. MINILM_FOLDER holds `model.safetensors` and `tokenizer.json` of
# all-MiniLM-L6-v2 (Apache-2.0). Needs cargo, a python3 with torch (1.13 or later; Debian's with libopenblas0-pthread does) and one with
# onnx, onnxruntime, tokenizers and numpy: TORCH and PYTHON name them. One thread, about a quarter of an hour of processor time; no GPU. It goes on where
# it was stopped.
set -euo pipefail
cd "$(dirname "$0")"
minilm=$(realpath "${1:?usage: encoder.sh MINILM_FOLDER, see DATA.md}")
work=../../target/train-injection
model=../../crates/classifier/model
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$work/encoder"
# With the shipped weights for what is learned, with the weights of the folds for what is judged.
cp "$work/injection.bin" "$work/whole.bin"
cargo run --package bartizan-classifier --example passages -- "$work/rows.jsonl" "$work/passages.jsonl" "$work/whole.bin" 2
cargo run --package bartizan-classifier --example passages -- "$work/rows.jsonl" "$work/held.jsonl" "$work/injection.bin" 4
# Fits to `data.npz` of a folder, from the checkpoints there on, unless it has been done.
fit() { "${TORCH:-python3}" encoder_train.py "$minilm" "$1/data.npz" "$1"; }
go_on_from() { [ -e "$3" ] || "${TORCH:-python3}" encoder_mean.py "$1" "$2" "$3"; }
first="$work/encoder" second="$work/encoder/contrast" last="$work/encoder/languages"
mkdir -p "$second" "$last"

"${PYTHON:-python3}" encoder_rows.py "$work/rows.jsonl" "$work/passages.jsonl" "$minilm/tokenizer.json" "$first/data.npz"
fit "$first"
# Goes on with what differs from an attack by its meaning alone, and a little of the rest.
"${PYTHON:-python3}" encoder_rows.py "$work/rows.jsonl" "$work/held.jsonl" "$minilm/tokenizer.json" "$second/data.npz" 0.1 0.6
for part in a f; do [ -e "$second/$part.part" ] || cp "$first/$part.pt" "$second/$part.part"; done
RATE_A=0.8e-4 RATE_F=0.6e-4 fit "$second"
for part in a f; do go_on_from "$first/$part.pt" "$second/$part.pt" "$last/$part.part"; done
"${PYTHON:-python3}" encoder_last_rows.py "$work/rows.jsonl" "$work/held.jsonl" "$minilm/tokenizer.json" "$last/data.npz"
RATE_A=0.6e-4 RATE_F=0.6e-4 fit "$last"
for part in a f; do "${PYTHON:-python3}" encoder_export.py "$last/$part.npz" "$first/$part.onnx"; done
cp "$work/encoder/a.onnx" "$model/encoder.onnx"
cp "$work/injection.bin" "$model/injection.bin"
"${PYTHON:-python3}" encoder_combine.py "$work/rows.jsonl" "$work/held.jsonl" "$work/encoder/a.onnx" "$model/encoder.json" "$model/injection.bin" \
  "$model/encoder.onnx" | tee "$work/encoder/report.txt"
