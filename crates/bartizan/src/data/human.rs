//! The answer for people.

use std::io::{Result, Write};
use std::path::Path;

use bartizan_core::Action;
use bartizan_data::RowReport;

use super::answer::Summary;
use super::clean::Made;
use crate::args::Gate;
use crate::terminal::{self, Style, counted};

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
        writeln!(out, "… and {} more; --format jsonl lists all", counted(more, "row"))?;
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
    searched(out, summary, color)?;
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
        writeln!(
            out,
            "  {} in {} repeat another",
            counted(summary.duplicates as u64, "row"),
            counted(summary.clusters_total as u64, "group")
        )?;
    }
    if !summary.findings.is_empty() {
        writeln!(out, "{}", terminal::paint("findings", Style::Heading, color))?;
        let mut rules: Vec<_> = summary.findings.iter().collect();
        rules.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        for (rule, count) in rules {
            writeln!(out, "  {count:>9}  {rule}")?;
        }
    }
    beside(out, summary, color)?;
    if let Some(made) = &summary.clean {
        cleaned(out, made, color)?;
    }
    if summary.is_empty() {
        return writeln!(out, "no row to examine was there, so nothing is known; coverage {}", summary.coverage.status);
    }
    let found = match summary.stopped {
        0 => terminal::paint("no row at the gate", Style::Good, color),
        1 => terminal::paint("1 row at the gate", Style::Bad, color),
        n => terminal::paint(&format!("{n} rows at the gate"), Style::Bad, color),
    };
    writeln!(
        out,
        "{} of {}, {} bytes of text; {found}; coverage {}",
        counted(summary.rows, "row"),
        counted(summary.sources as u64, "source"),
        summary.bytes,
        summary.coverage.status
    )
}

/// What was taken for labels, and what was not searched for poisoning.
fn searched(out: &mut impl Write, summary: &Summary, color: bool) -> Result<()> {
    let list = |names: &[String]| names.iter().map(|name| format!("`{}`", terminal::line(name))).collect::<Vec<_>>();
    if !summary.labels_inferred.is_empty() {
        let names = list(&summary.labels_inferred).join(", ");
        writeln!(out, "taken for labels by their values: {names}; --label-column names another")?;
    }
    let Some(rows) = summary.poison_unsearched.filter(|rows| *rows > 0) else { return Ok(()) };
    let word = terminal::paint("not searched for poisoning", Style::Bad, color);
    let unclear = if summary.labels_unclear.is_empty() {
        String::new()
    } else {
        format!("; is one of {} the label? --label-column names it", list(&summary.labels_unclear).join(", "))
    };
    let told = counted(rows as u64, "distinct row");
    writeln!(out, "{word}: {told} with neither labels nor answers, or too few to be compared{unclear}")
}

/// What the corpus was compared with, and held against.
fn beside(out: &mut impl Write, summary: &Summary, color: bool) -> Result<()> {
    if let Some(all) = &summary.difference {
        writeln!(out, "{}", terminal::paint("what came in", Style::Heading, color))?;
        writeln!(
            out,
            "  {} rows came in, {} of them copies of rows that were there; {} went, {} are in both",
            all.added, all.copies, all.removed, all.same
        )?;
        for (file, count) in all.files.iter().take(ROWS) {
            writeln!(out, "  {count:>9}  from {}", terminal::line(file))?;
        }
        for (column, values) in &all.origins {
            for (value, count) in values.iter().take(FINDINGS) {
                writeln!(out, "  {count:>9}  {column} {}", terminal::line(value))?;
            }
        }
        if all.unread_before > 0 {
            let told = format!("{} places of the version before were not read", all.unread_before);
            writeln!(out, "  {}; rows from there look new", terminal::paint(&told, Style::Bad, color))?;
        }
    }
    if let Some(found) = &summary.contamination {
        writeln!(out, "{}", terminal::paint("contamination", Style::Heading, color))?;
        let style = if found.found == 0 { Style::Good } else { Style::Bad };
        let told = format!("{} of {} items of the evaluation set", found.found, found.items);
        let short = if found.short == 0 { String::new() } else { format!("; {} cannot be compared", found.short) };
        let whole = format!("{} as good as whole", found.mostly);
        writeln!(out, "  {} in {} rows, {whole}{short}", terminal::paint(&told, style, color), found.rows)?;
        for one in found.worst.iter().take(FINDINGS) {
            let source = terminal::line(&one.item.source);
            writeln!(out, "  {:>8.0}%  of {source}, row {}", f64::from(one.share) * 100.0, one.item.row)?;
        }
    }
    if let Some(all) = summary.canaries {
        let wanted = all.wanted.map_or_else(String::new, |wanted| format!(" of {wanted}"));
        writeln!(out, "{}{wanted} rows are canaries that were planted", all.rows)?;
        if all.unplanted > 0 {
            let told = format!("{} rows are canaries that were left out", all.unplanted);
            writeln!(out, "{}; a test with them says nothing", terminal::paint(&told, Style::Bad, color))?;
        }
    }
    if !summary.gates.is_empty() {
        writeln!(out, "{}", terminal::paint("policy", Style::Heading, color))?;
    }
    for one in &summary.gates {
        let (word, style) = if one.met { ("holds", Style::Good) } else { ("does not hold", Style::Bad) };
        let from = one.severity.map_or_else(String::new, |severity| format!(" from {severity} on"));
        let sure = one.confidence.map_or_else(String::new, |least| format!(" of {least} confidence"));
        writeln!(
            out,
            "  {}: {}{from}{sure}: {}; {}, {}",
            terminal::paint(word, style, color),
            terminal::line(&one.what),
            one.limit,
            counted(one.rows, "row"),
            counted(one.findings, "finding")
        )?;
    }
    Ok(())
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
    if made.is_empty() {
        writeln!(out, "  {}", terminal::paint("no row is left", Style::Bad, color))?;
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
    // Without a gate, rows are shown because they count against a limit of a policy.
    let found = report.findings.iter().filter(|finding| gate == Gate::None || gate.stops(finding.severity));
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
