//! `bartizan privacy personal`.

use std::io::Write as _;

use bartizan_privacy::personal::{self as testing, Effort};
use bartizan_privacy::report::{Report, counted as several};
use bartizan_privacy::stats::Estimate;

use super::args::{Format, PersonalArgs};
use super::measure::{about, code, missing, page, problem, with_probe};
use crate::terminal::counted;

/// `bartizan privacy personal`.
pub(crate) fn run(args: &PersonalArgs) -> anyhow::Result<u8> {
    let cases =
        testing::read(&args.records, &args.text_column, &args.value, args.context, args.most).map_err(problem)?;
    let effort =
        Effort { context: args.context, samples: args.samples, within: args.within, candidates: args.candidates };
    let (report, kept) = with_probe(&args.target, async |probe| Ok(testing::test(probe, &cases, &effort).await))?;
    page(args.target.html.as_deref(), &Report::Personal(&report))?;
    let mut out = std::io::stdout().lock();
    if args.target.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        let share = |of: Option<Estimate>| {
            let said = |of: Estimate| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high);
            of.map_or_else(|| "not measured".to_owned(), said)
        };
        about(&mut out, &report.about)?;
        writeln!(out, "signal: {}", report.says)?;
        let measured = counted(report.values.len() as u64, "value");
        writeln!(out, "{measured} measured; intervals are at 95 %")?;
        writeln!(out, "{:16}  {:>20}  {:>24}  {:>24}  {:>7}", "column", "extractable", "put back", "chosen", "chance")?;
        for group in &report.kinds {
            let known = several(group.extractable, group.extractable_interval, group.values);
            let chance = group.chance.map_or_else(|| "-".to_owned(), |chance| format!("{chance:.3}"));
            let (put, chosen) = (share(group.reconstructed), share(group.chosen));
            let name = crate::terminal::line(&group.kind);
            writeln!(out, "{name:16}  {known:>20}  {put:>24}  {chosen:>24}  {chance:>7}")?;
        }
        if report.unusable > 0 {
            writeln!(
                out,
                "not measured: {} not in its text, or with no word before it",
                counted(report.unusable, "value")
            )?;
        }
        missing(&mut out, &report.missing)?;
    }
    let found = report.kinds.iter().any(|group| group.extractable > 0 || group.evidence);
    let complete = kept && report.missing.is_empty() && report.unusable == 0 && !report.values.is_empty();
    Ok(code(found, complete))
}
