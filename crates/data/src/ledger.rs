//! What was found so far, in a file: a scan that was ended goes on from there, and parts of a corpus that were examined by
//! several processes become one answer.
//!
//! A ledger holds for runs of rows what was said of each and the texts that the pass over the whole corpus needs, so that
//! everything which is answered follows from ledgers alone, however the rows were parted among them. Records carry a
//! checksum; what was cut off in the middle is taken back when the ledger is opened again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bartizan_core::finding::FindingRecord;
use bartizan_core::{Confidence, Coverage, RuleId, Scores, Severity, Verdict};
use bartizan_sign::hex;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::canaries::Canary;
use crate::clean::hashed;
use crate::error::DataError;
use crate::examine::RowReport;
use crate::layout::{Role, Row, Turn};
use crate::pass::{At, Corpus, Passed, Run, Shard};
use crate::read::{Gap, Reading, Unit};
use crate::scanner::{Looked, Scanner, bytes};
use crate::whole::{Gatherer, Whole};

const MAGIC: &[u8] = b"bartizan ledger 2\n";
/// Length and checksum.
const FRAME: usize = 12;
/// Longest record, bytes. Runs of rows are bounded by the reader; one row may be longer than a run.
const LONGEST: u32 = 1 << 30;

/// What a ledger is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Rules, settings and version: what has to be the same.
    job: String,
    /// True where texts are kept for the pass over the corpus.
    texts: bool,
    index: u64,
    count: u64,
    units: Vec<Source>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    name: String,
    size: u64,
    /// SHA-256 of all of it, lower-case hex.
    sha256: String,
}

impl Source {
    fn of(unit: &Unit) -> Self {
        let (size, sha256) = hashed(&unit.path).unwrap_or_default();
        Self { name: unit.name.clone(), size, sha256: hex(&sha256) }
    }
}

/// A run of rows.
#[derive(Serialize, Deserialize)]
struct Kept {
    unit: usize,
    block: u64,
    before: u64,
    items: Vec<KeptItem>,
}

#[derive(Serialize, Deserialize)]
enum KeptItem {
    Row(Box<KeptRow>),
    Gap { gap: Gap, next: u64 },
}

