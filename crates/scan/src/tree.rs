//! The files of a model with their digests, as signatures name them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bartizan_sign::{Bundle, GIT_PATHS, LONGEST_BUNDLE, ModelManifest, Sha256, Statement};
use sha2::{Digest as _, Sha256 as Hasher};

use crate::ScanError;
use crate::walk::{self, Entry};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// The most files that are hashed at the same time: disks gain nothing from more.
const WORKERS: usize = 8;

/// What is left out of a tree.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Paths below the folder that are left out, with all that is below them.
    pub ignored: Vec<String>,
    /// Leave out what belongs to version control at the root.
    pub git: bool,
    /// Read links to files inside of the folder, or of the Hugging Face cache that it belongs to.
    pub links: bool,
}

impl Selection {
    /// What is a model's own of a folder: all but version control, and signatures over the rest that lie in it and
    /// say that they leave themselves out. The digest that names a model is over these files.
    #[must_use]
    pub fn of_model(root: &Path) -> Self {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        let mut ignored: Vec<String> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
            .filter(|(name, path)| name.ends_with(".sig") && signs_the_rest(path, name))
            .map(|(name, _)| name)
            .collect();
        ignored.sort();
        Self { ignored, git: true, links: false }
    }

    pub(crate) fn leaves_out(&self, path: &str) -> bool {
        self.ignored.iter().any(|ignored| is_below(path, ignored))
            || (self.git && GIT_PATHS.iter().any(|git| is_below(path, git)))
    }
}

/// True for a signature over a model that leaves out a file of this name. Whether somebody trusted made it is not asked.
fn signs_the_rest(path: &Path, name: &str) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_BUNDLE as u64 + 1).read_to_end(&mut bytes));
    if read.is_err() || bytes.len() > LONGEST_BUNDLE {
        return false;
    }
    let manifest = Bundle::parse(&bytes)
        .and_then(|bundle| Statement::parse(&bundle.payload))
        .and_then(|statement| ModelManifest::from_statement(&statement));
    manifest.is_ok_and(|manifest| manifest.ignored.iter().any(|path| path.trim_start_matches("./") == name))
}

/// True for a path and all that is below it.
pub(crate) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A file of a tree that was found but not hashed yet.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Where it is.
    pub at: PathBuf,
    /// Size in bytes.
    pub size: u64,
}

/// What a folder, or one file, holds.
#[derive(Debug, Default)]
pub struct Tree {
    /// Name of the folder or file.
    pub name: String,
    /// Path with `/` to the file; `.` where the tree is one file.
    pub files: BTreeMap<String, Leaf>,
    /// What was not taken, and why.
    pub left: Vec<(String, String)>,
}

/// Lists the files of a model.
///
/// # Errors
/// The path itself cannot be read.
pub fn list(root: &Path, selection: &Selection) -> Result<Tree, ScanError> {
    let unreadable = |error| ScanError::Unreadable { path: root.to_owned(), error };
    let metadata = std::fs::metadata(root).map_err(unreadable)?;
    // A root that ends with `..` or is a link has the name of the folder that it is.
    let real = root.canonicalize().map_err(unreadable)?;
    let mut tree =
        Tree { name: text(real.file_name().unwrap_or_default().as_ref()).unwrap_or_default(), ..Tree::default() };
    if !metadata.is_dir() {
        tree.files.insert(".".to_owned(), Leaf { at: root.to_owned(), size: metadata.len() });
        return Ok(tree);
    }
    let name = |path: &Path| path.strip_prefix(root).ok().and_then(text);
    let skip = |path: &Path| name(path).is_some_and(|name| selection.leaves_out(&name));
    walk::each_but(root, &skip, &mut |entry| match entry {
        Entry::File(path) => match name(&path) {
            None => tree.left.push((path.display().to_string(), "its name is not UTF-8".to_owned())),
            Some(name) => match std::fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() && !selection.links => {
                    tree.left.push((name, "it is a link; --allow-symlinks reads links to files".to_owned()));
                }
                Ok(_) => {
                    let size = std::fs::metadata(&path).map_or(0, |m| m.len());
                    tree.files.insert(name, Leaf { at: path, size });
                }
                Err(error) => tree.left.push((name, format!("it cannot be read: {error}"))),
            },
        },
        Entry::Git(_) => {}
        Entry::Left(path, why) => tree.left.push((name(&path).unwrap_or_else(|| path.display().to_string()), why)),
    });
    Ok(tree)
}

/// A path with `/` between its parts; `None` where it is not UTF-8.
fn text(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

/// One thing to hash: a file, or bytes of it.
pub(crate) type Piece<'a> = (&'a Path, Option<(u64, u64)>);

/// SHA-256 of each piece, in their order, by a few threads.
pub(crate) fn hash_all(pieces: &[Piece<'_>]) -> Vec<io::Result<Sha256>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS).min(pieces.len().max(1));
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(pieces.len()));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut buffer = vec![0; CHUNK];
                while let Some((at, (path, range))) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    pieces.get(at).map(|piece| (at, *piece))
                } {
                    let hash = hash(path, range, &mut buffer);
                    if let Ok(mut done) = done.lock() {
                        done.push((at, hash));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, hash)| hash).collect()
}

fn hash(path: &Path, range: Option<(u64, u64)>, buffer: &mut [u8]) -> io::Result<Sha256> {
    // Another kind of file would block, or never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut file = File::open(path)?;
    let mut left = match range {
        None => u64::MAX,
        Some((start, end)) => {
            file.seek(SeekFrom::Start(start))?;
            end.saturating_sub(start)
        }
    };
    let mut hasher = Hasher::new();
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = file.read(&mut buffer[..most])?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        left -= count as u64;
    }
    if range.is_some() && left > 0 {
        return Err(io::Error::other("it is shorter than what was signed"));
    }
    Ok(hasher.finalize().into())
}

/// The manifest of a tree, with everything hashed.
///
/// # Errors
/// Something in it was not taken or cannot be read: nothing is signed that was not read.
pub fn manifest(tree: &Tree, selection: &Selection) -> Result<ModelManifest, ScanError> {
    if let Some((path, why)) = tree.left.first() {
        return Err(ScanError::Left { path: path.clone(), why: why.clone() });
    }
    let pieces: Vec<Piece<'_>> = tree.files.values().map(|leaf| (leaf.at.as_path(), None)).collect();
    let mut files = Vec::with_capacity(pieces.len());
    for ((path, leaf), hash) in tree.files.iter().zip(hash_all(&pieces)) {
        let hash = hash.map_err(|error| ScanError::Unreadable { path: leaf.at.clone(), error })?;
        files.push((path.clone(), hash));
    }
    let mut ignored = selection.ignored.clone();
    if selection.git {
        ignored.extend(GIT_PATHS.map(str::to_owned));
    }
    Ok(ModelManifest::new(&tree.name, files, ignored, selection.links))
}
