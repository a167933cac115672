//! Files that others on the machine cannot read.

use std::fs::{File, OpenOptions};
use std::path::Path;

/// Opens a file; one that is made thereby is its owner's alone, whatever the umask.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

/// Makes a database that is not there yet, empty, for SQLite to fill: its logs get the mode of the database. What stands
/// in the way is said by SQLite, which looks next.
pub(crate) fn make(path: &Path) {
    let _ = open(File::options().write(true).create_new(true), path);
}