#[derive(Serialize, Deserialize)]
struct KeptRow {
    row: u64,
    bytes: usize,
    verdict: Verdict,
    /// As bits: text would round them.
    scores: [Option<u32>; 3],
    findings: Vec<KeptFinding>,
    coverage: Coverage,
    #[serde(default)]
    canary: Option<Canary>,
    turns: Vec<(Role, String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    short: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct KeptFinding {
    rule: RuleId,
    severity: Severity,
    confidence: Confidence,
    entity: Option<String>,
    path: Option<String>,
    start: usize,
    end: usize,
}

impl KeptRow {
    fn new(report: RowReport, row: Row, bytes: usize, texts: bool) -> Self {
        let Scores { injection, poison, duplicate } = report.scores;
        let findings = report.findings.into_iter().map(|of| KeptFinding {
            rule: of.rule,
            severity: of.severity,
            confidence: of.confidence,
            entity: of.entity.map(Into::into),
            path: of.path,
            start: of.start,
            end: of.end,
        });
        let (turns, short) = if texts { (row.turns, row.short) } else { (Vec::new(), Vec::new()) };
        Self {
            row: report.row,
            bytes,
            verdict: report.verdict,
            scores: [injection, poison, duplicate].map(|score| score.map(f32::to_bits)),
            findings: findings.collect(),
            coverage: report.coverage,
            canary: report.canary,
            turns: turns.into_iter().map(|turn| (turn.role, turn.path, turn.text)).collect(),
            short,
        }
    }

    fn opened(self, source: &str) -> (RowReport, Row, usize) {
        let row = Row {
            turns: self.turns.into_iter().map(|(role, path, text)| Turn { path, role, text }).collect(),
            short: self.short,
            ..Row::default()
        };
        let mut report = RowReport::new(source, self.row, &row);
        let [injection, poison, duplicate] = self.scores.map(|score| score.map(f32::from_bits));
        report.verdict = self.verdict;
        report.scores = Scores { injection, poison, duplicate };
        report.coverage = self.coverage;
        report.canary = self.canary;
        report.findings = self
            .findings
            .into_iter()
            .map(|of| FindingRecord {
                rule: of.rule,
                severity: of.severity,
                confidence: of.confidence,
                entity: of.entity.map(Into::into),
                path: of.path,
                start: of.start,
                end: of.end,
                in_use: None,
            })
            .collect();
        (report, row, self.bytes)
    }
}

/// Where a run is in a file.
#[derive(Clone, Copy, Debug)]
struct Entry {
    unit: usize,
    block: u64,
    before: u64,
    items: u64,
    offset: u64,
    length: u32,
}

/// A ledger.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    head: Head,
    entries: Vec<Entry>,
    finished: bool,
}

#[derive(Serialize, Deserialize)]
enum Record {
    Head(Head),
    Run { unit: usize, block: u64, before: u64, items: u64 },
    Done,
}

fn wrong(path: &Path, why: impl Into<String>) -> DataError {
    DataError::Ledger { path: path.to_owned(), why: why.into() }
}

impl Ledger {
    /// Opens the ledger of a job over a part of a corpus, or begins it. `job` is everything besides the corpus that the
    /// answer depends on; `texts` says whether the pass over the corpus is wanted.
    ///
    /// # Errors
    /// The file cannot be used, is in use, or is about something else.
    pub fn open(path: &Path, corpus: &Corpus, job: &str, texts: bool) -> Result<Self, DataError> {
        let failed = |error: io::Error| wrong(path, error.to_string());
        let units = corpus.units.iter().map(Source::of).collect();
        let Shard { index, count } = corpus.shard;
        let head = Head { job: job.to_owned(), texts, index, count, units };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // It holds the texts of the rows.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        file.try_lock().map_err(|_| wrong(path, "another process writes to it"))?;
        let found = scan(path, &mut file)?;
        let Some((known, entries, finished, end)) = found else {
            // Nothing that was begun can be lost: it is empty, or no ledger yet.
            file.set_len(0).map_err(failed)?;
            file.rewind().map_err(failed)?;
            let mut ledger =
                Self { path: path.to_owned(), file, head: head.clone(), entries: Vec::new(), finished: false };
            ledger.file.write_all(MAGIC).map_err(failed)?;
            ledger.append(&Record::Head(head), &[]).map_err(failed)?;
            return Ok(ledger);
        };
        if known != head {
            let what = if known.units == head.units { "other rules, options or shards" } else { "other files" };
            return Err(wrong(path, format!("it is about {what}; remove it, or name another")));
        }
        file.set_len(end).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, head, entries, finished })
    }

    /// Reads a ledger that is finished.
    fn finished(path: &Path) -> Result<Self, DataError> {
        let mut file = File::open(path).map_err(|error| wrong(path, error.to_string()))?;
        let (head, entries, finished, _) = scan(path, &mut file)?.ok_or_else(|| wrong(path, "it is no ledger"))?;
        if !finished {
            let (index, count) = (head.index, head.count);
            return Err(wrong(path, format!("shard {index} of {count} is not finished; run it again, and it goes on")));
        }
        Ok(Self { path: path.to_owned(), file, head, entries, finished })
    }

    /// How many rows and gaps are in it.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.entries.iter().map(|entry| entry.items).sum()
    }

    fn append(&mut self, record: &Record, payload: &[u8]) -> io::Result<(u64, u32)> {
        let head = serde_json::to_vec(record)?;
        let mut body = Vec::with_capacity(head.len() + payload.len() + 4);
        body.extend(u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend(&head);
        body.extend(payload);
        let length = u32::try_from(body.len()).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("a run of rows is longer than a record may be"))?;
        let offset = self.file.stream_position()? + FRAME as u64 + 4 + head.len() as u64;
        let mut frame = length.to_le_bytes().to_vec();
        frame.extend(xxh3_64(&body).to_le_bytes());
        frame.extend(body);
        self.file.write_all(&frame)?;
        Ok((offset, u32::try_from(payload.len()).unwrap_or(u32::MAX)))
    }

    /// Examines what is not in the ledger yet.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn fill(&mut self, scanner: &Scanner<'_>) -> Result<(), DataError> {
        if self.finished {
            return Ok(());
        }
        let last = self.entries.last().copied();
        let done = |unit: usize| match last {
            Some(last) if unit < last.unit => u64::MAX,
            Some(last) if unit == last.unit => last.before + last.items,
            _ => 0,
        };
        let (corpus, texts, path) = (scanner.corpus, self.head.texts, self.path.clone());
        let work = |at: At, cell: &crate::Cell| {
            let row = Row::new(cell, &corpus.columns);
            let report = scanner.text(at, &row, &mut |_, _| {});
            let bytes = bytes(&row);
            KeptRow::new(report, row, bytes, texts)
        };
        corpus.runs(&done, &work, &mut |run| {
            let Run { unit, block, before, made } = run;
            let items: Vec<KeptItem> = made
                .into_iter()
                .map(|passed| match passed {
                    Passed::Row(_, row) => KeptItem::Row(Box::new(row)),
                    Passed::Gap(at, gap) => KeptItem::Gap { gap, next: at.row },
                })
                .collect();
            let count = items.len() as u64;
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            serde_json::to_writer(&mut packed, &Kept { unit, block, before, items })?;
            let (offset, length) =
                self.append(&Record::Run { unit, block, before, items: count }, &packed.finish()?)?;
            self.entries.push(Entry { unit, block, before, items: count, offset, length });
            Ok(())
        })?;
        let ended = self.append(&Record::Done, &[]).and_then(|_| self.file.sync_all());
        ended.map_err(|error| wrong(&path, error.to_string()))?;
        self.finished = true;
        Ok(())
    }

    fn run(&self, entry: &Entry) -> Result<Kept, DataError> {
        let failed = |error: io::Error| wrong(&self.path, error.to_string());
        let mut file = &self.file;
        file.seek(SeekFrom::Start(entry.offset)).map_err(failed)?;
        let packed = BufReader::new(file.take(u64::from(entry.length)));
        let kept: Kept = serde_json::from_reader(BufReader::new(GzDecoder::new(packed)))
            .map_err(|error| wrong(&self.path, format!("a record is broken: {error}")))?;
        let same = (kept.unit, kept.block, kept.before) == (entry.unit, entry.block, entry.before);
        if same { Ok(kept) } else { Err(wrong(&self.path, "a record is not where it belongs")) }
    }
}

