//! The answer for people.

use std::io::{Result, Write};
use std::path::Path;

use bartizan_core::Action;
use bartizan_data::RowReport;

use super::answer::Summary;
use super::clean::Made;
use crate::cli::Gate;
use crate::terminal::{self, Style};

/// Most rows that are drawn.
const ROWS: usize = 20;
/// Most findings of a row that are drawn.
const FINDINGS: usize = 5;

/// Draws rows at the gate, what was not read, and the summary.
pub(super) fn draw(out: &mut impl Write, summary: &Summary, shown: &[RowReport], gate: Gate) -> Result<()> {
    let color = terminal::colored_stdout();
    for report in shown.iter().take(ROWS) {
        row(out, report, gate, color)?;
    }
    let more = summary.stopped.saturating_sub(ROWS as u64);
    if more > 0 {
        writeln!(out, "… and {more} more rows; --format jsonl lists all")?;
    }
    for gap in summary.gaps.iter().filter(|gap| !gap.structural).take(ROWS) {
        let (source, place) = (terminal::line(&gap.source), terminal::line(&gap.place));
        let word = terminal::paint("not examined", Style::Bad, color);
        writeln!(out, "{word}: {source}, {place}: {}", terminal::line(&gap.why))?;
    }
    if !summary.triggers.is_empty() {
        writeln!(out, "{}", terminal::paint("poisoning", Style::Heading, color))?;
        for trigger in summary.triggers.iter().take(ROWS) {
            writeln!(out, "  {:.2}  {}", trigger.score, terminal::line(&trigger.says()))?;
        }
    }
    if !summary.clusters.is_empty() {
        writeln!(out, "{}", terminal::paint("copies", Style::Heading, color))?;
        for group in summary.clusters.iter().take(FINDINGS) {
            let source = terminal::line(&group.first.source);
            writeln!(
                out,
                "  {:>9}  rows like {source}, row {} ({} word for word)",
                group.rows, group.first.row, group.exact
            )?;
        }
        writeln!(out, "  {} rows in {} groups repeat another", summary.duplicates, summary.clusters_total)?;
    }
    if !summary.findings.is_empty() {
        writeln!(out, "{}", terminal::paint("findings", Style::Heading, color))?;
        let mut rules: Vec<_> = summary.findings.iter().collect();
        rules.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        for (rule, count) in rules {
            writeln!(out, "  {count:>9}  {rule}")?;
        }
    }
    if let Some(made) = &summary.clean {
        cleaned(out, made, color)?;
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let found = match summary.stopped {
        0 => terminal::paint("no row at the gate", Style::Good, color),
        1 => terminal::paint("1 row at the gate", Style::Bad, color),
        n => terminal::paint(&format!("{n} rows at the gate"), Style::Bad, color),
    };
    writeln!(
        out,
        "{} rows of {} source{}, {} bytes of text; {found}; coverage {}",
        summary.rows,
        summary.sources,
        plural(summary.sources),
        summary.bytes,
        summary.coverage.status
    )
}

fn cleaned(out: &mut impl Write, made: &Made, color: bool) -> Result<()> {
    let shown = |path: &Path| terminal::line(&path.display().to_string());
    writeln!(out, "{}", terminal::paint("cleaned", Style::Heading, color))?;
    for (action, count) in &made.actions {
        let word = match action {
            Action::Pass => "rows as they were",
            Action::Mask => "rows with places replaced",
            Action::Drop => "rows left out",
            Action::Quarantine => "rows set aside",
            other => other.as_str(),
        };
        writeln!(out, "  {count:>9}  {word}")?;
    }
    writeln!(out, "  wrote {}", shown(&made.out))?;
    if let Some(aside) = &made.quarantine {
        writeln!(out, "  set aside in {}", shown(aside))?;
    }
    let signed = made.signer.as_ref().map_or_else(|| "not signed".to_owned(), |by| format!("signed with {by}"));
    writeln!(out, "  manifest {}, {signed}; what is gone: {}", shown(&made.manifest), shown(&made.removed))
}

fn row(out: &mut impl Write, report: &RowReport, gate: Gate, color: bool) -> Result<()> {
    let verdict = terminal::paint(report.verdict.as_str(), Style::Bad, color);
    writeln!(out, "{verdict}: {}, row {}", terminal::line(&report.source), report.row)?;
    if let Some(what) = &report.poison {
        writeln!(out, "  {}", terminal::line(what))?;
    }
    let found = report.findings.iter().filter(|finding| gate.stops(finding.severity));
    for finding in found.clone().take(FINDINGS) {
        let kind = finding.entity.as_deref().map_or_else(String::new, |entity| format!(" ({entity})"));
        let path = finding.path.as_deref().map_or_else(String::new, terminal::line);
        writeln!(
            out,
            "  {}[{}]{kind}: {path}, characters {} to {}",
            finding.severity, finding.rule, finding.start, finding.end
        )?;
    }
    let more = found.count().saturating_sub(FINDINGS);
    if more > 0 {
        writeln!(out, "  … and {more} more")?;
    }
    Ok(())
}
