//! What was said in each trial, on disk before it counts: JSON lines in a hash chain.
//!
//! A line is `{"seq", "prev", "id", "hash", "record"}`; `id` is SHA-256 of the bytes of `record`, its address wherever it
//! stands, and `hash` SHA-256 of the previous line's hash and `id`. The first record is the head: which plan and seed. A line
//! that was cut by a crash is taken back; a line that was changed ends the reading with an error. A hash chain alone cannot
//! show that its end was cut off: a [`sealed`] note says how far it went.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use bartizan_client::{Ask, Usage};
use bartizan_sign::{NoteKey, NoteVerifier, hex};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::RedteamError;
use crate::evidence::{Evidence, Seen};
use crate::harness::Effect;

/// Longest line that is read, bytes.
const LONGEST: u64 = 64 << 20;

/// Form of the journals that are written and read.
pub const FORM: u32 = 2;

/// What the text of a signed note about a journal begins with.
const NOTE: &str = "bartizan/redteam-journal";

/// The first record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Form of the journal.
    pub bartizan_redteam: u32,
    /// Digest of the plan.
    pub plan: String,
    /// Seed of the canaries, hex.
    pub seed: String,
    /// Number of trials.
    pub trials: u64,
    /// What was attacked, in words and without secrets.
    pub target: String,
    /// Where the attacker's addresses point: host and port.
    pub sink: String,
    /// Digest of the guard that was attacked, where that was all: its version, rules and configuration.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub guard: String,
}

/// One question and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The question, whole: sending it again is sending these bytes again.
    pub ask: Ask,
    /// What came.
    pub seen: Seen,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number in the plan.
    pub n: u64,
    /// Its name: probe, wording, way and number.
    pub name: String,
    /// What it proved, as judged when it was made.
    pub evidence: Evidence,
    /// What was said.
    pub turns: Vec<Turn>,
    /// Requests that arrived at the sink.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrived: Vec<String>,
    /// What tools of the hostile server did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// Tokens that it took.
    #[serde(default)]
    pub usage: Usage,
    /// Milliseconds that it took.
    #[serde(default)]
    pub ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    seq: u64,
    prev: String,
    id: String,
    hash: String,
    record: Box<RawValue>,
}

/// A journal that is being written.
pub struct Journal {
    path: PathBuf,
    file: File,
    seq: u64,
    prev: String,
}

/// The address of a record.
fn address(record: &str) -> String {
    hex(digest::digest(&digest::SHA256, record.as_bytes()).as_ref())
}

fn link(prev: &str, id: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(prev.as_bytes());
    context.update(id.as_bytes());
    hex(context.finish().as_ref())
}

impl Journal {
    /// Begins one. The file must not be there. Others on the machine cannot read it: what a target says may be anything.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub fn create(path: &Path, head: &Head) -> Result<Self, RedteamError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|e| RedteamError::journal(path, e))?;
        let mut journal = Self { path: path.to_owned(), file, seq: 0, prev: "0".repeat(64) };
        let record = serde_json::to_string(head).map_err(|e| RedteamError::journal(path, e))?;
        journal.append(vec![record])?;
        Ok(journal)
    }

    /// Opens one to go on with it; `each` gets what is there.
    ///
    /// # Errors
    /// It cannot be read, or is broken, or is of another plan.
    pub fn resume(path: &Path, plan: &str, each: impl FnMut(Record)) -> Result<(Self, Head), RedteamError> {
        let mut each = each;
        let (head, read) = walk(path, |_, record| each(record))?;
        if head.plan != plan {
            let reason = "it belongs to another plan; give another folder, or the plan that it was made with";
            return Err(RedteamError::journal(path, reason));
        }
        let failed = |e: std::io::Error| RedteamError::journal(path, e);
        let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        file.set_len(read.bytes).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok((Self { path: path.to_owned(), file, seq: read.seq, prev: read.prev }, head))
    }

    /// Writes records and waits until they are on disk.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn append(&mut self, records: Vec<String>) -> Result<(), RedteamError> {
        let failed = |e: &dyn std::fmt::Display| RedteamError::journal(&self.path, e);
        let mut out = Vec::new();
        let (mut seq, mut prev) = (self.seq, self.prev.clone());
        for record in records {
            let id = address(&record);
            let hash = link(&prev, &id);
            let record = RawValue::from_string(record).map_err(|e| failed(&e))?;
            let line = Line { seq, prev, id, hash: hash.clone(), record };
            let before = out.len();
            serde_json::to_writer(&mut out, &line).map_err(|e| failed(&e))?;
            out.push(b'\n');
            if (out.len() - before) as u64 > LONGEST {
                return Err(failed(&"a record is too long to be read again"));
            }
            (seq, prev) = (seq + 1, hash);
        }
        self.file.write_all(&out).and_then(|()| self.file.sync_data()).map_err(|e| failed(&e))?;
        (self.seq, self.prev) = (seq, prev);
        Ok(())
    }
}

