//! `bartizan sign`, `verify` and `attest`: what signatures say of models, and where models come from.

pub(crate) mod args;
mod attest;
mod chain;
mod corpus;
mod gate;
mod keys;
mod sign;
mod verify;

use std::path::{Component, Path};

pub(crate) use attest::attest;
pub(crate) use corpus::corpus as verify_corpus;
pub(crate) use gate::held;
pub(crate) use keys::{Signing, bundle as read_bundle, read as read_bytes, trust, write as put};
pub(crate) use sign::model as sign_model;
pub(crate) use verify::model as verify_model;

/// The path of `path` below `root`, with `/`; `None` where it is not below it, or is not UTF-8. The last part need not
/// be there.
fn below(root: &Path, path: &Path) -> Option<String> {
    let root = root.canonicalize().ok()?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let path = folder.canonicalize().ok()?.join(path.file_name()?);
    plain(path.strip_prefix(root).ok()?)
}

/// A relative path without ways out, with `/` between its parts.
fn plain(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| if let Component::Normal(part) = part { part.to_str() } else { None })
        .collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("/"))
}
