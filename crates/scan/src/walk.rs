//! The files below a folder, in the order of their names.

use std::path::{Path, PathBuf};

/// Folders inside one another.
const DEEPEST: usize = 64;
/// The most files of one walk.
const MOST: usize = 1_000_000;

/// What a walk meets.
pub(crate) enum Entry {
    File(PathBuf),
    /// Not read, and why.
    Left(PathBuf, String),
    /// What git keeps of files beside them: no loader reads it.
    Git(PathBuf),
}

/// Visits every file, but for what the repository of the folder itself stores of them. Anything else that is called
/// `.git` is a file like others: whoever writes a model may point into it.
pub(crate) fn each(root: &Path, visit: &mut dyn FnMut(Entry)) {
    let git = root.join(".git");
    let real = |path: &Path| path.symlink_metadata().is_ok_and(|m| m.is_dir());
    let repository = real(&git) && real(&git.join("objects")) && real(&git.join("refs")) && git.join("HEAD").is_file();
    let stores: Vec<PathBuf> =
        ["objects", "lfs"].iter().map(|name| git.join(name)).filter(|path| repository && real(path)).collect();
    for store in &stores {
        visit(Entry::Git(store.clone()));
    }
    each_but(root, &|path| stores.iter().any(|store| store == path), visit);
}

/// Visits every file but those that `skip` names, with all that is below them.
pub(crate) fn each_but(root: &Path, skip: &dyn Fn(&Path) -> bool, visit: &mut dyn FnMut(Entry)) {
    let home = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let mut open = vec![(root.to_owned(), 0)];
    let mut count = 0;
    while let Some((path, depth)) = open.pop() {
        count += 1;
        if count > MOST {
            visit(Entry::Left(path, "there are more files than the limit".to_owned()));
            return;
        }
        let kind = match std::fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => {
                visit(Entry::Left(path, format!("it cannot be read: {error}")));
                continue;
            }
        };
        if kind.is_dir() || depth == 0 {
            if depth > DEEPEST {
                visit(Entry::Left(path, "folders are nested deeper than the limit".to_owned()));
                continue;
            }
            match children(&path, skip) {
                // The last one pushed is the first one visited.
                Ok(children) => open.extend(children.into_iter().rev().map(|child| (child, depth + 1))),
                Err(error) => visit(Entry::Left(path, format!("the folder cannot be read: {error}"))),
            }
        } else if kind.is_file() {
            visit(Entry::File(path));
        } else if kind.is_symlink() {
            visit(link(path, &home));
        } else {
            visit(Entry::Left(path, "it is no regular file".to_owned()));
        }
    }
}

/// Snapshots of the Hugging Face cache are links into a folder beside them, which is inside of what was given.
fn link(path: PathBuf, home: &Path) -> Entry {
    match path.canonicalize() {
        Ok(target) if target.is_file() && (target.starts_with(home) || is_blob(&target, home)) => Entry::File(path),
        Ok(target) if target.is_file() => Entry::Left(path, "it is a link that leads out of the folder".to_owned()),
        Ok(_) => Entry::Left(path, "it is a link to a folder".to_owned()),
        Err(error) => Entry::Left(path, format!("it is a link that leads nowhere: {error}")),
    }
}

/// `models--owner--name/blobs/HASH` for a snapshot `models--owner--name/snapshots/REVISION`.
fn is_blob(target: &Path, home: &Path) -> bool {
    let mut above = home.ancestors();
    above.any(|folder| folder.file_name().is_some_and(|n| n == "snapshots"))
        && home
            .ancestors()
            .find(|f| f.file_name().is_some_and(|n| n == "snapshots"))
            .and_then(Path::parent)
            .is_some_and(|repository| {
                let name = repository.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                name.starts_with("models--") && target.starts_with(repository.join("blobs"))
            })
}

fn children(folder: &Path, skip: &dyn Fn(&Path) -> bool) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !skip(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
