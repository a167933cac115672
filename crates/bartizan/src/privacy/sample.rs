//! `bartizan privacy sample`.

use std::io::Write as _;

use bartizan_privacy::report::Report;
use bartizan_privacy::sampling::{self, Effort};

use super::args::{Format, SampleArgs};
use super::measure::{about, code, missing, page, problem, read, reference, told, with_probe};
use super::protect;
use crate::problem::Problem;
use crate::terminal::counted;

/// Most samples that are listed for people.
const SHOWN: usize = 20;

/// `bartizan privacy sample`.
pub(crate) fn run(args: &SampleArgs) -> anyhow::Result<u8> {
    let index = protect::open(&args.index, &args.index_key).map_err(Problem::new)?;
    let prompts = if args.prompts.is_empty() { Vec::new() } else { read(&args.prompts, None, usize::MAX)? };
    let effort = Effort { samples: args.samples, tokens: args.tokens };
    let ((report, other_kept), kept) = with_probe(&args.target, async |own| {
        let other = (args.reference.as_deref(), args.reference_model.as_deref(), args.reference_key.as_ref());
        let reference = reference(&args.target, other).await?;
        let report = sampling::test(own, reference.as_ref(), &prompts, &index, &effort).await.map_err(problem)?;
        Ok((report, reference.as_ref().map_or(Ok(true), told)?))
    })?;
    page(args.target.html.as_deref(), &Report::Sampling(&report))?;
    let mut out = std::io::stdout().lock();
    if args.target.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        about(&mut out, &report.about)?;
        writeln!(out, "signal: {}", report.says)?;
        let samples = counted(report.samples as u64, "sample");
        writeln!(out, "{samples}, {} different; intervals are at 95 %", report.different)?;
        if let Some(share) = report.repeats {
            writeln!(
                out,
                "repeat twelve words or more of the corpus: {:.3} ({:.3} to {:.3})",
                share.value, share.low, share.high
            )?;
        }
        for one in &report.rankings {
            let auroc = one.auroc.map_or_else(
                || "not measured".to_owned(),
                |of| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high),
            );
            writeln!(out, "by {}: {:.2} of the first {} repeat it; AUROC {auroc}", one.score, one.hits.value, one.top)?;
        }
        for one in report.found.iter().take(SHOWN) {
            let records = crate::terminal::line(&one.records.join(", "));
            writeln!(out, "sample {}: {} bytes, {records}", one.sample, one.bytes)?;
        }
        missing(&mut out, &report.missing)?;
    }
    let complete = kept && other_kept && report.missing.is_empty() && report.samples > 0;
    Ok(code(!report.found.is_empty(), complete))
}
