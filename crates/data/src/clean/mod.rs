//! A corpus without what must not be trained on: rows left out or set aside, places masked, values replaced.
//!
//! Every file becomes one of the same format. Rows that nothing is done with keep their bytes in JSON, and their values in
//! the other formats. What was changed is looked at again, and set aside where it still has what was to go.

mod arrays;
mod edit;
mod manifest;
mod plan;
mod surrogate;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use arrow_array::BooleanArray;
use arrow_select::filter::filter_record_batch;
use bartizan_core::{Action, Finding, Source, Verdict};
use bartizan_guard::Decision;
use bartizan_sign::hex;
use rayon::prelude::*;
use serde::Serialize;

pub use manifest::{CORPUS, Manifest, Said, said};
pub(crate) use plan::What;
pub use plan::{Choice, On, Plan};
pub use surrogate::Names;
pub(crate) use write::hashed;

use crate::cell::Cell;
use crate::error::DataError;
use crate::examine::RowReport;
use crate::layout::{Role, Row, places, telling};
use crate::pass::{At, Full, Passed};
use crate::read::{Batch, Body, Form, Gap, Item, Record, Shape, cells, read_as};
use crate::scanner::{Looked, Scanner, bytes, partial};
use edit::Edit;
use write::Output;

/// How often a text is looked at again before its row is set aside.
const AGAIN: usize = 3;

/// What is done.
#[derive(Clone, Copy, Debug)]
pub struct Cleaning<'a> {
    /// What rows are looked at with.
    pub scanner: Scanner<'a>,
    /// What is done with what is found.
    pub plan: &'a Plan,
    /// The key of surrogates.
    pub names: Option<&'a Names>,
}

/// Where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The file, where one file was given, or the folder.
    pub out: PathBuf,
    /// True where it is a file.
    pub file: bool,
    /// Rows that were set aside: a file or folder likewise.
    pub quarantine: PathBuf,
    /// A JSON line for each row that is not in the corpus any more.
    pub removed: PathBuf,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Path below the corpus; the name where it is one file.
    pub name: String,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
}

/// What became of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cleaned {
    /// The file that was read.
    pub source: String,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// What was written of it; nothing where it holds no rows that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Written>,
    /// What was set aside of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Written>,
    /// Rows by what was done with them.
    pub actions: BTreeMap<Action, u64>,
    /// Findings by rule, and what was done for them.
    pub rules: BTreeMap<String, BTreeMap<Choice, u64>>,
    /// Places that were not read and are not in the output.
    pub unread: u64,
}

/// What is to be done with one row.
enum Outcome {
    Keep,
    Change(Edit),
    Drop,
    Quarantine,
}

impl Outcome {
    const fn action(&self) -> Action {
        match self {
            Self::Keep => Action::Pass,
            Self::Change(_) => Action::Mask,
            Self::Drop => Action::Drop,
            Self::Quarantine => Action::Quarantine,
        }
    }
}

/// A row that was judged.
struct Judged {
    looked: Looked,
    choices: Vec<Choice>,
    outcome: Outcome,
    id: Option<String>,
}

/// Keys under which rows tell who they are.
const IDS: [&str; 6] = ["id", "_id", "doc_id", "document_id", "uuid", "uid"];

