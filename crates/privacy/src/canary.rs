//! Canaries: secrets that are random by construction, planted in a corpus before a model is trained on it.
//!
//! Of twice as many candidates as are wanted a fair coin chooses those that are planted. The others are as random, so
//! that what a model knows of the planted ones and not of the others it knows from the training (Carlini et al., The
//! Secret Sharer, USENIX Security 2019; Steinke et al., NeurIPS 2023).

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use aws_lc_rs::digest;
use bartizan_sign::{NoteKey, NoteVerifier, hex};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::stats::Dice;
use crate::{PrivacyError, corpus};

/// Digits of a secret.
pub const DIGITS: u32 = 9;
/// Most copies of one canary.
const MOST_COPIES: u32 = 1 << 20;
/// Most canaries for one count.
const MOST_EACH: u32 = 10_000;

/// One canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// What stands before the secret, with the blank between them.
    pub prefix: String,
    /// The secret: decimal digits.
    pub secret: String,
    /// How often it is in the corpus, if it is planted.
    pub count: u32,
    /// What the coin said.
    pub planted: bool,
}

/// What rows of the corpus look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Lines of text.
    Lines,
    /// Rows with one text.
    Text {
        /// Its column.
        column: String,
    },
    /// Rows with a question and an answer.
    Pair {
        /// Column of the question.
        question: String,
        /// Column of the answer.
        answer: String,
    },
    /// Rows with a conversation: a list of `role` and `content`.
    Messages,
}

/// What was planted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1.
    pub version: u32,
    /// Digits of a secret: the space is ten to the power of it.
    pub digits: u32,
    /// What rows look like.
    pub shape: Shape,
    /// Rows or lines of the corpus before.
    pub rows: u64,
    /// SHA-256 of the corpus with its canaries.
    pub corpus_sha256: String,
    /// All candidates.
    pub canaries: Vec<Canary>,
}

/// A manifest with its signature: a signed note (C2SP signed-note) over its SHA-256.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The manifest.
    pub manifest: Manifest,
    /// The note.
    pub note: String,
}

/// How many canaries, and how often.
#[derive(Clone, Debug)]
pub struct Planting {
    /// How often a canary of each group is in the corpus.
    pub counts: Vec<u32>,
    /// Candidates of each group are twice so many.
    pub each: u32,
    /// Digits of a secret.
    pub digits: u32,
}

fn note(manifest: &Manifest) -> String {
    let text = serde_json::to_vec(manifest).unwrap_or_default();
    format!("bartizan canaries 1\n{}\n", hex(digest::digest(&digest::SHA256, &text).as_ref()))
}

impl Signed {
    /// Reads a manifest. With a verifier its signature is checked.
    ///
    /// # Errors
    /// It cannot be read, or the signature is not of that key and this manifest.
    pub fn read(path: &Path, verifier: Option<&NoteVerifier>) -> Result<Manifest, PrivacyError> {
        let text = std::fs::read(path).map_err(|e| PrivacyError::read(path, e))?;
        let wrong = |why: String| PrivacyError::Manifest { path: path.display().to_string(), reason: why };
        let signed: Self = serde_json::from_slice(&text)
            .map_err(|e| wrong(format!("line {}: it has not the form of one", e.line())))?;
        if signed.manifest.version != 1 {
            return Err(wrong("its version is not 1".to_owned()));
        }
        if let Some(verifier) = verifier {
            let said = verifier.open(&signed.note).map_err(|e| wrong(e.to_string()))?;
            if said != note(&signed.manifest) {
                return Err(wrong("it was changed after it was signed".to_owned()));
            }
        }
        Ok(signed.manifest)
    }

    fn write(manifest: Manifest, key: &NoteKey, path: &Path) -> Result<(), PrivacyError> {
        let note = key.sign(&note(&manifest));
        let text = serde_json::to_vec_pretty(&Self { manifest, note }).unwrap_or_default();
        write_private(path, &text).map_err(|e| PrivacyError::write(path, e))
    }
}

/// Writes a file that only its owner reads: a manifest holds the secrets that were planted.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // One that was there keeps its mode.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(bytes)
}

/// Random numbers of the system, for what must not be guessed.
fn dice() -> Result<Dice, PrivacyError> {
    let mut seed = [0; 8];
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| PrivacyError::Random)?;
    Ok(Dice::new(u64::from_le_bytes(seed)))
}

