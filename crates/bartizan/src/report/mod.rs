//! `bartizan report`: what the evidence shows, and what it is worth.

pub(crate) mod args;
pub(crate) mod case;
mod columns;
mod export;
pub(crate) mod marks;
mod ocsf;
pub(crate) mod posture;
mod verify;

use std::io::Write as _;
use std::path::Path;

use bartizan_sign::NoteKey;

use self::args::ReportCommand;
use crate::{DONE, record};

/// `bartizan report`.
pub(crate) fn run(command: &ReportCommand) -> anyhow::Result<u8> {
    match command {
        ReportCommand::Posture(args) => posture::run(args),
        ReportCommand::Verify(args) => verify::run(args),
        ReportCommand::Export(args) => record::block_on(export::run(args)),
        ReportCommand::Precision(args) => record::block_on(marks::precision(args)),
        ReportCommand::Labels(args) => record::block_on(marks::labels(args)),
        ReportCommand::NewKey { file, name } => new_key(file, name),
    }
}

fn new_key(file: &Path, name: &str) -> anyhow::Result<u8> {
    let key = NoteKey::generate(name)?;
    record::write_secret(file, &key.secret())?;
    writeln!(std::io::stdout().lock(), "{}", key.verifier())?;
    Ok(DONE)
}