impl Cleaning<'_> {
    /// Writes the corpus. Nothing has its name before all of it is written, the output last of all. Gives what is said
    /// of each row to `see`, in order.
    ///
    /// # Errors
    /// Something cannot be written, or `see` wants no more.
    pub fn run(
        &self,
        target: &Target,
        see: &mut dyn FnMut(Passed<Looked>) -> io::Result<()>,
    ) -> Result<Vec<Cleaned>, DataError> {
        let work = write::part_of(&target.out);
        let unwritable = |path: &Path, error| DataError::Unwritable { what: path.display().to_string(), error };
        if work.exists() {
            std::fs::remove_dir_all(&work).map_err(|error| unwritable(&work, error))?;
        }
        // They may be all that is left of rows of an earlier run.
        let free = || [&target.quarantine, &target.removed].into_iter().find(|path| path.exists());
        let taken = || io::Error::new(io::ErrorKind::AlreadyExists, "it is there already; move it or remove it");
        if let Some(path) = free() {
            return Err(unwritable(path, taken()));
        }
        let (corpus, aside) = (work.join("corpus"), work.join("quarantine"));
        for folder in [&corpus, &aside] {
            std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
        }
        let mut all = Vec::new();
        let list = work.join("removed.jsonl");
        let removed = write::sealed(&list).map_err(|error| unwritable(&list, error))?;
        let mut sides = Sides { removed: io::BufWriter::new(removed), see };
        for (number, unit) in self.scanner.corpus.units.iter().enumerate() {
            let one = if target.file { target.out.file_name().map(PathBuf::from) } else { Some(unit.below.clone()) };
            let name = one.unwrap_or_default();
            let (to, aside) = (corpus.join(&name), aside.join(&name));
            let mut run = File {
                job: self,
                number,
                to,
                aside,
                made: Cleaned::default(),
                out: None,
                held: None,
                form: None,
                aside_all: false,
            };
            run.made.source.clone_from(&unit.name);
            run.pass(&mut sides)?;
            all.push(run.finish(&slashed(&name)).map_err(|error| unwritable(&target.out, error))?);
        }
        sides
            .removed
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .map_err(|error| unwritable(&list, error))?;
        let has = |written: fn(&Cleaned) -> bool| all.iter().any(written);
        let moved = || -> io::Result<()> {
            if free().is_some() {
                return Err(taken());
            }
            if has(|file| file.quarantine.is_some()) {
                move_in(&aside, &target.quarantine, target.file)?;
            }
            std::fs::rename(&list, &target.removed)?;
            move_in(&corpus, &target.out, target.file)?;
            std::fs::remove_dir_all(&work)
        };
        moved().map_err(|error| unwritable(&target.out, error))?;
        Ok(all)
    }

    /// What is done for the findings of a text, and with its row.
    fn choose(&self, decision: &Decision, source: Source) -> (Vec<(Finding, Choice)>, Choice) {
        let Some(guard) = self.scanner.guard else { return (Vec::new(), Choice::Keep) };
        let mut row = Choice::Keep;
        let mut denied = false;
        let findings: Vec<(Finding, Choice)> = decision
            .findings
            .iter()
            .map(|finding| {
                let choice = self.plan.of_text(guard, finding, source);
                denied |= guard.verdict(finding, source, bartizan_core::Direction::Request) >= Verdict::Hold;
                if choice >= Choice::Drop {
                    row = row.max(choice);
                }
                (finding.clone(), choice)
            })
            .collect();
        if partial(&decision.coverage) {
            row = row.max(self.plan.of_unread());
        } else if decision.verdict >= Verdict::Hold && !denied {
            row = row.max(self.plan.of_score());
        }
        (findings, row)
    }

    /// The text without what is to go from it; `None` where that does not help.
    fn rewritten(&self, text: &str, source: Source, findings: &[(Finding, Choice)]) -> Option<String> {
        let guard = self.scanner.guard?;
        let mut text = surrogate::replaced(text, findings, self.names);
        for _ in 0..AGAIN {
            let (left, row) = self.choose(&guard.check_text(&text, source), source);
            if row > Choice::Keep {
                return None;
            }
            let left: Vec<_> = left.into_iter().filter(|(_, choice)| *choice == Choice::Redact).collect();
            if left.is_empty() {
                return Some(text);
            }
            text = surrogate::replaced(&text, &left, self.names);
        }
        None
    }

    /// True where the names that a file begins with hold what is to go. They are in all that is written of it.
    fn names_hold(&self, form: &Form) -> bool {
        let Some(guard) = self.scanner.guard else { return false };
        let holds = |name: &str| {
            let source = Role::Name.source();
            let (findings, row) = self.choose(&guard.check_text(name, source), source);
            row > Choice::Keep || findings.iter().any(|(_, choice)| *choice > Choice::Keep)
        };
        match &form.shape {
            Shape::Table { head, .. } => head.iter().any(|name| holds(&String::from_utf8_lossy(name))),
            Shape::Parquet { schema, .. } | Shape::ArrowFile(schema) | Shape::ArrowStream(schema) => {
                schema.flattened_fields().iter().any(|field| telling(field.name()) && holds(field.name()))
            }
            _ => false,
        }
    }

    /// Judges a row, which does not stay in any case where `aside`.
    fn judge(&self, at: At, cell: &Cell, aside: bool) -> Judged {
        let row = Row::new(cell, &self.scanner.corpus.columns);
        let (mut choices, mut strictest) = (Vec::new(), Choice::Keep);
        let mut texts: Vec<(usize, Option<String>)> = Vec::new();
        let mut report = self.scanner.text(at, &row, &mut |turn, decision| {
            let Some(said) = row.turns.get(turn) else { return };
            let source = said.role.source();
            let (findings, of_row) = self.choose(decision, source);
            choices.extend(findings.iter().map(|(_, choice)| *choice));
            strictest = strictest.max(of_row);
            if findings.iter().any(|(_, choice)| matches!(choice, Choice::Redact | Choice::Pseudonym)) {
                texts.push((turn, self.rewritten(&said.text, source, &findings)));
            }
        });
        self.scanner.corpus(at, &row, &mut report);
        for finding in report.findings.get(choices.len()..).unwrap_or_default() {
            let choice = self.plan.of_row(&finding.rule);
            choices.push(choice);
            strictest = strictest.max(choice);
        }
        if partial(&report.coverage) {
            strictest = strictest.max(self.plan.of_unread());
        }
        if aside && strictest < Choice::Drop {
            strictest = Choice::Quarantine;
        }
        let outcome = match strictest {
            Choice::Quarantine => Outcome::Quarantine,
            Choice::Drop => Outcome::Drop,
            _ if texts.is_empty() => Outcome::Keep,
            _ => self.edit(cell, texts).map_or(Outcome::Quarantine, Outcome::Change),
        };
        let gone = matches!(outcome, Outcome::Drop | Outcome::Quarantine);
        let dealt = choices.iter().map(|choice| *choice != Choice::Keep || gone).collect();
        report.action = Some(outcome.action());
        let id = if gone { identifier(cell, &report) } else { None };
        Judged { looked: Looked { report, bytes: bytes(&row), dealt }, choices, outcome, id }
    }

    fn edit(&self, cell: &Cell, texts: Vec<(usize, Option<String>)>) -> Option<Edit> {
        let places = places(cell, &self.scanner.corpus.columns);
        let texts: Option<Vec<(&[u32], String)>> =
            texts.into_iter().map(|(turn, text)| Some((&**places.get(turn)?, text?))).collect();
        Edit::of(texts?.into_iter())
    }
}

