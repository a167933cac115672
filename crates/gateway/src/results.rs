//! Result files of other commands, in a folder: what `report posture` counts as evidence, and what the console shows.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::digest;
use bartizan_report::{Evidence, LONGEST, Origin, recognise};
use bartizan_sign::hex;
use jiff::Timestamp;

/// Deepest folder below one that is named.
const DEPTH: usize = 16;
/// Most files of a folder.
const MOST: usize = 10_000;

/// Why results cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A folder holds more than results.
    #[error("`{0}` holds more than {MOST} files")]
    Many(String),
    /// A file is no result.
    #[error("{0}")]
    Unknown(#[from] bartizan_report::ReportError),
}

/// A file itself, or the files below a folder, in order. Links are not followed.
///
/// # Errors
/// [`ResultsError`]: a folder cannot be read, or holds too much.
pub fn result_files(path: &Path) -> Result<Vec<PathBuf>, ResultsError> {
    let cannot = |path: &Path, source| ResultsError::Io { path: path.display().to_string(), source };
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut found, mut open) = (Vec::new(), vec![(path.to_owned(), 0)]);
    while let Some((folder, depth)) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| cannot(&folder, error))? {
            let entry = entry.map_err(|error| cannot(&folder, error))?;
            let kind = entry.file_type().map_err(|error| cannot(&entry.path(), error))?;
            if kind.is_dir() && depth < DEPTH {
                open.push((entry.path(), depth + 1));
            } else if kind.is_file() {
                found.push(entry.path());
            }
            if found.len() + open.len() > MOST {
                return Err(ResultsError::Many(path.display().to_string()));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The evidence of one file, under a name for people.
///
/// # Errors
/// [`ResultsError`]: it cannot be read, or is no result.
pub fn result_of(path: &Path, name: String) -> Result<Vec<Evidence>, ResultsError> {
    let bytes = read(path)?;
    let written = path.metadata().and_then(|meta| meta.modified()).ok();
    let written = written.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or(Timestamp::MIN);
    let sha256 = hex(digest::digest(&digest::SHA256, &bytes).as_ref());
    let origin = Origin { name, sha256, written: written.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() };
    Ok(recognise(&origin, &bytes)?)
}

/// The bytes of a file; of one that is too long for a result, just enough to show that.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ResultsError> {
    let cannot = |source| ResultsError::Io { path: path.display().to_string(), source };
    let mut bytes = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path).map_err(cannot)?.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

/// What is seen of a file that has not changed.
type Stamp = (SystemTime, u64);

/// What a file is: evidence, or why it is none.
type Known = Arc<Result<Vec<Evidence>, String>>;

/// Files of a folder, each read again when it changes.
#[derive(Default)]
pub(crate) struct Results(Mutex<HashMap<PathBuf, (Stamp, Known)>>);

/// The results of a folder.
#[derive(Default)]
pub(crate) struct Folder {
    /// Evidence with the file that it is of, newest first.
    pub(crate) evidence: Vec<(PathBuf, Evidence)>,
    /// Files that are no results, and why.
    pub(crate) unread: Vec<String>,
}

impl Results {
    /// What a folder holds now. Reads files: not for async workers.
    ///
    /// # Errors
    /// [`ResultsError`]: the folder cannot be read, or holds too much.
    pub(crate) fn of(&self, folder: &Path) -> Result<Folder, ResultsError> {
        folder.metadata().map_err(|source| ResultsError::Io { path: folder.display().to_string(), source })?;
        let files = result_files(folder)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|path, _| files.binary_search(path).is_ok());
        let mut found = Folder::default();
        for path in files {
            let Some(stamp) = stamp(&path) else { continue };
            let seen = known.get(&path).filter(|(before, _)| *before == stamp).map(|(_, seen)| Arc::clone(seen));
            let seen = seen.unwrap_or_else(|| {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                let seen = Arc::new(result_of(&path, name).map_err(|error| error.to_string()));
                known.insert(path.clone(), (stamp, Arc::clone(&seen)));
                seen
            });
            match seen.as_ref() {
                Ok(evidence) => found.evidence.extend(evidence.iter().map(|one| (path.clone(), one.clone()))),
                Err(reason) => found.unread.push(reason.clone()),
            }
        }
        found.evidence.sort_by(|(_, a), (_, b)| b.made.cmp(&a.made).then_with(|| a.source.cmp(&b.source)));
        Ok(found)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let about = path.metadata().ok()?;
    Some((about.modified().ok()?, about.len()))
}
