//! Walks files and folders of models and configurations, maps and hashes each, and has it examined.
//!
//! Links that lead out of a folder given, and special files, are never followed; they are reported as not read.

#![allow(clippy::disallowed_methods, reason = "this crate owns the walk over files")]

pub mod bom;
mod definitions;
pub mod findings;
mod map;
mod posture;
pub mod signed;
pub mod tree;
mod walk;

use std::io::Read as _;
use std::path::{Path, PathBuf};

pub use map::Map;

pub use bartizan_artifact::{Budget, Found, Gap, Report, Step};
use bartizan_core::{Coverage, Part, Reason, Severity};
pub use definitions::definitions;
pub use posture::{Configuration, Posture, PostureFound, PostureGap, PostureReport, configurations};
use sha2::{Digest as _, Sha256};

/// What one file is and holds.
#[derive(Debug)]
pub struct File {
    /// Path as the user gave it, or below the folder that the user gave.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal; `None` where that was not asked for or could not be read.
    pub sha256: Option<String>,
    /// What was found.
    pub report: Report,
}

impl File {
    /// The worst severity found.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.report.worst()
    }
}

/// Why a path that was given cannot be examined.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The path is not there, or may not be read.
    #[error("cannot read `{path}`: {error}", path = path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Something below a path cannot be taken into a manifest.
    #[error("`{path}` cannot be signed: {why}")]
    Left {
        /// Path below the model.
        path: String,
        /// Why.
        why: String,
    },
}

/// Examines a file, or all files below a folder in the order of their names, and hands each over.
///
/// # Errors
/// The path itself cannot be read. What cannot be read below a folder is a file with `partial` coverage.
pub fn scan(path: &Path, budget: &Budget, hash: bool, mut each: impl FnMut(File)) -> Result<(), ScanError> {
    let unreadable = |error| ScanError::Unreadable { path: path.to_owned(), error };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_dir() {
        each(examine(path, budget, hash));
        return Ok(());
    }
    walk::each(path, &mut |entry| match entry {
        walk::Entry::File(path) => each(examine(&path, budget, hash)),
        walk::Entry::Left(path, why) => each(unread(path, 0, why)),
        walk::Entry::Git(path) => {
            let why = "what git stores beside the files is not read: no loader does";
            each(untold(path, 0, Part::structural(Reason::Binary, 0), why));
        }
    });
    Ok(())
}

/// The most bytes that are taken from a stream.
const STREAM: u64 = 1 << 30;

/// Examines what a stream holds, as one file of that name.
///
/// # Errors
/// The stream cannot be read. What is too long for memory has `partial` coverage.
pub fn scan_stream(from: impl std::io::Read, name: &str, budget: &Budget, hash: bool) -> Result<File, ScanError> {
    let path = PathBuf::from(name);
    let mut bytes = Vec::new();
    let read = from.take(STREAM + 1).read_to_end(&mut bytes);
    let size = read.map_err(|error| ScanError::Unreadable { path: path.clone(), error })? as u64;
    if size > STREAM {
        return Ok(unread(path, size, "it is longer than a stream may be: give the file itself"));
    }
    Ok(examined(path, &bytes, budget, hash))
}

fn examine(path: &Path, budget: &Budget, hash: bool) -> File {
    let map = match map::Map::open(path) {
        Ok(map) => map,
        Err(error) => return unread(path.to_owned(), 0, format!("it cannot be read: {error}")),
    };
    examined(path.to_owned(), map.bytes(), budget, hash)
}

fn examined(path: PathBuf, bytes: &[u8], budget: &Budget, hash: bool) -> File {
    let sha256 = hash.then(|| {
        let digest = Sha256::digest(bytes);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    });
    let report = bartizan_artifact::examine(bytes, budget);
    File { path, size: bytes.len() as u64, sha256, report }
}

fn unread(path: PathBuf, size: u64, why: impl Into<String>) -> File {
    untold(path, size, Part::partial(Reason::File, 0), why)
}

fn untold(path: PathBuf, size: u64, part: Part, why: impl Into<String>) -> File {
    let mut coverage = Coverage::default();
    coverage.add(part);
    let gap = Gap { part, member: String::new(), why: why.into() };
    File { path, size, sha256: None, report: Report { format: "unread", found: Vec::new(), coverage, gaps: vec![gap] } }
}

#[cfg(test)]
mod tests {
    use bartizan_core::CoverageStatus;

    use super::*;

    fn files(path: &Path) -> Vec<File> {
        let mut files = Vec::new();
        scan(path, &Budget::default(), true, |file| files.push(file)).unwrap();
        files
    }

    #[test]
    fn folders_are_walked_in_order_and_links_out_are_not_followed() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/a.pkl"), b"cos\nsystem\n(S'true'\ntR.").unwrap();
        std::fs::write(folder.path().join("b.txt"), b"hello").unwrap();
        std::fs::write(outside.path().join("x"), b"x").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(outside.path().join("x"), folder.path().join("c.link")).unwrap();
            std::os::unix::fs::symlink(folder.path(), folder.path().join("sub/loop")).unwrap();
        }
        let files = files(folder.path());
        let names: Vec<_> =
            files.iter().map(|f| f.path.strip_prefix(folder.path()).unwrap().display().to_string()).collect();
        assert_eq!(names, ["b.txt", "c.link", "sub/a.pkl", "sub/loop"]);
        assert_eq!(files[2].worst(), Some(Severity::Critical));
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(files[0].sha256.as_deref(), Some(hello));
        assert_eq!(files[1].report.coverage.status, CoverageStatus::Partial);
        assert_eq!(files[3].report.coverage.status, CoverageStatus::Partial);
    }

    #[test]
    fn only_the_stores_of_a_repository_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let bad = b"cos\nsystem\n(S'true'\ntR.";
        let alarms = |files: &[File]| files.iter().filter(|f| f.worst() == Some(Severity::Critical)).count();
        for path in [".git/evil.bin", "sub/.git/objects/evil.bin", "deep/.git"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bad).unwrap();
        }
        assert_eq!(alarms(&files(folder.path())), 3);
        // A repository: what it stores is said not to be read, and the rest is.
        for path in [".git/objects/ab", ".git/refs"] {
            std::fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        std::fs::write(folder.path().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        std::fs::write(folder.path().join(".git/objects/ab/cd"), bad).unwrap();
        let files = files(folder.path());
        assert_eq!(alarms(&files), 3);
        let store = files.iter().find(|f| f.path.ends_with(".git/objects")).unwrap();
        assert_eq!(store.report.coverage.status, CoverageStatus::Structural);
    }

    #[test]
    fn streams_are_files() {
        let file = scan_stream(&b"cos\nsystem\n(S'true'\ntR."[..], "-", &Budget::default(), true).unwrap();
        assert_eq!((file.worst(), file.size), (Some(Severity::Critical), 23));
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error() {
        assert!(scan(Path::new("/nowhere/at/all"), &Budget::default(), true, |_| {}).is_err());
    }
}
