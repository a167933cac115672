//! What is on disk, compared with what was signed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bartizan_sign::{GIT_PATHS, ModelManifest, Sha256, hex};
use serde::Serialize;

use crate::ScanError;
use crate::tree::{self, Piece, Selection, is_below};

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "status")]
pub enum Status {
    /// It is what was signed.
    Ok,
    /// It has other bytes.
    Changed {
        /// SHA-256 that was signed, hex.
        signed: String,
        /// SHA-256 that it has, hex.
        found: String,
    },
    /// It was signed and is not there.
    Missing,
    /// It is there and was not signed.
    Unsigned,
    /// It is there, and the signer left it out by name.
    Ignored,
    /// It cannot be compared.
    Unread {
        /// Why.
        why: String,
    },
}

/// One file of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Path below the model.
    pub path: String,
    /// What became of it.
    #[serde(flatten)]
    pub status: Status,
}

/// How strict a comparison is.
#[derive(Clone, Debug, Default)]
pub struct Leave {
    /// Paths below the model that are not looked at, such as the signature itself.
    pub paths: Vec<String>,
    /// Pass files that were not signed.
    pub unsigned: bool,
    /// Read links, where the signer did so too.
    pub links: bool,
}

/// Every file that was signed or is there, in the order of their paths.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The files.
    pub rows: Vec<Row>,
    /// True where unsigned files pass.
    unsigned: bool,
}

impl Checked {
    /// True where everything signed is there as it was signed, and nothing else is.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| match row.status {
            Status::Ok | Status::Ignored => true,
            Status::Unsigned => self.unsigned,
            Status::Changed { .. } | Status::Missing | Status::Unread { .. } => false,
        })
    }

    /// True where the signature leaves out files that are there.
    #[must_use]
    pub fn leaves_out(&self) -> bool {
        self.rows.iter().any(|row| row.status == Status::Ignored || row.status == Status::Unsigned)
    }
}

/// Compares a model with its manifest.
///
/// # Errors
/// The path itself cannot be read.
pub fn check(root: &Path, manifest: &ModelManifest, leave: &Leave) -> Result<Checked, ScanError> {
    // What the signer left out is listed too, to be named.
    let selection = Selection { ignored: leave.paths.clone(), git: true, links: leave.links && manifest.links };
    let tree = tree::list(root, &selection)?;
    let mut rows: BTreeMap<String, Status> = BTreeMap::new();
    for (path, why) in &tree.left {
        let status = if signer_left(manifest, path) { Status::Ignored } else { Status::Unread { why: why.clone() } };
        rows.insert(path.clone(), status);
    }
    let named: BTreeSet<&str> = manifest.entries.iter().map(|e| e.path.as_str()).collect();
    for path in tree.files.keys().filter(|path| !named.contains(path.as_str())) {
        let status = if signer_left(manifest, path) { Status::Ignored } else { Status::Unsigned };
        rows.insert(path.clone(), status);
    }
    let mut ends: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let mut wanted: Vec<(&str, Sha256)> = Vec::new();
    for entry in &manifest.entries {
        match tree.files.get(&entry.path) {
            Some(leaf) => {
                pieces.push((&leaf.at, entry.range));
                wanted.push((&entry.path, entry.sha256));
                ends.entry(&entry.path).or_default().extend(entry.range);
            }
            None => {
                rows.entry(entry.path.clone()).or_insert(Status::Missing);
            }
        }
    }
    for ((path, signed), found) in wanted.iter().zip(tree::hash_all(&pieces)) {
        let status = match found {
            Ok(found) if found == *signed => Status::Ok,
            Ok(found) => Status::Changed { signed: hex(signed), found: hex(&found) },
            Err(error) => Status::Unread { why: error.to_string() },
        };
        let row = rows.entry((*path).to_owned()).or_insert(Status::Ok);
        if *row == Status::Ok {
            *row = status;
        }
    }
    for (path, parts) in ends {
        let size = tree.files.get(path).map_or(0, |leaf| leaf.size);
        if !parts.is_empty()
            && !covers(parts, size)
            && let Some(row @ Status::Ok) = rows.get_mut(path)
        {
            *row = Status::Unread { why: "the parts that were signed are not all of it".to_owned() };
        }
    }
    let rows = rows.into_iter().map(|(path, status)| Row { path, status }).collect();
    Ok(Checked { rows, unsigned: leave.unsigned })
}

/// True where parts, put together, are all of a file.
fn covers(mut parts: Vec<(u64, u64)>, size: u64) -> bool {
    parts.sort_unstable();
    let end = parts.iter().try_fold(0, |at, (start, end)| (*start == at).then_some(*end));
    end == Some(size)
}

