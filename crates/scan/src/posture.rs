//! Walks files and folders of configurations, and has each examined.

use std::path::{Path, PathBuf};

use bartizan_core::{Reason, Severity};
pub use bartizan_posture::{Found as PostureFound, Gap as PostureGap, Report as PostureReport};

use crate::{ScanError, map, walk};

/// What configurations are examined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posture {
    /// How models are served and trained.
    Infra,
    /// What agents are told and may do.
    Agent,
}

impl Posture {
    /// True for a file that is worth reading in a folder of many.
    fn wants(self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        match self {
            Self::Infra => bartizan_posture::is_infra_name(&path),
            Self::Agent => bartizan_posture::is_agent_name(&path),
        }
    }

    fn examine(self, path: &Path, bytes: &[u8]) -> PostureReport {
        let path = path.to_string_lossy();
        match self {
            Self::Infra => bartizan_posture::infra(&path, bytes),
            Self::Agent => bartizan_posture::agent(&path, bytes),
        }
    }
}

/// What one configuration says.
#[derive(Debug)]
pub struct Configuration {
    /// Path as the user gave it, or below the folder that the user gave.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// The text that places point into; empty where it could not be read.
    pub text: String,
    /// What was found.
    pub report: PostureReport,
}

impl Configuration {
    /// The worst severity found.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.report.worst()
    }
}

/// Examines a file, or those files below a folder that have the name of a configuration, in the order of their names.
///
/// # Errors
/// The path itself cannot be read. What cannot be read below a folder has `partial` coverage.
pub fn configurations(path: &Path, posture: Posture, mut each: impl FnMut(Configuration)) -> Result<(), ScanError> {
    let unreadable = |error| ScanError::Unreadable { path: path.to_owned(), error };
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        each(examine(path, posture));
        return Ok(());
    }
    walk::each(path, &mut |entry| match entry {
        walk::Entry::File(path) if posture.wants(&path) => each(examine(&path, posture)),
        walk::Entry::File(_) => {}
        walk::Entry::Left(path, why) if posture.wants(&path) || path.is_dir() => each(unread(path, why)),
        walk::Entry::Left(..) | walk::Entry::Git(_) => {}
    });
    Ok(())
}

fn examine(path: &Path, posture: Posture) -> Configuration {
    match map::Map::open(path) {
        Ok(map) => {
            let report = posture.examine(path, map.bytes());
            let text = std::str::from_utf8(map.bytes()).unwrap_or_default().to_owned();
            Configuration { path: path.to_owned(), size: map.bytes().len() as u64, text, report }
        }
        Err(error) => unread(path.to_owned(), format!("it cannot be read: {error}")),
    }
}

fn unread(path: PathBuf, why: String) -> Configuration {
    let report = PostureReport::unread(Reason::File, why);
    Configuration { path, size: 0, text: String::new(), report }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_for_names_of_configurations() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("compose.yaml"), "services:\n  o:\n    image: ollama/ollama\n").unwrap();
        std::fs::write(folder.path().join("notes.md"), "image: ollama/ollama").unwrap();
        std::fs::write(folder.path().join("broken.yaml"), "a: [\n").unwrap();
        let mut seen = Vec::new();
        configurations(folder.path(), Posture::Infra, |c| {
            let name = c.path.file_name().unwrap().to_string_lossy().into_owned();
            seen.push((name, c.worst(), c.report.gaps.len()));
        })
        .unwrap();
        let expected = [("broken.yaml".to_owned(), None, 1), ("compose.yaml".to_owned(), Some(Severity::Medium), 0)];
        assert_eq!(seen, expected);
        assert!(configurations(Path::new("/nowhere/at/all"), Posture::Infra, |_| {}).is_err());
    }
}
