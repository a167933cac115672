//! Indexes of protected text: made from a corpus, and asked what a text repeats.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bartizan_protected::{Builder, Common, Index, Key, Match, Public, RUN, Records, Writer, Written};

use crate::{PrivacyError, corpus};

/// What to make an index from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Files and folders.
    pub corpus: Vec<PathBuf>,
    /// Text that everybody may repeat.
    pub public: Vec<PathBuf>,
    /// The column of rows that holds their text; all strings without one.
    pub column: Option<String>,
    /// In how many records a run of words is boilerplate.
    pub common: Common,
    /// Bytes of memory for fingerprints. A corpus with more of them is read several times.
    pub memory: u64,
}

/// Makes an index; a file that is there is replaced once the new one is whole.
///
/// # Errors
/// Something cannot be read or written, or there is no record.
pub fn build(plan: &Plan, key: &Key, out: &Path) -> Result<Written, PrivacyError> {
    let files = corpus::files(&plan.corpus)?;
    let mut public = Public::new(key.clone());
    for file in corpus::files(&plan.public)? {
        corpus::records(&file, None, |text| {
            public.add(text);
            Ok(())
        })?;
    }
    let size = |path: &PathBuf| std::fs::metadata(path).map(|m| m.len()).map_err(|e| PrivacyError::read(path, e));
    let bytes = files.iter().map(size).sum::<Result<u64, _>>()?;
    // A word of two letters with its blank is the shortest of ordinary text; a third of the words are kept, in 16 bytes.
    let parts =
        u32::try_from((bytes.saturating_mul(2) / plan.memory.max(1 << 20)).saturating_add(1)).unwrap_or(u32::MAX);
    let (mut sources, mut first) = (Vec::new(), Builder::new(key.clone(), 0, parts));
    read(&files, plan, &mut first, Some(&mut sources))?;
    let Some(records) = sources.last().map(|_| first.records()).filter(|count| *count > 0) else {
        return Err(PrivacyError::Empty);
    };

    let partial = out.with_extension("partial");
    let failed = |e: std::io::Error| PrivacyError::write(&partial, e);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&partial).map_err(failed)?;
    file.seek(SeekFrom::Start(Writer::<File>::HEAD as u64)).map_err(failed)?;
    let buffer = BufWriter::with_capacity(1 << 20, &file);
    let mut writer = Writer::new(buffer, key.clone(), plan.common, public, first.chosen(), records);
    writer.part(&mut first)?;
    for part in 1..parts {
        let mut builder = Builder::new(key.clone(), part, parts);
        read(&files, plan, &mut builder, None)?;
        writer.part(&mut builder)?;
    }
    let written = writer.finish(&first, &sources)?;
    if written.words == 0 {
        // Whoever uses such an index believes to be protected.
        std::fs::remove_file(&partial).map_err(failed)?;
        let column = plan.column.as_ref().map(|name| format!(" in its column `{name}`")).unwrap_or_default();
        return Err(PrivacyError::Unprotected { records: u64::from(records), run: RUN, column });
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.write_all(&written.head).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&partial, out).map_err(|e| PrivacyError::write(out, e))?;
    Ok(written)
}

fn read(
    files: &[PathBuf],
    plan: &Plan,
    builder: &mut Builder,
    mut sources: Option<&mut Vec<(String, u32)>>,
) -> Result<(), PrivacyError> {
    for file in files {
        if let Some(sources) = &mut sources {
            sources.push((file.display().to_string(), builder.records()));
        }
        corpus::records(file, plan.column.as_deref(), |text| Ok(builder.record(text).map(|_| ())?))?;
    }
    Ok(())
}

/// A passage of a text that repeats the corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// First byte, and one behind the last.
    pub bytes: (usize, usize),
    /// Records that all of its words may be from, as `FILE:NUMBER` with the number of the record in the file, from 1; a
    /// range where the index knows no better. The record with the most fingerprints comes first.
    pub records: Vec<String>,
}

/// First byte of a passage, and one behind the last.
type Bytes = (usize, usize);
/// Records, with how many fingerprints are from each.
type Counted = Vec<(usize, Records)>;

