//! `bartizan sign model`.

use std::io::Write as _;
use std::path::Path;

use bartizan_scan::tree::{self, Selection};
use bartizan_sign::hex;

use super::args::SignModelArgs;
use super::keys::{self, Signing};
use super::{below, plain};
use crate::DONE;
use crate::problem::Problem;
use crate::terminal;

/// Signs every file of a model.
pub(crate) fn model(args: &SignModelArgs) -> anyhow::Result<u8> {
    let signing = Signing::read(&args.key)?;
    let mut selection = Selection { links: args.allow_symlinks, ..Selection::of_model(&args.path) };
    let ignored = &mut selection.ignored;
    for path in &args.ignore_path {
        // As the model names it, or as the current folder does.
        let path = Path::new(path);
        let known = if path.is_absolute() { below(&args.path, path) } else { plain(path) };
        ignored.push(known.ok_or_else(|| {
            Problem::new(format!("`{}` is not below the model", path.display())).help("give paths below the model")
        })?);
    }
    ignored.extend(below(&args.path, &args.output));
    ignored.sort();
    ignored.dedup();
    let tree = tree::list(&args.path, &selection)?;
    if tree.files.is_empty() {
        return Err(Problem::new(format!("`{}` has no files", args.path.display()))
            .help("give the folder of a model")
            .into());
    }
    let manifest = tree::manifest(&tree, &selection)?;
    keys::write(&args.output, &signing.sign(&manifest.statement()?)?)?;
    let bytes: u64 = tree.files.values().map(|leaf| leaf.size).sum();
    let plural = if tree.files.len() == 1 { "" } else { "s" };
    writeln!(
        std::io::stdout(),
        "signed {} ({} file{plural}, {bytes} bytes, sha256:{}) with {}\nwrote {}",
        terminal::line(&tree.name),
        tree.files.len(),
        hex(&manifest.digest()),
        signing.hint(),
        args.output.display(),
    )?;
    Ok(DONE)
}