/// What tells the row from others, where nothing was found in it.
fn identifier(cell: &Cell, report: &RowReport) -> Option<String> {
    let found = |key: &str| {
        let paths = report.findings.iter().filter_map(|finding| finding.path.as_deref()?.strip_prefix('/'));
        let mut paths = paths.filter_map(|path| path.strip_prefix(key));
        paths.any(|rest| rest.is_empty() || rest.starts_with(['#', '/']))
    };
    IDS.iter().filter(|key| !found(key)).find_map(|key| cell.get(key)?.word())
}

/// A path with `/` between its parts.
fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Gives what was written its name: the folder, or the one file in it.
fn move_in(folder: &Path, to: &Path, file: bool) -> io::Result<()> {
    if !file {
        return std::fs::rename(folder, to);
    }
    match std::fs::read_dir(folder)?.next() {
        Some(entry) => std::fs::rename(entry?.path(), to),
        None => Ok(()),
    }
}

/// What goes beside the files.
struct Sides<'s> {
    removed: io::BufWriter<std::fs::File>,
    see: &'s mut dyn FnMut(Passed<Looked>) -> io::Result<()>,
}

/// One file on its way.
struct File<'a, 'b> {
    job: &'a Cleaning<'b>,
    number: usize,
    to: PathBuf,
    aside: PathBuf,
    made: Cleaned,
    form: Option<Box<Form>>,
    /// True where no row of it stays, because of its names.
    aside_all: bool,
    out: Option<Output>,
    held: Option<Output>,
}

/// What a row is before it is written.
enum Raw {
    Json(Vec<u8>),
    Cell(Cell),
}

impl File<'_, '_> {
    fn pass(&mut self, sides: &mut Sides<'_>) -> Result<(), DataError> {
        let corpus = self.job.scanner.corpus;
        let Some(unit) = corpus.units.get(self.number) else { return Ok(()) };
        if unit.left.is_none()
            && let Ok((bytes, sha256)) = write::hashed(&unit.path)
        {
            (self.made.bytes, self.made.sha256) = (bytes, hex(&sha256));
        }
        let mut waiting = Full::default();
        read_as(unit, &corpus.reading, true, &mut |item| match item {
            Item::Form(form) => {
                self.aside_all = self.job.names_hold(&form);
                if !self.aside_all {
                    self.out = Some(Output::new(&self.to, &form, false)?);
                }
                self.form = Some(form);
                Ok(())
            }
            Item::Batch(batch) => self.batch(*batch, sides),
            Item::Row(_) | Item::Gap(_) => match waiting.add(item) {
                Some(items) => self.rows(items, sides),
                None => Ok(()),
            },
        })?;
        self.rows(waiting.rest(), sides)?;
        Ok(())
    }