/// What a text repeats.
///
/// # Errors
/// The list of sources of the index was changed.
pub fn find(index: &Index, text: &str) -> Result<Vec<Passage>, PrivacyError> {
    let sources = index.sources()?;
    let mut matches: Vec<Match> = Vec::new();
    bartizan_protected::find(index, text, |found| matches.push(found));
    matches.sort_by_key(|found| found.span);
    let mut passages: Vec<(Bytes, Counted)> = Vec::new();
    for found in matches {
        let (start, end) = (found.span.start, found.span.end);
        match passages.last_mut() {
            Some((bytes, records)) if start < bytes.1 => {
                bytes.1 = bytes.1.max(end);
                match records.iter_mut().find(|(_, known)| *known == found.records) {
                    Some((count, _)) => *count += 1,
                    None => records.push((1, found.records)),
                }
            }
            _ => passages.push(((start, end), vec![(1, found.records)])),
        }
    }
    let named = |(bytes, mut records): (Bytes, Counted)| {
        records.sort_by_key(|(count, of)| (std::cmp::Reverse(*count), *of));
        Passage { bytes, records: records.iter().map(|(_, of)| name(&sources, *of)).collect() }
    };
    Ok(passages.into_iter().map(named).collect())
}

fn name(sources: &[(String, u32)], records: Records) -> String {
    let of = |number: u32| {
        let after = sources.partition_point(|(_, first)| *first <= number);
        let source = after.checked_sub(1).and_then(|at| sources.get(at));
        source.map_or_else(|| format!("{number}"), |(name, first)| format!("{name}:{}", number - first + 1))
    };
    if records.first == records.last {
        of(records.first)
    } else {
        format!("{} to {}", of(records.first), of(records.last))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_index_that_protects_nothing_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let (rows, out) = (folder.path().join("rows.jsonl"), folder.path().join("index.bzp"));
        let text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen";
        std::fs::write(&rows, serde_json::json!({ "text": text }).to_string()).unwrap();
        let key = Key::new(&"k".repeat(32)).unwrap();
        let plan = |column: &str| Plan {
            corpus: vec![rows.clone()],
            public: Vec::new(),
            column: Some(column.to_owned()),
            common: Common(3),
            memory: 1 << 20,
        };
        let refused = build(&plan("body"), &key, &out).unwrap_err().to_string();
        assert!(refused.contains("`body`") && std::fs::read_dir(folder.path()).unwrap().count() == 1, "{refused}");
        assert!(build(&plan("text"), &key, &out).is_ok() && out.exists());
    }

    #[test]
    fn rows_and_texts_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let rows = folder.path().join("rows.jsonl");
        let note = folder.path().join("note.txt");
        let out = folder.path().join("index.bzp");
        let secret = "when the tide is out the three brothers bury the chest under the second pillar of the old pier";
        let other =
            "nobody but the clerk has seen the letter in which the widow sells both mills to her younger cousin";
        std::fs::write(&rows, format!("{{\"q\":\"where?\",\"a\":\"{secret}\"}}\n\n{{\"a\":\"{other}\"}}\n")).unwrap();
        std::fs::write(&note, "a note in which the gardener counts the seeds of every row twice and writes them down")
            .unwrap();
        let key = Key::new("the key of a test, which is long enough").unwrap();
        let mut plan = Plan {
            corpus: vec![rows.clone(), note],
            public: vec![],
            column: None,
            common: Common::default(),
            memory: 1 << 30,
        };
        let written = build(&plan, &key, &out).unwrap();
        assert_eq!((written.records, written.short), (3, 0));
        let index = Index::open(Arc::new(std::fs::read(&out).unwrap()), key.clone()).unwrap();
        index.verify().unwrap();
        let text = format!("They say {} at least.", other.to_uppercase());
        let found = find(&index, &text).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].records[0].ends_with("rows.jsonl:2"), "{found:?}");
        assert!(find(&index, "the gardener counts the seeds").unwrap().is_empty());

        plan.public = vec![rows.clone()];
        build(&plan, &key, &out).unwrap();
        let index = Index::open(Arc::new(std::fs::read(&out).unwrap()), key.clone()).unwrap();
        assert!(find(&index, &text).unwrap().is_empty());

        std::fs::write(&rows, "{\"a\":1}\nnonsense\n").unwrap();
        let error = build(&plan, &key, &out).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("nonsense"), "{error}");
    }
}
