//! The lock file on disk.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bartizan_mcp::{Lock, LockError, Pinned};

/// Largest lock file that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// It cannot be read or written.
    #[error("the lock file `{path}`: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than any lock file.
    #[error("the lock file `{0}` is larger than {LARGEST} bytes")]
    TooLarge(String),
    /// It is malformed.
    #[error("`{path}`: {source}")]
    Format {
        /// Which.
        path: String,
        /// What is wrong.
        source: LockError,
    },
}

/// A lock file that is read again when it changes. Without a path it is kept in memory.
#[derive(Debug, Default)]
pub struct LockFile {
    path: Option<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    stamp: Option<(SystemTime, u64)>,
    lock: Arc<Lock>,
}

impl LockFile {
    /// The lock file at a path, which need not be there yet.
    #[must_use]
    pub fn at(path: Option<PathBuf>) -> Self {
        Self { path, known: Mutex::default() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What it says now.
    ///
    /// # Errors
    /// It cannot be read. Nothing of it may be used then: a broken lock must not open.
    pub fn read(&self) -> Result<Arc<Lock>, LockFileError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.path else { return Ok(Arc::clone(&known.lock)) };
        let failed = |source| LockFileError::File { path: path.display().to_string(), source };
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                *known = Known::default();
                return Ok(Arc::clone(&known.lock));
            }
            Err(error) => return Err(failed(error)),
        };
        if meta.len() > LARGEST {
            return Err(LockFileError::TooLarge(path.display().to_string()));
        }
        let stamp = Some((meta.modified().map_err(failed)?, meta.len()));
        if known.stamp != stamp {
            let text = std::fs::read_to_string(path).map_err(failed)?;
            let lock = Lock::parse(&text)
                .map_err(|source| LockFileError::Format { path: path.display().to_string(), source })?;
            *known = Known { stamp, lock: Arc::new(lock) };
        }
        Ok(Arc::clone(&known.lock))
    }

    /// Puts in what is accepted of a server. The file is replaced as a whole, so that no reader sees half of it.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn pin(&self, server: &str, pinned: Pinned) -> Result<(), LockFileError> {
        let mut lock = Lock::clone(&*self.read()?);
        lock.servers.insert(server.to_owned(), pinned);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.path {
            let failed = |source| LockFileError::File { path: path.display().to_string(), source };
            let beside = path.with_extension(format!("{}.new", std::process::id()));
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            let mut file = std::fs::File::create(&beside).map_err(failed)?;
            file.write_all(lock.text().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            std::fs::rename(&beside, path).map_err(failed)?;
            // Read again at the next use: another writer may have been quicker.
            known.stamp = None;
        }
        known.lock = Arc::new(lock);
        Ok(())
    }
}
