//! `bartizan redteam import`: reports of other scanners, judged again.

use std::fs::File;
use std::io::{BufReader, Write as _};

use bartizan_redteam::import;

use crate::DONE;
use crate::problem::Problem;
use crate::redteam::args::{CompareFormat, ImportArgs};
use crate::redteam::problem;
use crate::terminal;

/// Runs it.
pub(super) fn run(args: &ImportArgs) -> anyhow::Result<u8> {
    let name = args.file.display().to_string();
    let file = File::open(&args.file).map_err(|e| Problem::new(format!("cannot read `{name}`: {e}")))?;
    let probes = import(&name, BufReader::new(file)).map_err(|e| problem(&e))?;
    let mut out = std::io::stdout().lock();
    if args.format == CompareFormat::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&probes)?)?;
        return Ok(DONE);
    }
    writeln!(
        out,
        "{:<40} {:>7} {:>7} {:>8} {:>7} {:>20} {:>6}",
        "probe", "replies", "theirs", "complied", "refused", "theirs, but refused", "errors"
    )?;
    for (probe, p) in &probes {
        writeln!(
            out,
            "{:<40} {:>7} {:>7} {:>8} {:>7} {:>20} {:>6}",
            terminal::line(probe),
            p.replies,
            p.theirs,
            p.complied,
            p.refused,
            p.theirs_refused,
            p.errors
        )?;
    }
    out.flush()?;
    Ok(DONE)
}
