//! Walks files and folders of models and configurations, maps and hashes each, and has it examined.
//!
//! Links that lead out of a folder given, and special files, are never followed; they are reported as not read.

#![allow(clippy::disallowed_methods, reason = "this crate owns the walk over files")]

pub mod bom;
pub mod findings;
mod map;
mod posture;
pub mod signed;
pub mod tree;
mod walk;

use std::path::{Path, PathBuf};

pub use map::Map;

pub use bartizan_artifact::{Budget, Found, Gap, Report, Step};
use bartizan_core::{Coverage, Part, Reason, Severity};
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
    });
    Ok(())
}

fn examine(path: &Path, budget: &Budget, hash: bool) -> File {
    let map = match map::Map::open(path) {
        Ok(map) => map,
        Err(error) => return unread(path.to_owned(), 0, format!("it cannot be read: {error}")),
    };
    let bytes = map.bytes();
    let sha256 = hash.then(|| {
        let digest = Sha256::digest(bytes);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    });
    let report = bartizan_artifact::examine(bytes, budget);
    File { path: path.to_owned(), size: bytes.len() as u64, sha256, report }
}

fn unread(path: PathBuf, size: u64, why: impl Into<String>) -> File {
    let part = Part::partial(Reason::File, 0);
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
    fn a_path_that_is_not_there_is_an_error() {
        assert!(scan(Path::new("/nowhere/at/all"), &Budget::default(), true, |_| {}).is_err());
    }
}