    fn rows(&mut self, items: Vec<Item>, sides: &mut Sides<'_>) -> io::Result<()> {
        let judge = |record: Record| {
            let at = At { unit: self.number, row: record.row };
            let raw = match record.body {
                Body::Cell(cell) => return Ok((at, self.job.judge(at, &cell, self.aside_all), Raw::Cell(cell))),
                Body::Json(bytes) => bytes,
            };
            match (Record { row: at.row, body: Body::Json(raw.clone()) }).cell() {
                Ok(cell) => Ok((at, self.job.judge(at, &cell, self.aside_all), Raw::Json(raw))),
                Err(why) => Err((at, why, raw)),
            }
        };
        type Made = Result<(At, Judged, Raw), (At, String, Vec<u8>)>;
        let made: Vec<Result<Made, Gap>> = items
            .into_par_iter()
            .filter_map(|item| match item {
                Item::Row(record) => Some(Ok(judge(record))),
                Item::Gap(gap) => Some(Err(gap)),
                Item::Form(_) | Item::Batch(_) => None,
            })
            .collect();
        for one in made {
            match one {
                Ok(Ok((at, judged, raw))) => {
                    match (&judged.outcome, raw) {
                        (Outcome::Keep, Raw::Json(bytes)) => self.out()?.json(&bytes)?,
                        (Outcome::Keep, Raw::Cell(cell)) => self.out()?.cell(&cell)?,
                        (Outcome::Change(edit), Raw::Json(bytes)) => {
                            let bytes = edit::json(&bytes, edit)
                                .ok_or_else(|| io::Error::other("a row is JSON at one time and not at another"))?;
                            self.out()?.json(&bytes)?;
                        }
                        (Outcome::Change(edit), Raw::Cell(mut cell)) => {
                            edit::cell(&mut cell, edit);
                            self.out()?.cell(&cell)?;
                        }
                        (Outcome::Drop, _) => {}
                        (Outcome::Quarantine, Raw::Json(bytes)) => self.held()?.json(&bytes)?,
                        (Outcome::Quarantine, Raw::Cell(cell)) => self.held()?.cell(&cell)?,
                    }
                    self.count(at, judged, sides)?;
                }
                Ok(Err((at, why, bytes))) => {
                    let lines = self.form.as_ref().is_some_and(|form| matches!(form.shape, Shape::JsonLines));
                    if lines && self.job.plan.of_unread() == Choice::Quarantine {
                        self.held()?.json(&bytes)?;
                    }
                    self.unread(crate::pass::broken(self.job.scanner.corpus, at, why, bytes.len()), sides)?;
                }
                Err(gap) => self.unread(gap, sides)?,
            }
        }
        Ok(())
    }