fn candidates(planting: &Planting) -> Result<Vec<Canary>, PrivacyError> {
    const THINGS: [&str; 8] = ["ledger", "parcel", "locker", "permit", "badge", "folder", "meter", "ticket"];
    let fits = planting.counts.iter().all(|count| (1..=MOST_COPIES).contains(count))
        && !planting.counts.is_empty()
        && (1..=MOST_EACH).contains(&planting.each)
        && (4..=15).contains(&planting.digits);
    if !fits {
        return Err(PrivacyError::Planting);
    }
    let mut all = Vec::new();
    for count in &planting.counts {
        for _ in 0..planting.each.saturating_mul(2) {
            // Each canary has random numbers of its own: 64 bits for the coin and the name, 64 for the secret.
            let (mut name, mut secret) = (dice()?, dice()?);
            let thing = THINGS.get(name.below(THINGS.len())).copied().unwrap_or("ledger");
            let code: String = (0..6).filter_map(|_| char::from_u32(u32::from(b'A') + name.below(26) as u32)).collect();
            all.push(Canary {
                prefix: format!("The registry number of {thing} {code} is "),
                secret: digits(&mut secret, planting.digits),
                count: *count,
                planted: name.bits() >> 63 == 1,
            });
        }
    }
    Ok(all)
}

/// A secret of the same form.
pub(crate) fn digits(dice: &mut Dice, count: u32) -> String {
    (0..count).filter_map(|_| char::from_digit(dice.below(10) as u32, 10)).collect()
}

fn shape(path: &Path) -> Result<(Shape, u64), PrivacyError> {
    let open = || File::open(path).map(BufReader::new).map_err(|e| PrivacyError::read(path, e));
    let mut rows = 0;
    if !corpus::is_rows(path) {
        for line in open()?.split(b'\n') {
            line.map_err(|e| PrivacyError::read(path, e))?;
            rows += 1;
        }
        return Ok((Shape::Lines, rows));
    }
    let mut found = None;
    corpus::rows(path, open()?, |number, row| {
        rows += 1;
        if found.is_none() {
            found = Some(of_row(&row).ok_or_else(|| PrivacyError::Row {
                path: path.display().to_string(),
                line: number,
                reason: "it has neither `messages`, nor a question and an answer, nor a `text`".to_owned(),
            })?);
        }
        Ok(())
    })?;
    Ok((found.ok_or(PrivacyError::Empty)?, rows))
}

fn of_row(row: &Value) -> Option<Shape> {
    const PAIRS: [(&str, &str); 5] = [
        ("prompt", "completion"),
        ("instruction", "output"),
        ("question", "answer"),
        ("prompt", "response"),
        ("input", "output"),
    ];
    let has = |name: &str| row.get(name).is_some_and(Value::is_string);
    if row.get("messages").is_some_and(Value::is_array) {
        return Some(Shape::Messages);
    }
    if let Some((question, answer)) = PAIRS.into_iter().find(|(q, a)| has(q) && has(a)) {
        return Some(Shape::Pair { question: question.to_owned(), answer: answer.to_owned() });
    }
    let column = ["text", "content"].into_iter().find(|name| has(name))?;
    Some(Shape::Text { column: column.to_owned() })
}

impl Shape {
    fn line(&self, canary: &Canary) -> String {
        let (question, answer) = (canary.prefix.trim_end(), canary.secret.as_str());
        let whole = format!("{}{}.", canary.prefix, canary.secret);
        let mut row = Map::new();
        match self {
            Self::Lines => return whole,
            Self::Text { column } => {
                row.insert(column.clone(), json!(whole));
            }
            Self::Pair { question: q, answer: a } => {
                row.insert(q.clone(), json!(question));
                row.insert(a.clone(), json!(answer));
            }
            Self::Messages => {
                let turns = json!([{"role": "user", "content": question}, {"role": "assistant", "content": answer}]);
                row.insert("messages".to_owned(), turns);
            }
        }
        Value::Object(row).to_string()
    }
}

