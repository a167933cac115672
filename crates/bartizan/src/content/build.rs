//! `bartizan pack`: making a content pack, and looking into one.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use bartizan_guard::{Guard, Settings};
use bartizan_sign::{ContentPack, LONGEST_PACK, PackInfo};

use super::Installed;
use super::args::{PackBuildArgs, PackCommand, PackShowArgs};
use crate::problem::Problem;
use crate::signing::{Signing, read_bytes, trust};
use crate::{DONE, terminal};

/// Deepest folder that is looked into.
const DEEPEST: usize = 4;

/// `bartizan pack`.
pub(crate) fn run(command: &PackCommand) -> anyhow::Result<u8> {
    match command {
        PackCommand::Build(args) => build(args),
        PackCommand::Show(args) => show(args),
    }
}

fn build(args: &PackBuildArgs) -> anyhow::Result<u8> {
    let signing = Signing::read(&args.key)?;
    let mut files = Vec::new();
    collect(&args.folder, "", &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(Problem::new(format!("`{}` holds no files", args.folder.display()))
            .help("see `bartizan pack build --help` for what goes into a pack")
            .into());
    }
    let info = PackInfo {
        name: args.name.clone(),
        version: args.number,
        made: format!("{:.0}", jiff::Timestamp::now()),
        program: args.program.clone().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
    };
    let bytes = signing.pack(&info, &files)?;
    // Nobody can use one that does not load here, whoever signed it.
    let installed = Installed::of(ContentPack::open(&bytes, &[signing.trust()])?)?;
    let settings = Settings { content: Some(std::sync::Arc::clone(&installed.content)), ..Settings::default() };
    Guard::new(&settings).map_err(|error| Problem::new(format!("the pack cannot be used: {error}")))?;
    std::fs::write(&args.output, &bytes).with_context(|| format!("cannot write `{}`", args.output.display()))?;
    let (count, length) = (files.len(), bytes.len());
    writeln!(
        std::io::stdout(),
        "{} ({count} files, {length} bytes, sha256:{}) signed with {}\nwrote {}",
        installed.title(),
        installed.digest,
        signing.hint(),
        args.output.display()
    )?;
    Ok(DONE)
}

fn collect(folder: &Path, below: &str, files: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    let cannot = || format!("cannot read `{}`", folder.display());
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name();
        let kind = entry.file_type().with_context(cannot)?;
        let (Some(name), false) = (name.to_str(), kind.is_symlink()) else {
            return Err(Problem::new(format!("`{}` cannot be in a pack", entry.path().display()))
                .help("links and names that are not UTF-8 are not followed")
                .into());
        };
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if kind.is_dir() && path.matches('/').count() < DEEPEST {
            collect(&entry.path(), &path, files)?;
        } else {
            files.push((path, read_bytes(&entry.path(), LONGEST_PACK)?));
        }
    }
    Ok(())
}

fn show(args: &PackShowArgs) -> anyhow::Result<u8> {
    let pack = ContentPack::open(&read_bytes(&args.file, LONGEST_PACK)?, &trust(&args.trust)?)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}, made {}, for bartizan {} and later", pack.title(), pack.info.made, pack.info.program)?;
    writeln!(out, "signed by {}", terminal::line(&pack.signer.to_string()))?;
    writeln!(out, "sha256:{}", pack.digest)?;
    for (path, bytes) in &pack.files {
        writeln!(out, "  {:>10} bytes  {path}", bytes.len())?;
    }
    Ok(DONE)
}
