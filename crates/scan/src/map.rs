//! A file as bytes, without reading it into memory.

use std::fs::File;
use std::io;
use std::path::Path;

/// A mapped file; an empty one has no mapping.
pub struct Map(Option<memmap2::Mmap>);

impl Map {
    /// Maps a regular file. Another kind of file would block, or never end.
    ///
    /// # Errors
    /// It is no regular file, or cannot be mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self(None));
        }
        // SAFETY: the mapping is private and read only. Whoever cuts the file short meanwhile ends the process with a
        // signal, which no caller takes for a clean answer; whoever writes to it changes what is examined, as with
        // any reader, and the parsers check every offset against the length of the slice.
        #[allow(unsafe_code, reason = "mapping is the only way to examine files larger than memory")]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self(Some(map)))
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}
