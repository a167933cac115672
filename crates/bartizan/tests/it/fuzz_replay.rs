//! Replays the corpora of the fuzz targets, and inputs close to them.
#![allow(clippy::disallowed_methods, reason = "reads the corpora")]
#![allow(unreachable_pub, reason = "the included file is a crate of its own elsewhere")]

use std::path::Path;

#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

/// Inputs made from each file of a corpus.
const NEIGHBOURS: usize = 24;

fn corpora() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn replay(name: &str) {
    let (_, target) = targets::TARGETS.iter().find(|(n, _)| *n == name).expect("a target");
    let mut files: Vec<_> =
        std::fs::read_dir(corpora().join(name)).expect("a corpus").flatten().map(|e| e.path()).collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus of `{name}` is empty");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let inputs: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).expect("a corpus file")).collect();
    for (file, input) in files.iter().zip(&inputs) {
        run(*target, input, &file.display().to_string());
        for number in 0..NEIGHBOURS {
            let other = &inputs[random.below(inputs.len())];
            run(*target, &random.neighbour(input, other), &format!("neighbour {number} of {}", file.display()));
        }
    }
}

/// Says which input it was: a panic alone does not.
fn run(target: targets::Target, input: &[u8], what: &str) {
    if let Err(panic) = std::panic::catch_unwind(|| target(input)) {
        let shown = String::from_utf8_lossy(input);
        let bytes: Vec<u8> = input.iter().copied().take(2000).collect();
        panic!("{what}: {}\ntext: {shown:?}\nbytes: {bytes:?}", message(panic.as_ref()));
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?")
}

/// Xorshift: the same inputs in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (end.max(1) as u64)).expect("smaller than a length")
    }

    fn neighbour(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        let at = self.below(bytes.len() + 1);
        match self.below(5) {
            0 => bytes.truncate(at),
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            2 => {
                let (from, to) = (self.below(other.len() + 1), self.below(other.len() + 1));
                let piece = other[from.min(to)..from.max(to)].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => {
                let end = (at + 1 + self.below(16)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            _ => {
                let rest = bytes.split_off(at);
                bytes.extend_from_slice(&rest);
                bytes.extend_from_slice(&rest);
            }
        }
        bytes
    }
}

#[test]
fn every_corpus_has_a_target_and_every_target_a_test() {
    let mut folders: Vec<String> = std::fs::read_dir(corpora())
        .expect("corpora")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let names: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(folders, names);
    assert_eq!(TESTED, names.as_slice());
}

macro_rules! replays {
    ($($name:ident),+) => {
        const TESTED: &[&str] = &[$(stringify!($name)),+];
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })+
    };
}

replays!(agents, artifact, body, classifier, config, document, engine, gguf, hdf5, json, onnx, pickle, sse, views, zip);
