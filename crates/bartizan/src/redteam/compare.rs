//! `bartizan redteam compare`: two runs of the same attacks.

use std::io::Write as _;

use bartizan_redteam::report::before_after::{gaps, html, junit, markdown, word};
use bartizan_redteam::{Compared, compare};

use crate::problem::Problem;
use crate::redteam::args::{CompareArgs, PairFormat};
use crate::redteam::{JOURNAL, not_cut, problem};
use crate::terminal;
use crate::{DONE, FOUND, UNREAD};

/// Runs it. Worse after, beyond chance, is a finding; attacks that one run alone made are not compared.
pub(super) fn run(args: &CompareArgs) -> anyhow::Result<u8> {
    for folder in [&args.before, &args.after] {
        if !folder.join(JOURNAL).exists() {
            let help = "give the folders that `bartizan redteam run --out` wrote";
            return Err(Problem::new(format!("there is no run in `{}`", folder.display())).help(help).into());
        }
        not_cut(folder)?;
    }
    let compared = compare(&args.before.join(JOURNAL), &args.after.join(JOURNAL)).map_err(|e| problem(&e))?;
    let mut out = std::io::stdout().lock();
    match args.format {
        PairFormat::Human => human(&mut out, &compared)?,
        PairFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&compared)?)?,
        PairFormat::Junit => write!(out, "{}", junit(&compared))?,
        PairFormat::Markdown => write!(out, "{}", markdown(&compared))?,
        PairFormat::Html => write!(out, "{}", html(&compared))?,
    }
    out.flush()?;
    if let Some(gaps) = gaps(&compared)
        && args.format != PairFormat::Human
    {
        writeln!(std::io::stderr(), "{gaps}")?;
    }
    Ok(match (compared.worse, compared.unpaired) {
        (true, _) => FOUND,
        (false, 0) => DONE,
        (false, _) => UNREAD,
    })
}

fn human(out: &mut impl std::io::Write, compared: &Compared) -> std::io::Result<()> {
    writeln!(out, "{:<28} {:>6} {:>7} {:>7} {:>9} {:>7}", "family", "pairs", "before", "after", "p (Holm)", "p (BH)")?;
    let families = compared.families.iter().map(|(n, p)| (n.as_str(), p));
    for (name, pair) in families.chain([("all", &compared.total), ("harmless texts blocked", &compared.false_block)]) {
        let row = format!(
            "{:<28} {:>6} {:>7} {:>7} {:>9.4} {:>7.4}  {}",
            terminal::line(name),
            pair.pairs,
            pair.before,
            pair.after,
            pair.p_holm,
            pair.p_bh,
            word(pair)
        );
        writeln!(out, "{}", row.trim_end())?;
    }
    if let Some(gaps) = gaps(compared) {
        writeln!(out, "{gaps}")?;
    }
    Ok(())
}