type Scanned = (Head, Vec<Entry>, bool, u64);

/// Everything up to the first record that is broken or cut off. Nothing where there is not even a head; an error where
/// the file is something else.
fn scan(path: &Path, file: &mut File) -> Result<Option<Scanned>, DataError> {
    let failed = |error: io::Error| wrong(path, error.to_string());
    let mut input = BufReader::with_capacity(1 << 18, file);
    let mut magic = Vec::new();
    input.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(failed)?;
    if !MAGIC.starts_with(&magic) {
        return Err(wrong(path, "it is no ledger"));
    }
    let (mut end, mut head, mut entries, mut finished) = (magic.len() as u64, None, Vec::new(), false);
    loop {
        let mut frame = [0; FRAME];
        if input.read_exact(&mut frame).is_err() {
            break;
        }
        let [a, b, c, d, sum @ ..] = frame;
        let length = u32::from_le_bytes([a, b, c, d]);
        let mut body = Vec::new();
        let whole = length <= LONGEST
            && input.by_ref().take(u64::from(length)).read_to_end(&mut body).is_ok_and(|read| read == length as usize)
            && xxh3_64(&body) == u64::from_le_bytes(sum);
        let split = body
            .split_first_chunk::<4>()
            .and_then(|(long, rest)| rest.split_at_checked(usize::try_from(u32::from_le_bytes(*long)).ok()?));
        let Some((record, payload)) = split.filter(|_| whole) else { break };
        let Ok(record) = serde_json::from_slice::<Record>(record) else { break };
        let after = end + FRAME as u64 + u64::from(length);
        match record {
            Record::Head(of) if head.is_none() => head = Some(of),
            Record::Run { unit, block, before, items } if head.is_some() && !finished => {
                let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                entries.push(Entry { unit, block, before, items, offset: after - u64::from(length), length });
            }
            Record::Done if head.is_some() => finished = true,
            _ => break,
        }
        end = after;
    }
    Ok(head.map(|head| (head, entries, finished, end)))
}