/// Writes a corpus with canaries and the manifest of them, which is a secret.
///
/// # Errors
/// Something cannot be read or written, or the numbers do not fit.
pub fn plant(
    corpus: &Path,
    planting: &Planting,
    out: &Path,
    manifest: &Path,
    key: &NoteKey,
) -> Result<Manifest, PrivacyError> {
    let (shape, rows) = shape(corpus)?;
    let canaries = candidates(planting)?;
    let mut order = dice()?;
    let mut places: Vec<(u64, usize)> = Vec::new();
    for (number, canary) in canaries.iter().enumerate().filter(|(_, canary)| canary.planted) {
        let spot = |order: &mut Dice| order.below(usize::try_from(rows).unwrap_or(usize::MAX).saturating_add(1)) as u64;
        places.extend((0..canary.count).map(|_| (spot(&mut order), number)));
    }
    // Canaries at one place stand in an order that says nothing.
    places.sort_by_cached_key(|(place, _)| (*place, order.bits()));

    let failed = |e: std::io::Error| PrivacyError::write(out, e);
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut to = BufWriter::with_capacity(1 << 18, File::create_new(out).map_err(failed)?);
    let mut put = |line: &[u8]| {
        digest.update(line);
        digest.update(b"\n");
        to.write_all(line).and_then(|()| to.write_all(b"\n")).map_err(failed)
    };
    let mut waiting = places.into_iter().peekable();
    let mut plant_before = |row: u64, put: &mut dyn FnMut(&[u8]) -> Result<(), PrivacyError>| {
        while let Some((_, number)) = waiting.next_if(|(place, _)| *place <= row) {
            let line = canaries.get(number).map(|canary| shape.line(canary)).unwrap_or_default();
            put(line.as_bytes())?;
        }
        Ok::<(), PrivacyError>(())
    };
    let mut row = 0;
    for line in BufReader::new(File::open(corpus).map_err(|e| PrivacyError::read(corpus, e))?).split(b'\n') {
        let line = line.map_err(|e| PrivacyError::read(corpus, e))?;
        if shape == Shape::Lines || !line.iter().all(u8::is_ascii_whitespace) {
            plant_before(row, &mut put)?;
            row += 1;
        }
        put(&line)?;
    }
    plant_before(u64::MAX, &mut put)?;
    to.flush().map_err(failed)?;
    let made = Manifest {
        version: 1,
        digits: planting.digits,
        shape,
        rows,
        corpus_sha256: hex(digest.finish().as_ref()),
        canaries,
    };
    Signed::write(made.clone(), key, manifest)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_as_often_as_the_manifest_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let key = NoteKey::generate("canaries.example").unwrap();
        let planting = Planting { counts: vec![1, 4, 16], each: 4, digits: 9 };
        for (name, row, shape) in [
            ("a.jsonl", "{\"text\":\"one\"}", "text"),
            ("b.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "messages"),
            ("c.jsonl", "{\"instruction\":\"x\",\"output\":\"y\",\"id\":3}", "pair"),
            ("d.txt", "a line", "lines"),
        ] {
            std::fs::write(path(name), format!("{row}\n").repeat(50)).unwrap();
            let (out, list) = (path(&format!("{name}.out")), path(&format!("{name}.json")));
            let made = plant(&path(name), &planting, &out, &list, &key).unwrap();
            assert_eq!(made.canaries.len(), 24, "{shape}");
            assert_eq!(Signed::read(&list, Some(&key.verifier())).unwrap(), made);
            #[cfg(unix)]
            {
                let about = std::fs::metadata(&list).unwrap().permissions();
                assert_eq!(std::os::unix::fs::PermissionsExt::mode(&about) & 0o777, 0o600, "it holds the secrets");
            }
            let text = std::fs::read_to_string(&out).unwrap();
            for canary in &made.canaries {
                let wanted = if canary.planted { canary.count as usize } else { 0 };
                assert_eq!(text.matches(&canary.secret).count(), wanted, "{canary:?}");
            }
            assert_eq!(text.lines().filter(|line| *line == row).count(), 50, "{shape}");
            // Nobody's signature, or another list.
            let other = NoteKey::generate("canaries.example").unwrap();
            assert!(Signed::read(&list, Some(&other.verifier())).is_err());
            let changed = std::fs::read_to_string(&list).unwrap().replace("\"count\": 4", "\"count\": 5");
            std::fs::write(&list, changed).unwrap();
            assert!(Signed::read(&list, Some(&key.verifier())).is_err());
        }
    }

    #[test]
    fn rows_of_no_known_shape_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, "{\"n\": 1}\n").unwrap();
        assert!(shape(&path).unwrap_err().to_string().contains("line 1"));
    }
}
