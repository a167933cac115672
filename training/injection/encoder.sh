#!/usr/bin/env bash
# Fits the second stage anew: `encoder.sh MINILM_FOLDER`, after `train.sh`. MINILM_FOLDER holds `model.safetensors` and `tokenizer.json` of
# all-MiniLM-L6-v2 (Apache-2.0). Needs cargo, a python3 with torch (1.13 or later; Debian's with libopenblas0-pthread does) and one with
# onnx, onnxruntime, tokenizers and numpy: TORCH and PYTHON name them. One thread, about 13 minutes of processor time; no GPU. It goes on where
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
"${PYTHON:-python3}" encoder_rows.py "$work/rows.jsonl" "$work/passages.jsonl" "$minilm/tokenizer.json" "$work/encoder/data.npz"
"${TORCH:-python3}" encoder_train.py "$minilm" "$work/encoder/data.npz" "$work/encoder"
for part in a f; do "${PYTHON:-python3}" encoder_export.py "$work/encoder/$part.npz" "$work/encoder/$part.onnx"; done
cp "$work/encoder/f.onnx" "$model/encoder.onnx"
cp "$work/injection.bin" "$model/injection.bin"
"${PYTHON:-python3}" encoder_combine.py "$work/rows.jsonl" "$work/held.jsonl" "$work/encoder/a.onnx" "$model/encoder.json" "$model/injection.bin" \
  "$model/encoder.onnx" | tee "$work/encoder/report.txt"