/// How far the whole lines go.
struct Extent {
    bytes: u64,
    seq: u64,
    prev: String,
}

/// Reads a journal.
///
/// # Errors
/// It cannot be read, or a line but the last was changed.
pub fn read(path: &Path, mut each: impl FnMut(Record)) -> Result<Head, RedteamError> {
    walk(path, |_, record| each(record)).map(|(head, _)| head)
}

/// The same with the address of each record.
///
/// # Errors
/// As [`read`].
pub fn entries(path: &Path, mut each: impl FnMut(&str, Record)) -> Result<Head, RedteamError> {
    walk(path, |line, record| each(&line.id, record)).map(|(head, _)| head)
}

/// The first record alone.
///
/// # Errors
/// It cannot be read, or there is none.
pub fn head(path: &Path) -> Result<Head, RedteamError> {
    let failed = |e: &dyn std::fmt::Display| RedteamError::journal(path, e);
    let mut input = BufReader::new(File::open(path).map_err(|e| failed(&e))?);
    let mut bytes = Vec::new();
    std::io::Read::take(&mut input, LONGEST).read_until(b'\n', &mut bytes).map_err(|e| failed(&e))?;
    if is_too_long(&bytes) {
        return Err(failed(&"line 1: it is too long"));
    }
    let line: Line = serde_json::from_slice(&bytes).map_err(|_| failed(&"line 1: it is no line of a journal"))?;
    serde_json::from_str(line.record.get()).map_err(|_| failed(&"line 1: it is no head of a journal"))
}

/// A signed note about a journal as it stands: of which plan, how many records, and the hash of the last one.
///
/// # Errors
/// The journal cannot be read.
pub fn sealed(path: &Path, key: &NoteKey) -> Result<String, RedteamError> {
    let (head, extent) = walk(path, |_, _| ())?;
    Ok(key.sign(&statement(&head, &extent)))
}

/// Whether a note was signed with this key and is about the journal as it stands.
///
/// # Errors
/// It was not, or the journal went on, was cut, or is another one.
pub fn verify(path: &Path, note: &str, key: &NoteVerifier) -> Result<(), RedteamError> {
    let text = key.open(note).map_err(|e| RedteamError::journal(path, e))?;
    let (head, extent) = walk(path, |_, _| ())?;
    if text != statement(&head, &extent) {
        return Err(RedteamError::journal(
            path,
            "the signed note is about another journal, or more or less of this one",
        ));
    }
    Ok(())
}

/// How far a journal goes on behind the records that the signed note beside it is about, whoever signed that.
///
/// # Errors
/// The note is none, or is about another journal, or about more than there is: the end was cut off.
pub fn behind(path: &Path, note: &str) -> Result<u64, RedteamError> {
    let failed = |reason: String| RedteamError::journal(path, reason);
    let field = |name: &str| note.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let stated = field("records").and_then(|n| n.parse::<u64>().ok()).zip(field("head"));
    let (records, hash) = stated
        .filter(|_| note.starts_with(NOTE))
        .ok_or_else(|| failed("the signed note beside it cannot be read".to_owned()))?;
    let mut there = None;
    let (head, extent) = walk(path, |line, _| {
        if line.seq + 1 == records {
            there = Some(line.hash.clone());
        }
    })?;
    let more = extent.seq.checked_sub(records).ok_or_else(|| {
        failed(format!(
            "it has {} records and the signed note beside it says {records}: its end was cut off",
            extent.seq
        ))
    })?;
    // The head is no record of a trial.
    let there = there.unwrap_or_else(|| if records == 1 && more == 0 { extent.prev } else { hash.to_owned() });
    if field("plan") != Some(head.plan.as_str()) || there != hash {
        return Err(failed("the signed note beside it is about another journal".to_owned()));
    }
    Ok(more)
}

fn statement(head: &Head, extent: &Extent) -> String {
    format!("{NOTE}\nplan {}\nrecords {}\nhead {}\n", head.plan, extent.seq, extent.prev)
}

/// True where the line goes on behind what was read of it: what comes then is no cut end.
fn is_too_long(read: &[u8]) -> bool {
    read.len() as u64 >= LONGEST && read.last() != Some(&b'\n')
}

