//! `bartizan init`.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context as _;

use crate::DONE;
use crate::problem::Problem;

/// The commented configuration; `{canary}` is put in.
const TEMPLATE: &str = include_str!("config/template.toml");

/// Writes a configuration file.
pub(crate) fn run(file: &Path, force: bool) -> anyhow::Result<u8> {
    let name = file.display();
    let opened = if force { File::create(file) } else { File::create_new(file) };
    let mut written = opened.map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => {
            Problem::new(format!("`{name}` is there already")).help("--force overwrites it; another name keeps both")
        }
        _ => Problem::new(format!("cannot write `{name}`: {e}")),
    })?;
    let canary = canary()?;
    written.write_all(template(&canary).as_bytes()).with_context(|| format!("cannot write `{name}`"))?;
    writeln!(
        std::io::stdout().lock(),
        "wrote `{name}`\n\n\
         Next:\n  \
         1. set `url` under [[upstream]] to your model server\n  \
         2. put the canary {canary} into your system prompt: no answer that repeats it gets out\n  \
         3. bartizan config check && bartizan up"
    )?;
    Ok(DONE)
}

/// The file with a canary in it.
pub(crate) fn template(canary: &str) -> String {
    TEMPLATE.replace("{canary}", canary)
}

/// 80 random bits, in an alphabet that no tokeniser or mark-up changes.
fn canary() -> anyhow::Result<String> {
    let mut bytes = [0; 10];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gave no random bytes"))?;
    Ok(format!("BARTIZAN-CANARY-{}", bytes.iter().map(|b| format!("{b:02X}")).collect::<String>()))
}
