//! Who else on the machine can read what only the owner should.

use std::path::{Path, PathBuf};

use bartizan_store::{access_path, vault_path};

use crate::config::Loaded;

/// What is read by the form `file:PATH` and is public.
const PUBLIC: [&str; 2] = ["jwks", "reply_schema"];

/// Files of the evidence store, and of secrets, that are open to more than their owner, in words.
pub(super) fn wide(loaded: &Loaded) -> Vec<String> {
    let store = Path::new(&loaded.config.store.path);
    let log = |path: &Path, end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let databases = [store.to_owned(), access_path(store), vault_path(store)];
    let mut files: Vec<PathBuf> =
        databases.iter().flat_map(|path| [path.clone(), log(path, "-wal"), log(path, "-shm")]).collect();
    let secrets = loaded.referenced().into_iter().filter(|(key, _)| !PUBLIC.contains(&key.as_str()));
    files.extend(secrets.map(|(_, file)| file));
    files.sort();
    files.dedup();
    files.iter().filter_map(|file| said(file)).collect()
}

#[cfg(unix)]
fn said(file: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let about = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file)?;
    let mode = about.permissions().mode() & 0o777;
    let file = file.display();
    (mode & 0o077 != 0)
        .then(|| format!("`{file}` is open to others on this machine (mode {mode:04o}): chmod 600 {file}"))
}

#[cfg(not(unix))]
fn said(_: &Path) -> Option<String> {
    None
}
