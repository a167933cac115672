//! Brings the write-ahead log to the disk.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// How often the write-ahead log is brought to the disk unless [`Options::sync`](crate::Options::sync) is set.
pub const SYNC_EVERY: Duration = Duration::from_millis(50);

/// Brings the write-ahead log to the disk in the background, so that a power loss costs little and a commit waits
/// for nothing.
pub(crate) struct Wal {
    path: PathBuf,
    pub(crate) dirty: Notify,
    /// Set for good when the disk refuses: what was not synced once may never be.
    pub(crate) failed: AtomicBool,
}

impl Wal {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, dirty: Notify::new(), failed: AtomicBool::new(false) }
    }

    pub(crate) async fn keep_synced(self: Arc<Self>) {
        let mut log = None;
        loop {
            self.dirty.notified().await;
            tokio::time::sleep(SYNC_EVERY).await;
            let path = self.path.clone();
            // The log is one file as long as the writer's connection is open.
            let synced = tokio::task::spawn_blocking(move || {
                let file = match log.take() {
                    Some(file) => file,
                    None => open_log(&path)?,
                };
                file.sync_data().map(|()| file)
            })
            .await;
            match synced {
                Ok(Ok(file)) => log = Some(file),
                _ => return self.failed.store(true, Ordering::Release),
            }
        }
    }
}

/// Opens the log for syncing. Its name is brought to the disk as well: a synced file without a name is lost.
fn open_log(path: &Path) -> std::io::Result<File> {
    let file = File::open(path)?;
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        // Folders cannot be opened everywhere; where they cannot, there is nothing to sync either.
        if let Ok(folder) = File::open(folder) {
            folder.sync_all()?;
        }
    }
    Ok(file)
}
