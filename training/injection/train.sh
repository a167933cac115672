#!/usr/bin/env bash
# Fits the injection model anew: `train.sh DATA_FOLDER`. Needs python3 and cargo, no GPU; about five minutes on one core.
# The same data, the same files of the machine and the same sources give the same bytes.
set -euo pipefail
cd "$(dirname "$0")"
data=$(realpath "${1:?usage: train.sh DATA_FOLDER, see DATA.md}")
work=../../target/train-injection
mkdir -p "$work"
python3 prepare.py "$data" "$work/rows.jsonl"
cargo run --package bartizan-classifier --example train_injection -- "$work/rows.jsonl" "$work/injection.bin" | tee "$work/report.txt"
cp "$work/injection.bin" ../../crates/classifier/model/injection.bin
