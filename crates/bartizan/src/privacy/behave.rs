//! `bartizan privacy behave`.

use std::io::Write as _;

use bartizan_privacy::behaviour::{self, Suspects};
use bartizan_privacy::report::Report;
use bartizan_privacy::stats::Estimate;
use bartizan_redteam::Judge;

use super::args::{BehaveArgs, Format};
use super::measure::{about, code, missing, page, problem, read, with_probe};

/// `bartizan privacy behave`.
pub(crate) fn run(args: &BehaveArgs) -> anyhow::Result<u8> {
    let prompts = read(&args.prompts, args.text_column.as_deref(), args.most)?;
    let suspects = match &args.suspects {
        Some(path) => behaviour::suspects(path, args.most_suspects).map_err(problem)?,
        None => Suspects::default(),
    };
    let judge = Judge::built_in().map_err(problem)?;
    let refuses = |reply: &str| judge.refuses(reply);
    let (report, kept) =
        with_probe(&args.target, async |probe| Ok(behaviour::test(probe, &prompts, &suspects, &refuses).await))?;
    page(args.target.html.as_deref(), &Report::Behaviour(&report))?;
    let mut out = std::io::stdout().lock();
    if args.target.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        let share = |of: Estimate| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high);
        about(&mut out, &report.about)?;
        writeln!(out, "{}; intervals are at 95 %", report.says)?;
        if let Some(refused) = report.refused {
            writeln!(out, "refused: {} of {} prompts", share(refused), report.refusals.len())?;
        }
        for one in &report.suspects {
            let mark = if one.shows { "  brings its payload out" } else { "" };
            writeln!(
                out,
                "suspect {}: payload with it {}, without it {}, refused {}{mark}",
                one.suspect,
                share(one.with),
                share(one.without),
                share(one.refused)
            )?;
        }
        if report.untried > 0 {
            writeln!(
                out,
                "not tried: {} suspects of which there are no words, or beyond --most-suspects",
                report.untried
            )?;
        }
        missing(&mut out, &report.missing)?;
    }
    let complete = kept && report.missing.is_empty() && report.untried == 0 && !report.refusals.is_empty();
    Ok(code(report.suspects.iter().any(|one| one.shows), complete))
}