/// All ledgers of a job: what is known of each row of a corpus.
#[derive(Debug)]
pub struct Ledgers {
    all: Vec<Ledger>,
    /// Runs in the order of the rows: ledger and entry.
    order: Vec<(usize, usize)>,
    corpus: Corpus,
}

impl Ledgers {
    /// Those of all shards, in files and folders.
    ///
    /// # Errors
    /// One cannot be read or is not finished, they are about different things, or a shard is missing.
    pub fn read(paths: &[PathBuf]) -> Result<Self, DataError> {
        let mut files = Vec::new();
        for path in paths {
            let failed = |error| DataError::Unreadable { path: path.clone(), error };
            if std::fs::metadata(path).map_err(failed)?.is_dir() {
                for entry in std::fs::read_dir(path).map_err(failed)? {
                    let found = entry.map_err(failed)?.path();
                    if found.extension().is_some_and(|end| end == "ledger") {
                        files.push(found);
                    }
                }
            } else {
                files.push(path.clone());
            }
        }
        files.sort();
        let all: Vec<Ledger> = files.iter().map(|file| Ledger::finished(file)).collect::<Result<_, _>>()?;
        Self::of(all)
    }

    /// Those of all shards.
    ///
    /// # Errors
    /// They are about different things, or a shard is missing or there twice.
    pub fn of(all: Vec<Ledger>) -> Result<Self, DataError> {
        let Some(first) = all.first() else {
            return Err(wrong(Path::new("."), "there is no file that ends with `.ledger`"));
        };
        let count = first.head.count;
        let mut shards: BTreeMap<u64, &Path> = BTreeMap::new();
        for ledger in &all {
            let alike = Head { index: first.head.index, ..ledger.head.clone() } == first.head;
            if !alike {
                let why = format!("it is about something else than `{}`", first.path.display());
                return Err(wrong(&ledger.path, why));
            }
            if let Some(other) = shards.insert(ledger.head.index, &ledger.path) {
                return Err(wrong(&ledger.path, format!("it is the same shard as `{}`", other.display())));
            }
        }
        let missing: Vec<String> =
            (1..=count).filter(|index| !shards.contains_key(index)).take(20).map(|index| index.to_string()).collect();
        if !missing.is_empty() {
            return Err(wrong(&first.path, format!("of {count} shards these are missing: {}", missing.join(", "))));
        }
        let mut order = Vec::new();
        for (number, ledger) in all.iter().enumerate() {
            let place = |(at, entry): (usize, &Entry)| ((entry.unit, entry.block, entry.before), (number, at));
            order.extend(ledger.entries.iter().enumerate().map(place));
        }
        order.sort_unstable();
        let order = order.into_iter().map(|(_, place)| place).collect();
        let unit = |source: &Source| Unit::new(PathBuf::new(), source.name.clone());
        let corpus = Corpus {
            units: first.head.units.iter().map(unit).collect(),
            reading: Reading::default(),
            columns: crate::Columns::default(),
            shard: Shard::ALL,
        };
        Ok(Self { all, order, corpus })
    }