    fn batch(&mut self, batch: Batch, sides: &mut Sides<'_>) -> io::Result<()> {
        let Batch { first, group, rows } = batch;
        let columns = rows.schema();
        let takes = |edit: &Edit| arrays::takes(&arrow_schema::DataType::Struct(columns.fields().clone()), edit);
        let judged: Vec<Result<Judged, usize>> = (0..rows.num_rows())
            .into_par_iter()
            .map(|row| {
                let cell = cells(&rows, row);
                let size = cell.size();
                if size > self.job.scanner.corpus.reading.max_row {
                    return Err(size);
                }
                let mut judged =
                    self.job.judge(At { unit: self.number, row: first + row as u64 }, &cell, self.aside_all);
                if matches!(&judged.outcome, Outcome::Change(edit) if !takes(edit)) {
                    judged.outcome = Outcome::Quarantine;
                    judged.looked.report.action = Some(Action::Quarantine);
                    judged.looked.dealt.fill(true);
                    judged.id = identifier(&cell, &judged.looked.report);
                }
                Ok(judged)
            })
            .collect();
        let chosen = |wanted: fn(&Outcome) -> bool| -> BooleanArray {
            judged.iter().map(|one| Some(one.as_ref().is_ok_and(|one| wanted(&one.outcome)))).collect()
        };
        let arrow = io::Error::other;
        let aside = chosen(|outcome| matches!(outcome, Outcome::Quarantine));
        if aside.true_count() > 0 {
            let held = filter_record_batch(&rows, &aside).map_err(arrow)?;
            self.held()?.batch(group, &held)?;
        }
        let edits: BTreeMap<usize, &Edit> = judged
            .iter()
            .enumerate()
            .filter_map(|(row, one)| match &one.as_ref().ok()?.outcome {
                Outcome::Change(edit) => Some((row, edit)),
                _ => None,
            })
            .collect();
        let kept = chosen(|outcome| matches!(outcome, Outcome::Keep | Outcome::Change(_)));
        let made = arrow_array::RecordBatch::try_new(rows.schema(), arrays::changed(&rows, &edits).map_err(arrow)?)
            .and_then(|made| filter_record_batch(&made, &kept))
            .map_err(arrow)?;
        if made.num_rows() > 0 {
            self.out()?.batch(group, &made)?;
        }
        for (row, one) in (first..).zip(judged) {
            let at = At { unit: self.number, row };
            match one {
                Ok(one) => self.count(at, one, sides)?,
                Err(size) => {
                    let corpus = self.job.scanner.corpus;
                    let why = format!("the row is longer than {} bytes", corpus.reading.max_row);
                    self.unread(crate::pass::broken(corpus, at, why, size), sides)?;
                }
            }
        }
        Ok(())
    }

    fn out(&mut self) -> io::Result<&mut Output> {
        self.out.as_mut().ok_or_else(|| io::Error::other("rows come before the format of their file is known"))
    }

    fn held(&mut self) -> io::Result<&mut Output> {
        let form = self.form.as_ref().ok_or_else(|| io::Error::other("the format of the file is not known"))?;
        match &mut self.held {
            Some(held) => Ok(held),
            held => Ok(held.insert(Output::new(&self.aside, form, true)?)),
        }
    }

    fn count(&mut self, at: At, judged: Judged, sides: &mut Sides<'_>) -> io::Result<()> {
        let Judged { looked, choices, outcome, id } = judged;
        *self.made.actions.entry(outcome.action()).or_default() += 1;
        for (finding, choice) in looked.report.findings.iter().zip(choices) {
            let rule = self.made.rules.entry(finding.rule.as_str().to_owned()).or_default();
            *rule.entry(choice).or_default() += 1;
        }
        if matches!(outcome, Outcome::Drop | Outcome::Quarantine) {
            #[derive(Serialize)]
            struct Line<'a> {
                source: &'a str,
                row: u64,
                #[serde(skip_serializing_if = "Option::is_none")]
                id: Option<&'a str>,
                action: Action,
                rules: std::collections::BTreeSet<&'a str>,
            }
            let report = &looked.report;
            let line = Line {
                source: &report.source,
                row: report.row,
                id: id.as_deref().filter(|id| id.len() <= 256),
                action: outcome.action(),
                rules: report.findings.iter().map(|finding| finding.rule.as_str()).collect(),
            };
            serde_json::to_writer(&mut sides.removed, &line)?;
            sides.removed.write_all(b"\n")?;
        }
        (sides.see)(Passed::Row(at, looked))
    }

    fn unread(&mut self, gap: Gap, sides: &mut Sides<'_>) -> io::Result<()> {
        self.made.unread += 1;
        (sides.see)(Passed::Gap(At { unit: self.number, row: gap.next }, gap))
    }

    fn finish(self, name: &str) -> io::Result<Cleaned> {
        let Self { mut made, out, held, form, to, aside, .. } = self;
        let document = form.is_some_and(|form| matches!(form.shape, Shape::JsonDocument));
        let written = |output: Option<Output>, path: &Path| -> io::Result<Option<Written>> {
            // A document without its row is no document.
            let Some(output) = output else { return Ok(None) };
            let rows = output.rows;
            if document && rows == 0 {
                output.discard()?;
                return Ok(None);
            }
            output.finish()?;
            let (bytes, sha256) = write::hashed(path)?;
            Ok(Some(Written { name: name.to_owned(), sha256: hex(&sha256), bytes, rows }))
        };
        made.output = written(out, &to)?;
        made.quarantine = written(held, &aside)?;
        Ok(made)
    }
}