fn signer_left(manifest: &ModelManifest, path: &str) -> bool {
    manifest.ignored.iter().any(|ignored| is_below(path, ignored.trim_start_matches("./")))
        || GIT_PATHS.iter().any(|git| is_below(path, git))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn model() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("sub/.git")).unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        for (path, text) in
            [("a.bin", "aaaaaaaaaa"), ("sub/b.bin", "b"), ("sub/.git/x", "x"), (".git/config", "c"), ("empty", "")]
        {
            fs::write(folder.path().join(path), text).unwrap();
        }
        folder
    }

    fn signed(folder: &tempfile::TempDir, ignored: &[&str]) -> ModelManifest {
        let selection =
            Selection { ignored: ignored.iter().map(|p| (*p).to_owned()).collect(), git: true, links: false };
        tree::manifest(&tree::list(folder.path(), &selection).unwrap(), &selection).unwrap()
    }

    fn faults(folder: &tempfile::TempDir, manifest: &ModelManifest, leave: &Leave) -> Vec<(String, Status)> {
        let checked = check(folder.path(), manifest, leave).unwrap();
        checked.rows.into_iter().filter(|r| r.status != Status::Ok).map(|r| (r.path, r.status)).collect()
    }

    #[test]
    fn only_version_control_at_the_root_is_left_out() {
        let folder = model();
        let manifest = signed(&folder, &[]);
        let paths: Vec<_> = manifest.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(paths, ["a.bin", "empty", "sub/.git/x", "sub/b.bin"]);
        assert!(check(folder.path(), &manifest, &Leave::default()).unwrap().holds());
    }

    #[test]
    fn every_difference_is_a_row() {
        let folder = model();
        let manifest = signed(&folder, &["left"]);
        fs::write(folder.path().join("a.bin"), "aaaaaaaaab").unwrap();
        fs::remove_file(folder.path().join("sub/b.bin")).unwrap();
        fs::write(folder.path().join("__init__.py"), "").unwrap();
        fs::write(folder.path().join("left"), "").unwrap();
        fs::write(folder.path().join("leftover"), "").unwrap();
        let rows = faults(&folder, &manifest, &Leave::default());
        let names: Vec<_> = rows.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(names, ["__init__.py", "a.bin", "left", "leftover", "sub/b.bin"]);
        assert_eq!((&rows[0].1, &rows[2].1, &rows[4].1), (&Status::Unsigned, &Status::Ignored, &Status::Missing));
        assert!(matches!(rows[1].1, Status::Changed { .. }));
        let checked = check(folder.path(), &manifest, &Leave::default()).unwrap();
        assert!(!checked.holds() && checked.leaves_out());
    }

    #[test]
    #[cfg(unix)]
    fn links_are_read_only_where_both_sides_say_so() {
        let folder = model();
        let selection = Selection { git: true, ..Selection::default() };
        let before = signed(&folder, &[]);
        std::os::unix::fs::symlink("a.bin", folder.path().join("link")).unwrap();
        let tree = tree::list(folder.path(), &selection).unwrap();
        assert!(tree::manifest(&tree, &selection).is_err());
        assert!(!check(folder.path(), &before, &Leave { links: true, ..Leave::default() }).unwrap().holds());
        let selection = Selection { links: true, ..selection };
        let manifest = tree::manifest(&tree::list(folder.path(), &selection).unwrap(), &selection).unwrap();
        assert!(check(folder.path(), &manifest, &Leave { links: true, ..Leave::default() }).unwrap().holds());
        assert!(!check(folder.path(), &manifest, &Leave::default()).unwrap().holds());
    }

    #[test]
    fn parts_have_to_be_all_of_a_file() {
        let folder = model();
        let part = |range, text: &str| {
            use sha2::Digest as _;
            bartizan_sign::Entry {
                path: "a.bin".to_owned(),
                range: Some(range),
                sha256: sha2::Sha256::digest(text).into(),
            }
        };
        let mut manifest = signed(&folder, &[]);
        manifest.entries.retain(|e| e.path != "a.bin");
        let rest = manifest.entries.clone();
        manifest.entries.extend([part((0, 4), "aaaa"), part((4, 10), "aaaaaa")]);
        assert!(check(folder.path(), &manifest, &Leave::default()).unwrap().holds());
        manifest.entries = [rest, vec![part((0, 4), "aaaa")]].concat();
        assert!(!check(folder.path(), &manifest, &Leave::default()).unwrap().holds());
    }
}
