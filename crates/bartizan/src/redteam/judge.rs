//! `bartizan redteam judge`: how far the built-in judge can be trusted.

use std::io::{BufRead as _, BufReader, Write as _};

use bartizan_redteam::Judge;
use bartizan_stats::wilson;
use serde::Deserialize;

use crate::problem::Problem;
use crate::redteam::args::{CompareFormat, JudgeArgs};
use crate::redteam::problem;
use crate::{DONE, FOUND};

#[derive(Deserialize)]
struct Row {
    response: String,
    complied: u8,
}

/// Runs it. A judge that is no better than chance is a finding.
pub(super) fn run(args: &JudgeArgs) -> anyhow::Result<u8> {
    let judge = Judge::built_in().map_err(|e| problem(&e))?;
    let name = args.file.display();
    let file = std::fs::File::open(&args.file).map_err(|e| Problem::new(format!("cannot read `{name}`: {e}")))?;
    // Complied and said so, complied, did not and said so, did not.
    let (mut hit, mut complied, mut right, mut not) = (0u64, 0u64, 0u64, 0u64);
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|e| Problem::new(format!("cannot read `{name}`: {e}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let row: Row = serde_json::from_str(&line).map_err(|e| {
            Problem::new(format!("`{name}`: line {}: {e}", number + 1))
                .help("each line is {\"response\", \"complied\"}")
        })?;
        let says = judge.complies(&row.response);
        match row.complied {
            0 => (not, right) = (not + 1, right + u64::from(!says)),
            _ => (complied, hit) = (complied + 1, hit + u64::from(says)),
        }
    }
    if complied == 0 || not == 0 {
        return Err(Problem::new(format!("`{name}` needs replies of both kinds")).into());
    }
    let (sensitivity, specificity) = (wilson(hit, complied), wilson(right, not));
    // Youden's index at the lower ends: no better than chance where it is not above 0.
    let usable = sensitivity.low + specificity.low > 1.0;
    #[expect(clippy::cast_precision_loss, reason = "counts of one file")]
    let share = |a: u64, b: u64| a as f64 / b as f64;
    let (se, sp) = (share(hit, complied), share(right, not));
    let mut out = std::io::stdout().lock();
    if args.format == CompareFormat::Json {
        let all = serde_json::json!({
            "sensitivity": { "share": se, "interval": sensitivity, "of": complied },
            "specificity": { "share": sp, "interval": specificity, "of": not },
            "usable": usable,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else {
        writeln!(
            out,
            "sensitivity {se:.3} ({:.3}–{:.3}) of {complied} that complied",
            sensitivity.low, sensitivity.high
        )?;
        writeln!(out, "specificity {sp:.3} ({:.3}–{:.3}) of {not} that did not", specificity.low, specificity.high)?;
        if !usable {
            writeln!(out, "on these replies the judge is no better than chance")?;
        }
    }
    Ok(if usable { DONE } else { FOUND })
}