    /// Names of the files.
    #[must_use]
    pub const fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn runs(&self, then: &mut dyn FnMut(Kept) -> Result<(), DataError>) -> Result<(), DataError> {
        for (ledger, entry) in &self.order {
            let ledger = self.all.get(*ledger);
            if let Some((ledger, entry)) = ledger.and_then(|ledger| Some((ledger, ledger.entries.get(*entry)?))) {
                then(ledger.run(entry)?)?;
            }
        }
        Ok(())
    }

    /// The pass over the corpus, in about `memory` bytes. Nothing where it was not asked for.
    ///
    /// # Errors
    /// A ledger cannot be read.
    pub fn look(&self, memory: usize) -> Result<Option<Whole>, DataError> {
        if !self.has_texts() {
            return Ok(None);
        }
        let mut all = Gatherer::new(memory);
        self.runs(&mut |kept| {
            let unit = kept.unit;
            let made: Vec<_> = kept
                .items
                .into_par_iter()
                .filter_map(|item| match item {
                    KeptItem::Row(row) => {
                        let at = At { unit, row: row.row };
                        let (report, row, _) = row.opened("");
                        (report.canary != Some(Canary::Planted)).then(|| (at, Gatherer::of(&row)))
                    }
                    KeptItem::Gap { .. } => None,
                })
                .collect();
            made.into_iter().for_each(|(at, of)| all.add(at, of));
            Ok(())
        })?;
        Ok(Some(all.finish()))
    }

    /// True where the texts of rows are known.
    #[must_use]
    pub fn has_texts(&self) -> bool {
        self.all.iter().all(|ledger| ledger.head.texts)
    }