fn walk(path: &Path, mut each: impl FnMut(&Line, Record)) -> Result<(Head, Extent), RedteamError> {
    let failed = |e: &dyn std::fmt::Display| RedteamError::journal(path, e);
    let mut input = BufReader::with_capacity(1 << 16, File::open(path).map_err(|e| failed(&e))?);
    let mut extent = Extent { bytes: 0, seq: 0, prev: "0".repeat(64) };
    let mut head: Option<Head> = None;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = std::io::Read::take(&mut input, LONGEST).read_until(b'\n', &mut bytes).map_err(|e| failed(&e))?;
        if is_too_long(&bytes) {
            return Err(failed(&format!("line {}: it is too long", extent.seq + 1)));
        }
        if bytes.last() != Some(&b'\n') {
            // Nothing more, or the line that was being written when the program ended.
            break;
        }
        let broken = |what: &str| failed(&format!("line {}: {what}", extent.seq + 1));
        let line: Line = serde_json::from_slice(&bytes).map_err(|_| broken("it is no line of a journal"))?;
        let chained = line.prev == extent.prev && line.hash == link(&line.prev, &line.id);
        if line.seq != extent.seq || !chained || line.id != address(line.record.get()) {
            return Err(broken("the chain is broken: something was changed, put in or taken out"));
        }
        if head.is_none() {
            let first: Head =
                serde_json::from_str(line.record.get()).map_err(|_| broken("it is no head of a journal"))?;
            if first.bartizan_redteam != FORM {
                return Err(broken("it was written by another version of this program"));
            }
            head = Some(first);
        } else {
            let record = serde_json::from_str(line.record.get()).map_err(|_| broken("it is no record of a trial"))?;
            each(&line, record);
        }
        extent = Extent { bytes: extent.bytes + read as u64, seq: extent.seq + 1, prev: line.hash };
    }
    match head {
        Some(head) => Ok((head, extent)),
        None => Err(failed(&"it is empty")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Step;

    fn head() -> Head {
        Head {
            bartizan_redteam: FORM,
            plan: "p".into(),
            seed: "00".into(),
            trials: 3,
            target: "t".into(),
            sink: "s".into(),
            guard: String::new(),
        }
    }

    fn record(n: u64) -> String {
        let evidence = Evidence { step: Step::Refused, why: "refusal".into(), rules: vec![] };
        let record = Record {
            n,
            name: format!("a/b#{n}"),
            evidence,
            turns: vec![],
            arrived: vec![],
            effects: vec![],
            usage: Usage::default(),
            ms: 1,
        };
        serde_json::to_string(&record).unwrap()
    }

    #[test]
    fn a_cut_line_is_taken_back_and_a_changed_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::create(&path, &head()).unwrap();
        journal.append(vec![record(0), record(1)]).unwrap();
        assert!(Journal::create(&path, &head()).is_err());
        let whole = std::fs::read(&path).unwrap();
        // Cut anywhere in the last line.
        let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
        for cut in [last + 1, last + 40, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut seen = Vec::new();
            let (mut journal, _) = Journal::resume(&path, "p", |r| seen.push(r.n)).unwrap();
            assert_eq!(seen, [0], "{cut}");
            journal.append(vec![record(1)]).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
        assert!(Journal::resume(&path, "other", |_| ()).err().unwrap().to_string().contains("another plan"));
        // A note tells that the end was cut off, which the chain cannot.
        let key = NoteKey::generate("redteam.test").unwrap();
        let note = sealed(&path, &key).unwrap();
        verify(&path, &note, &key.verifier()).unwrap();
        assert_eq!(behind(&path, &note).unwrap(), 0);
        std::fs::write(&path, &whole[..last]).unwrap();
        assert_eq!(read(&path, |_| ()).unwrap(), head());
        assert!(verify(&path, &note, &key.verifier()).is_err());
        let cut = behind(&path, &note).unwrap_err().to_string();
        assert!(cut.contains("it has 2 records and the signed note beside it says 3"), "{cut}");
        // One that went on is told from another one.
        let short = sealed(&path, &key).unwrap();
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(behind(&path, &short).unwrap(), 1);
        let (mut other, _) = Journal::resume(&path, "p", |_| ()).unwrap();
        other.append(vec![record(2)]).unwrap();
        assert_eq!(behind(&path, &note).unwrap(), 1);
        for note in [note.replace("head ", "head 0"), note.replace("plan p", "plan q"), "x".to_owned(), String::new()] {
            assert!(behind(&path, &note).is_err(), "{note}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(verify(&path, &note, &NoteKey::generate("redteam.test").unwrap().verifier()).is_err());
        // What is too long to be read is no cut end.
        OpenOptions::new().write(true).open(&path).unwrap().set_len(whole.len() as u64 + LONGEST).unwrap();
        for error in [read(&path, |_| ()).err(), Journal::resume(&path, "p", |_| ()).err()] {
            assert!(error.unwrap().to_string().contains("line 4: it is too long"));
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), whole.len() as u64 + LONGEST);
        std::fs::write(&path, &whole).unwrap();
        let mut ids = Vec::new();
        entries(&path, |id, record| ids.push((id.to_owned(), record.n))).unwrap();
        assert_eq!(ids, [(address(&record(0)), 0), (address(&record(1)), 1)]);
        let changed = String::from_utf8(whole).unwrap().replacen("refusal", "refused", 1);
        std::fs::write(&path, changed).unwrap();
        assert!(read(&path, |_| ()).unwrap_err().to_string().contains("line 2"));
    }
}
