//! Where packs are installed: the one in force, the one before, and the highest version that was ever in force.

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
        let text = bytes(&self.highest_file())?.unwrap_or_default();
        let text = String::from_utf8(text).context("the file `highest` beside the content pack is not UTF-8")?;
        let versions = text.lines().filter_map(|line| line.split_once(' ')).filter(|(of, _)| *of == name);
        Ok(versions.filter_map(|(_, version)| version.parse().ok()).max().unwrap_or(0))
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
        let highest = self.highest(name)?.max(version);
        let text = bytes(&self.highest_file())?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let others = text.lines().filter(|line| line.split_once(' ').is_none_or(|(of, _)| of != name));
        let lines: String = others.map(|line| format!("{line}\n")).chain([format!("{name} {highest}\n")]).collect();
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
        place.roll_back().unwrap();
        assert_eq!(place.current().unwrap().unwrap(), b"other");
        assert_eq!((place.previous().unwrap(), place.highest("c").unwrap()), (None, 3));
        place.roll_back().unwrap();
        assert_eq!(place.current().unwrap(), None);
        assert!(place.roll_back().is_err());
    }
}
