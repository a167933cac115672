//! Where packs are installed: the one in force, the one before, and the highest version that was ever in force.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bartizan_sign::LONGEST_PACK;

use crate::config::Config;
use crate::problem::Problem;
use crate::signing::read_bytes;

/// A folder of installed packs.
#[derive(Clone, Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// That of a configuration; `None` where nothing is kept.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        match (&config.content.folder, config.store.path.as_str()) {
            (Some(folder), _) => Some(Self(folder.clone())),
            (None, ":memory:") => None,
            (None, store) => Some(Self(PathBuf::from(format!("{store}.content")))),
        }
    }

    /// The pack in force.
    pub(crate) fn current_file(&self) -> PathBuf {
        self.0.join("current.pack")
    }

    fn previous_file(&self) -> PathBuf {
        self.0.join("previous.pack")
    }

    fn highest_file(&self) -> PathBuf {
        self.0.join("highest")
    }

    /// The bytes of the pack in force; `None` where none is installed.
    pub(crate) fn current(&self) -> anyhow::Result<Option<Vec<u8>>> {
        bytes(&self.current_file())
    }

    /// The bytes of the one before.
    pub(crate) fn previous(&self) -> anyhow::Result<Option<Vec<u8>>> {
        bytes(&self.previous_file())
    }

    /// The highest version that was in force, by name of the pack: none older comes after it unasked.
    pub(crate) fn highest(&self, name: &str) -> anyhow::Result<u64> {
        Ok(self.versions()?.get(name).copied().unwrap_or(0))
    }

    /// The highest version of each pack. A line that says none may have said the one that counts.
    fn versions(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let path = self.highest_file();
        let damaged = |what: &str| {
            Problem::new(format!("`{}`: {what}", path.display())).help(
                "it keeps older packs from coming back: restore it, or write `NAME VERSION` on a line for each pack",
            )
        };
        let text = String::from_utf8(bytes(&path)?.unwrap_or_default()).map_err(|_| damaged("not UTF-8"))?;
        let mut versions = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let read = line.split_once(' ').filter(|(name, _)| !name.is_empty());
            let (name, version) = read
                .and_then(|(name, version)| Some((name, version.parse::<u64>().ok()?)))
                .ok_or_else(|| damaged(&format!("line {} is no name with a version", at + 1)))?;
            let highest = versions.entry(name.to_owned()).or_insert(version);
            *highest = version.max(*highest);
        }
        Ok(versions)
    }

    /// Keeps others out while the packs are changed.
    pub(crate) fn lock(&self) -> anyhow::Result<File> {
        std::fs::create_dir_all(&self.0).with_context(|| format!("cannot make `{}`", self.0.display()))?;
        let path = self.0.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("cannot write `{}`", path.display()))?;
        file.try_lock().map_err(|_| {
            Problem::new(format!("`{}` is being changed by another command", self.0.display())).help("try again")
        })?;
        Ok(file)
    }

    /// Puts a pack in force in one step, and keeps the one that was. After a crash in between the one before is in force.
    pub(crate) fn install(&self, name: &str, version: u64, pack: &[u8]) -> anyhow::Result<()> {
        let mut versions = self.versions()?;
        let highest = versions.entry(name.to_owned()).or_insert(version);
        *highest = version.max(*highest);
        let lines: String = versions.iter().map(|(name, version)| format!("{name} {version}\n")).collect();
        if let Some(current) = self.current()? {
            self.put(&self.previous_file(), &current)?;
        }
        self.put(&self.current_file(), pack)?;
        self.put(&self.highest_file(), lines.as_bytes())
    }

    /// Puts the pack before in force, or where there is none what the program was shipped with.
    pub(crate) fn roll_back(&self) -> anyhow::Result<()> {
        let gone = |path: PathBuf| {
            std::fs::remove_file(&path).with_context(|| format!("cannot take away `{}`", path.display()))
        };
        match self.previous()? {
            Some(previous) => {
                self.put(&self.current_file(), &previous)?;
                gone(self.previous_file())
            }
            None => gone(self.current_file()),
        }
    }

    /// Writes a file so that it is there as a whole, on the disk, or not at all.
    fn put(&self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let part = path.with_extension("part");
        let written = || -> std::io::Result<()> {
            let mut file = File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&part, path)?;
            // Folders cannot be opened everywhere; where they cannot, there is nothing to sync either.
            File::open(&self.0).map_or(Ok(()), |folder| folder.sync_all())
        };
        written().with_context(|| format!("cannot write `{}`", path.display()))
    }
}

fn bytes(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    if path.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    Ok(Some(read_bytes(path, LONGEST_PACK)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_before_comes_back_and_then_what_was_shipped() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place(folder.path().join("content"));
        assert_eq!(place.current().unwrap(), None);
        let lock = place.lock().unwrap();
        assert!(place.lock().is_err());
        drop(lock);
        place.install("c", 1, b"one").unwrap();
        place.install("d", 9, b"other").unwrap();
        place.install("c", 3, b"three").unwrap();
        assert_eq!(place.current().unwrap().unwrap(), b"three");
        assert_eq!((place.highest("c").unwrap(), place.highest("d").unwrap(), place.highest("e").unwrap()), (3, 9, 0));
        let highest = std::fs::read(place.highest_file()).unwrap();
        for damaged in [&b"c\nd 9\n"[..], b"c 3x\nd 9\n", b"c 3\n\nd 9\n", b"\xff 3\n", b" 3\n"] {
            std::fs::write(place.highest_file(), damaged).unwrap();
            assert!(place.highest("c").is_err() && place.install("c", 4, b"four").is_err(), "{damaged:?}");
        }
        std::fs::write(place.highest_file(), highest).unwrap();
        place.roll_back().unwrap();
        assert_eq!(place.current().unwrap().unwrap(), b"other");
        assert_eq!((place.previous().unwrap(), place.highest("c").unwrap()), (None, 3));
        place.roll_back().unwrap();
        assert_eq!(place.current().unwrap(), None);
        assert!(place.roll_back().is_err());
    }
}
