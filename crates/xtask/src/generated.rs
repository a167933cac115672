//! Files that the binary writes about itself: rule tables, command line, configuration schema, example.

use std::path::{Path, PathBuf};

use crate::{Result, repo};

/// Folders that hold generated files only: anything else in them is stale.
const OWNED: &[&str] = &["docs/reference", "docs/rules"];

/// Writes them.
pub(crate) fn write() -> Result {
    let scratch = produce()?;
    for file in files(&scratch.0)? {
        let (from, to) = (scratch.0.join(&file), repo::root().join(&file));
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(|e| format!("cannot create `{}`: {e}", folder.display()))?;
        }
        std::fs::copy(from, &to).map_err(|e| format!("cannot write `{}`: {e}", to.display()))?;
    }
    for file in stale(&scratch.0, repo::root())? {
        let path = repo::root().join(file);
        std::fs::remove_file(&path).map_err(|e| format!("cannot remove `{}`: {e}", path.display()))?;
    }
    Ok(())
}

/// Fails where they differ from what the binary would write.
pub(crate) fn check() -> Result {
    let scratch = produce()?;
    let mut differ = changed(&scratch.0, repo::root())?;
    differ.extend(stale(&scratch.0, repo::root())?);
    if differ.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = differ.iter().map(|f| f.display().to_string()).collect();
    Err(format!("not current, run `cargo xtask gen`\n  {}", names.join("\n  ")))
}

fn produce() -> Result<repo::Scratch> {
    let scratch = repo::Scratch::new("gen")?;
    repo::run(repo::cargo(&["run", "--quiet", "--package", "bartizan", "--", "gen"]).arg(&scratch.0))?;
    if files(&scratch.0)?.is_empty() {
        return Err("`bartizan gen` wrote nothing".into());
    }
    Ok(scratch)
}

/// Generated files whose copy below `root` is missing or different.
fn changed(generated: &Path, root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files(generated)?;
    files.retain(|f| std::fs::read(generated.join(f)).ok() != std::fs::read(root.join(f)).ok());
    Ok(files)
}

/// Files in owned folders below `root` that are no longer generated.
fn stale(generated: &Path, root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for owned in OWNED.iter().filter(|o| root.join(o).is_dir()) {
        let inside = files(&root.join(owned))?.into_iter().map(|f| Path::new(owned).join(f));
        found.extend(inside.filter(|f| !generated.join(f).exists()));
    }
    Ok(found)
}

/// All files below a folder, relative to it, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        let entries = std::fs::read_dir(&next).map_err(|e| format!("cannot list `{}`: {e}", next.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(relative) = path.strip_prefix(folder) {
                found.push(relative.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_missing_and_stale_files_are_found() {
        let scratch = repo::Scratch::new("gen-test").expect("a temporary folder");
        let put = |path: &str, text: &str| {
            let path = scratch.0.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        put("new/docs/rules/index.md", "a");
        put("new/example.toml", "b");
        put("old/docs/rules/index.md", "changed");
        put("old/docs/rules/gone.md", "c");
        put("old/docs/kept-by-hand.md", "d");
        let (new, old) = (scratch.0.join("new"), scratch.0.join("old"));
        let names = |v: Vec<PathBuf>| v.iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
        assert_eq!(names(changed(&new, &old).expect("listed")), ["docs/rules/index.md", "example.toml"]);
        assert_eq!(names(stale(&new, &old).expect("listed")), ["docs/rules/gone.md"]);
        assert!(changed(&new, &new).expect("listed").is_empty());
    }
}
