//! Where a sink's deliveries stopped.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::SinkError;

/// Position of the last record that a sink has acknowledged, in a file of its own.
#[derive(Debug)]
pub(crate) struct Cursor {
    path: PathBuf,
    place: Place,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The chain: a new store begins anew.
    chain_id: String,
    seq: Option<u64>,
}

impl Cursor {
    /// Reads the place that was kept, or begins with the oldest record.
    pub(crate) fn open(folder: &Path, name: &str) -> Result<Self, SinkError> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{name}.json"));
        let place = match std::fs::read(&path) {
            // A file that cannot be read as a place means that deliveries are repeated, never that any is left out.
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Place::default(),
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path, place })
    }

    /// Position of the last record delivered.
    pub(crate) fn seq(&self, chain_id: &str) -> Option<u64> {
        if self.place.chain_id == chain_id { self.place.seq } else { None }
    }

    /// Moves on. The file is replaced as a whole, so that a crash leaves the old place or the new one.
    pub(crate) fn advance(&mut self, chain_id: &str, seq: u64) -> Result<(), SinkError> {
        self.place = Place { chain_id: chain_id.to_owned(), seq: Some(seq) };
        let beside = self.path.with_extension("new");
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(&serde_json::to_vec(&self.place).unwrap_or_default())?;
        file.sync_data()?;
        std::fs::rename(&beside, &self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_survives_and_belongs_to_one_chain() {
        let folder = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::open(folder.path(), "siem").unwrap();
        assert_eq!(cursor.seq("a"), None);
        cursor.advance("a", 7).unwrap();
        let again = Cursor::open(folder.path(), "siem").unwrap();
        assert_eq!((again.seq("a"), again.seq("b")), (Some(7), None));
        assert_eq!(Cursor::open(folder.path(), "other").unwrap().seq("a"), None);
        std::fs::write(folder.path().join("siem.json"), "{").unwrap();
        assert_eq!(Cursor::open(folder.path(), "siem").unwrap().seq("a"), None);
    }
}
