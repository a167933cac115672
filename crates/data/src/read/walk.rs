//! Which files there are.

use std::path::{Path, PathBuf};

use super::shown;
use crate::error::DataError;

/// One file of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called in what is reported.
    pub name: String,
    /// Where it is below what was given; its name, where that is the file itself.
    pub below: PathBuf,
    /// Why it is not read, where that is known without reading.
    pub left: Option<String>,
}

impl Unit {
    /// A file under a name.
    #[must_use]
    pub fn new(path: PathBuf, name: String) -> Self {
        let below = path.file_name().map(PathBuf::from).unwrap_or_default();
        Self { path, name, below, left: None }
    }
}

/// Deepest nesting of folders.
const DEEPEST: usize = 32;

/// Every file below the paths, folders in the order of their names. A link that leads out of
/// a folder is named as left out; what belongs to version control is no part of a corpus.
///
/// # Errors
/// A path that was given cannot be read.
pub fn units(paths: &[PathBuf]) -> Result<Vec<Unit>, DataError> {
    let mut found = Vec::new();
    for path in paths {
        let failed = |error| DataError::Unreadable { path: path.clone(), error };
        let home = path.canonicalize().map_err(failed)?;
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            let first = found.len();
            folder(path, &home, DEEPEST, &mut found).map_err(failed)?;
            for unit in found.iter_mut().skip(first) {
                unit.below = unit.path.strip_prefix(path).unwrap_or(&unit.path).to_owned();
            }
        } else {
            found.push(Unit::new(path.clone(), shown(path)));
        }
    }
    Ok(found)
}

fn folder(path: &Path, home: &Path, deep: usize, found: &mut Vec<Unit>) -> std::io::Result<()> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        if ![".git", ".cache", ".gitattributes"].iter().any(|left| name == *left) {
            children.push(entry.path());
        }
    }
    children.sort();
    for child in children {
        let name = shown(&child);
        let left = |why: String| Unit { left: Some(why), ..Unit::new(child.clone(), name.clone()) };
        let kind = match std::fs::symlink_metadata(&child) {
            Ok(kind) => kind,
            Err(error) => {
                found.push(left(format!("it cannot be read: {error}")));
                continue;
            }
        };
        if kind.is_dir() {
            if deep == 0 {
                found.push(left("it is too deep".to_owned()));
            } else if let Err(error) = folder(&child, home, deep - 1, found) {
                found.push(left(format!("the folder cannot be read: {error}")));
            }
        } else if kind.is_file() {
            found.push(Unit::new(child, name));
        } else {
            match child.canonicalize() {
                Ok(target) if target.is_file() && inside(&target, home) => found.push(Unit::new(child, name)),
                _ => found.push(left("it is a link that leads out of the folder, or no regular file".to_owned())),
            }
        }
    }
    Ok(())
}

/// Snapshots of the Hugging Face cache are links into a folder beside them.
fn inside(target: &Path, home: &Path) -> bool {
    let repository = home.ancestors().find(|f| f.file_name().is_some_and(|n| n == "snapshots")).and_then(Path::parent);
    target.starts_with(home) || repository.is_some_and(|repository| target.starts_with(repository.join("blobs")))
}
