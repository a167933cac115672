//! The program as it is given to others, and whether it can be built again.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, repo};

/// Builds the program for others into `dist/`.
pub(crate) fn build() -> Result {
    let folder = repo::root().join("dist");
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot create `{}`: {e}", folder.display()))?;
    let built = compile(repo::root(), &repo::target()?.join("dist"))?;
    let to = folder.join("bartizan");
    std::fs::copy(&built, &to).map_err(|e| format!("cannot write `{}`: {e}", to.display()))?;
    let sum = sha256(&to)?;
    std::fs::write(folder.join("bartizan.sha256"), format!("{sum}  bartizan\n")).map_err(|e| e.to_string())?;
    println!("{}\n{sum}  {}", size(&to)?, to.display());
    Ok(())
}

/// Builds it twice, from two copies of the sources in folders of different names, and compares.
pub(crate) fn compare() -> Result {
    let scratch = repo::Scratch::new("dist")?;
    let mut sums = Vec::new();
    for name in ["one", "another-name"] {
        let sources = scratch.0.join(name);
        copy_sources(&sources)?;
        let built = compile(&sources, &sources.join("target"))?;
        println!("{}  {name}", sha256(&built)?);
        sums.push(sha256(&built)?);
        // Two builds are many gigabytes.
        std::fs::remove_dir_all(&sources).map_err(|e| format!("cannot remove `{}`: {e}", sources.display()))?;
    }
    if sums.windows(2).all(|pair| pair[0] == pair[1]) { Ok(()) } else { Err("the two builds differ".into()) }
}

/// What git tracks, as it lies here.
fn copy_sources(to: &Path) -> Result {
    let files = repo::output(Command::new("git").current_dir(repo::root()).args(["ls-files", "-z"]))?;
    for file in files.split('\0').filter(|file| !file.is_empty()) {
        let (from, to) = (repo::root().join(file), to.join(file));
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(|e| format!("cannot create `{}`: {e}", folder.display()))?;
        }
        std::fs::copy(&from, &to).map_err(|e| format!("cannot copy `{}`: {e}", from.display()))?;
    }
    Ok(())
}

/// Builds in a folder of its own, because its flags are other ones. Nothing of this machine stays in the program: paths are
/// replaced, and the time is that of the last commit.
fn compile(sources: &Path, target: &Path) -> Result<PathBuf> {
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    let home = home.map_err(|_| "neither CARGO_HOME nor HOME is set".to_owned())?;
    let rustc = repo::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let remaps = [(sources.display().to_string(), "/bartizan"), (home, "/cargo"), (rustc.trim().to_owned(), "/rustc")];
    let flags: Vec<String> = remaps.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")).collect();
    // C is compiled too, and its assertions hold the paths of its files.
    let c_flags: Vec<String> = remaps.iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect();
    let time = repo::output(Command::new("git").current_dir(repo::root()).args(["log", "-1", "--format=%ct"]))?;
    let mut command = repo::cargo(&["build", "--release", "--locked", "--package", "bartizan"]);
    command.current_dir(sources).env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0");
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env("CFLAGS", c_flags.join(" "));
    command.env("CARGO_PROFILE_RELEASE_STRIP", "symbols").env("SOURCE_DATE_EPOCH", time.trim());
    repo::run(&mut command)?;
    Ok(target.join("release/bartizan"))
}

fn sha256(path: &Path) -> Result<String> {
    let said = repo::output(Command::new("sha256sum").arg(path))?;
    said.split_whitespace().next().map(str::to_owned).ok_or_else(|| "`sha256sum` printed nothing".into())
}

fn size(path: &Path) -> Result<String> {
    let bytes = std::fs::metadata(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?.len();
    Ok(format!("{bytes} bytes"))
}