    /// What is said of each row and of what was not read, in order. `scanner` adds what only the corpus shows.
    ///
    /// # Errors
    /// A ledger cannot be read, or `then` wants no more.
    pub fn each(
        &self,
        scanner: &Scanner<'_>,
        then: &mut dyn FnMut(Passed<Looked>) -> io::Result<()>,
    ) -> Result<(), DataError> {
        self.runs(&mut |kept| {
            let unit = kept.unit;
            let name = self.corpus.units.get(unit).map_or("", |unit| unit.name.as_str());
            for item in kept.items {
                match item {
                    KeptItem::Row(row) => {
                        let at = At { unit, row: row.row };
                        let (mut report, row, bytes) = row.opened(name);
                        scanner.corpus(at, &row, &mut report);
                        then(Passed::Row(at, Looked::new(report, bytes)))?;
                    }
                    KeptItem::Gap { gap, next } => then(Passed::Gap(At { unit, row: next }, Gap { next, ..gap }))?,
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bartizan_guard::{Guard, Settings};
    use proptest::prelude::*;

    use super::*;
    use crate::layout::Columns;
    use crate::read::units;
    use crate::whole::look;

    fn corpus(folder: &Path, shard: Shard) -> Corpus {
        Corpus {
            units: units(&[folder.to_owned()]).unwrap(),
            reading: Reading::default(),
            columns: Columns::default(),
            shard,
        }
    }

    /// What is said of every row and gap, as text.
    fn said(passed: Passed<Looked>) -> String {
        match passed {
            Passed::Row(at, looked) => {
                format!(
                    "{at:?} {} {:?} {}",
                    looked.bytes,
                    looked.worst(),
                    serde_json::to_string(&looked.report).unwrap()
                )
            }
            Passed::Gap(at, gap) => format!("{at:?} {}", serde_json::to_string(&gap).unwrap()),
        }
    }

    /// A folder with two files: some rows with findings, copies, and lines that are broken.
    fn rows(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        let mut lines = String::new();
        for row in crate::suite::attacked(crate::suite::Family::RareToken, 2300, 60, 7).0 {
            lines.push_str(&format!("{}\n", row.json()));
        }
        lines.insert_str(0, "{\"text\":\"mail ann.lee@posteo.org at once\"}\n{\"text\":\n");
        fs::write(folder.join("a.jsonl"), lines.repeat(2)).unwrap();
        fs::write(folder.join("b.jsonl"), "{\"text\":\"one\"}\n[\n{\"text\":\"one\"}\n").unwrap();
    }

    fn answer(ledgers: &Ledgers) -> (Vec<String>, String) {
        let whole = ledgers.look(64 << 20).unwrap();
        let mut lines = Vec::new();
        let scanner = Scanner { whole: whole.as_ref(), ..Scanner::new(ledgers.corpus(), None) };
        ledgers
            .each(&scanner, &mut |passed| {
                lines.push(said(passed));
                Ok(())
            })
            .unwrap();
        let whole = whole.unwrap();
        (lines, format!("{:?} {:?}", whole.poisoning.triggers, whole.duplicates.clusters))
    }

    /// What one pass says, and what any number of shards says.
    fn alike(home: &Path, folder: &Path, guard: Option<&Guard>, counts: &[u64]) -> Whole {
        let all = corpus(folder, Shard::ALL);
        let whole = look(&all, 64 << 20).unwrap();
        let mut direct = Vec::new();
        let scanner = Scanner { whole: Some(&whole), ..Scanner::new(&all, guard) };
        all.each(&|at, row| scanner.look(at, row), &mut |passed| {
            direct.push(said(passed));
            Ok(())
        })
        .unwrap();
        let wanted = (direct, format!("{:?} {:?}", whole.poisoning.triggers, whole.duplicates.clusters));
        for count in counts {
            let ledgers = (1..=*count).map(|index| {
                let part = corpus(folder, Shard { index, count: *count });
                let path = home.join(format!("{count}-{index}.ledger"));
                let mut ledger = Ledger::open(&path, &part, "job", true).unwrap();
                ledger.fill(&Scanner::new(&part, guard)).unwrap();
                ledger
            });
            assert_eq!(answer(&Ledgers::of(ledgers.collect()).unwrap()), wanted, "{count}");
        }
        whole
    }

    #[test]
    fn any_number_of_shards_says_what_one_pass_says_and_so_does_one_that_was_ended() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("rows");
        rows(&folder);
        let whole = alike(home.path(), &folder, None, &[1, 3]);
        assert!(!whole.poisoning.triggers.is_empty() && whole.duplicates.rows > 2300);
        // Ended anywhere, also in the middle of a record.
        let path = home.path().join("1-1.ledger");
        let bytes = fs::read(&path).unwrap();
        let part = corpus(&folder, Shard::ALL);
        for cut in [0, 5, MAGIC.len() + 3, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..cut]).unwrap();
            if cut > 400 {
                let refused = Ledgers::read(std::slice::from_ref(&path)).unwrap_err().to_string();
                assert!(refused.contains("not finished"), "{refused}");
            }
            let mut ledger = Ledger::open(&path, &part, "job", true).unwrap();
            ledger.fill(&Scanner::new(&part, None)).unwrap();
            drop(ledger);
            assert!(fs::read(&path).unwrap() == bytes, "{cut}: other bytes");
        }
    }

    #[test]
    fn findings_come_back_from_a_ledger_as_they_were() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("rows");
        fs::create_dir(&folder).unwrap();
        let mail = "{\"text\":\"mail ann.lee@posteo.org at once\"}\n";
        fs::write(folder.join("a.jsonl"), format!("{mail}{{\"text\":\n{{\"prompt\":\"who?\",\"response\":\"he\"}}\n"))
            .unwrap();
        fs::write(folder.join("b.jsonl"), format!("{mail}{{\"text\":\"see \u{e0049}\u{e0067}\u{e006e} this\"}}\n"))
            .unwrap();
        let guard = Guard::new(&Settings::default()).unwrap();
        let whole = alike(home.path(), &folder, Some(&guard), &[1, 2]);
        assert_eq!(whole.duplicates.rows, 1);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("rows");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.jsonl"), "{\"text\":\"one\"}\n").unwrap();
        let at = |name: &str| home.path().join(name);
        let filled = |name: &str, job: &str, shard: Shard| {
            let part = corpus(&folder, shard);
            let mut ledger = Ledger::open(&at(name), &part, job, false).unwrap();
            ledger.fill(&Scanner::new(&part, None)).unwrap();
        };
        let two = |index| Shard { index, count: 2 };
        filled("a.ledger", "job", two(1));
        let refused = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(|name| at(name)).collect();
            Ledgers::read(&paths).unwrap_err().to_string()
        };
        assert!(refused(&["a.ledger"]).contains("missing: 2"));
        filled("b.ledger", "job", two(1));
        assert!(refused(&["a.ledger", "b.ledger"]).contains("same shard"));
        filled("c.ledger", "other", two(2));
        assert!(refused(&["a.ledger", "c.ledger"]).contains("something else"));
        filled("d.ledger", "job", two(2));
        let both = [at("a.ledger"), at("d.ledger")];
        assert!(Ledgers::read(&both).unwrap().look(1 << 20).unwrap().is_none(), "no texts were kept");
        let open = |shard| Ledger::open(&at("a.ledger"), &corpus(&folder, shard), "job", false);
        assert!(open(two(2)).unwrap_err().to_string().contains("other rules, options or shards"));
        fs::write(folder.join("a.jsonl"), "{\"text\":\"two\"}\n").unwrap();
        assert!(open(two(1)).unwrap_err().to_string().contains("other files"));
        // A change far from both ends, of the same length.
        let row = |word: &str| format!("{{\"text\":\"{}{word}{}\"}}\n", "x".repeat(1 << 17), "x".repeat(1 << 17));
        fs::write(folder.join("a.jsonl"), row("one")).unwrap();
        filled("f.ledger", "job", Shard::ALL);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(at("f.ledger")).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(folder.join("a.jsonl"), row("two")).unwrap();
        let other = Ledger::open(&at("f.ledger"), &corpus(&folder, Shard::ALL), "job", false).unwrap_err();
        assert!(other.to_string().contains("other files"), "{other}");
        fs::write(at("e.ledger"), "something else entirely").unwrap();
        assert!(refused(&["e.ledger"]).contains("no ledger"));
        assert!(
            Ledger::open(&at("e.ledger"), &corpus(&folder, two(1)), "job", false).is_err(),
            "it is not overwritten"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Neither the order of the rows nor the shards nor the threads change what is said of a row.
        #[test]
        fn order_and_shards_change_nothing(seed in any::<u64>(), count in 1_u64..5, threads in 1_usize..4) {
            let home = tempfile::tempdir().unwrap();
            let made = crate::suite::clean(true, 60, 3);
            let mut lines: Vec<String> = made.iter().map(|row| row.json().to_string()).collect();
            let turn = usize::try_from(seed % 60).unwrap();
            let answer = |lines: &[String], name: &str, count: u64, threads: usize| {
                let folder = home.path().join(name);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("a.jsonl"), lines.join("\n")).unwrap();
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let ledgers = (1..=count).map(|index| {
                    let part = corpus(&folder, Shard { index, count });
                    let path = home.path().join(format!("{name}-{index}.ledger"));
                    let mut ledger = Ledger::open(&path, &part, "job", true).unwrap();
                    pool.install(|| ledger.fill(&Scanner::new(&part, None))).unwrap();
                    ledger
                }).collect();
                let ledgers = Ledgers::of(ledgers).unwrap();
                let whole = ledgers.look(1 << 20).unwrap();
                let mut said = Vec::new();
                let scanner = Scanner { whole: whole.as_ref(), ..Scanner::new(ledgers.corpus(), None) };
                ledgers.each(&scanner, &mut |passed| {
                    if let Passed::Row(_, looked) = passed {
                        said.push(format!("{:?}", looked.report.scores));
                    }
                    Ok(())
                }).unwrap();
                said
            };
            let mut one = answer(&lines, "one", 1, 1);
            lines.rotate_left(turn);
            let other = answer(&lines, "other", count, threads);
            one.rotate_left(turn);
            prop_assert_eq!(one, other);
        }
    }
}
