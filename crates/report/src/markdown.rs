//! A report in Markdown. Everything from outside is escaped.

use std::fmt::Write as _;

use crate::assess::{Status, Stood};
use crate::catalogue::Role;
use crate::report::{FrameworkView, Report, View};
use crate::text::markdown as cell;

/// The report as one page of Markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out = format!("# Posture: {}\n\n", cell(&report.subject));
    if let Some(chain) = &report.chain {
        let broken = if chain.intact { "Chain" } else { "**BROKEN CHAIN**" };
        let _ = writeln!(out, "{broken}: {}\n", cell(&chain.says));
    }
    let _ =
        writeln!(out, "Made {} by bartizan {}. {}\n", cell(&report.made), cell(&report.version), crate::html::MEANING);
    let _ =
        writeln!(out, "| catalogue | edition | covered | partial | none | out of scope |\n|---|---|---|---|---|---|");
    for framework in &report.frameworks {
        let counts: Vec<String> = Status::ALL.iter().map(|s| framework.totals.of(*s).to_string()).collect();
        let _ = writeln!(out, "| {} | {} | {} |", cell(&framework.name), cell(&framework.edition), counts.join(" | "));
    }
    trend(&mut out, report);
    for view in &report.frameworks {
        framework(&mut out, view);
    }
    let _ = writeln!(
        out,
        "\n## Measures\n\n| measure | what is shown | | evidence | days old | findings | more by |\n|---|---|---|---|---|---|---|"
    );
    for standing in &report.measures {
        let evidence: Vec<String> = standing.evidence.iter().map(|n| format!("E{}", n + 1)).collect();
        let stood = match (standing.stood, standing.why.as_str()) {
            (Stood::Shown, _) | (_, "") => standing.stood.says().to_owned(),
            (stood, why) => format!("{}: {}", stood.says(), cell(why)),
        };
        let age = standing.age_days.map_or_else(String::new, |days| days.to_string());
        let _ = writeln!(
            out,
            "| {} | {} | {stood} | {} | {age} | {} | {} |",
            cell(&standing.measure),
            cell(&standing.says),
            evidence.join(", "),
            standing.fired,
            cell(&standing.command)
        );
    }
    let _ = writeln!(
        out,
        "\n## Evidence\n\n| | kind | source | made | made by | what it comes to | SHA-256 |\n|---|---|---|---|---|---|---|"
    );
    for (number, of) in report.evidence.iter().enumerate() {
        let caveat = if of.caveat.is_empty() { String::new() } else { format!("; but {}", cell(&of.caveat)) };
        let _ = writeln!(
            out,
            "| E{} | {} | {} | {}{} | `{}` | {}{caveat} | {} |",
            number + 1,
            of.kind.says(),
            cell(&of.source),
            cell(&of.made),
            crate::html::dated(of.dated),
            of.kind.command(),
            cell(&of.summary),
            cell(of.sha256.as_deref().unwrap_or_default())
        );
    }
    if !report.unread.is_empty() {
        let _ = writeln!(out, "\nNot taken as evidence:\n");
        for why in &report.unread {
            let _ = writeln!(out, "* {}", cell(why));
        }
    }
    let _ = writeln!(out, "\nCatalogue: SHA-256 {}", cell(&report.catalogue));
    out
}

fn trend(out: &mut String, report: &Report) {
    let Some(trend) = &report.trend else { return };
    let _ = writeln!(out, "\n## Since {}\n", cell(&trend.since));
    if trend.changes.is_empty() {
        let _ = writeln!(out, "Nothing stands elsewhere.");
        return;
    }
    let _ = writeln!(out, "| identifier | before | now | |\n|---|---|---|---|");
    for change in &trend.changes {
        let worse = if change.is_worse() { "worse" } else { "" };
        let (id, before, now) = (cell(&change.id), change.before.says(), change.now.says());
        let _ = writeln!(out, "| {} {id} | {before} | {now} | {worse} |", cell(&change.framework));
    }
}

fn framework(out: &mut String, framework: &FrameworkView) {
    let _ = writeln!(out, "\n## {} ({})\n", cell(&framework.name), cell(&framework.edition));
    if !framework.note.is_empty() {
        let _ = writeln!(out, "Note: {}.\n", cell(&framework.note));
    }
    let _ = writeln!(out, "| | level | about | status | shown by | lacks |\n|---|---|---|---|---|---|");
    for control in &framework.controls {
        row(out, control, framework.role);
    }
}

fn row(out: &mut String, control: &View, role: Role) {
    let names = |names: &[String]| names.iter().map(|n| cell(n)).collect::<Vec<_>>().join(", ");
    let lacks = match (&control.status, &control.out) {
        (Status::Out, Some(why)) => cell(why),
        _ => names(&control.lacks),
    };
    let level = control.level.map_or_else(String::new, |level| level.to_string());
    let _ = writeln!(
        out,
        "| {} | {level} | {} | {} | {} | {lacks} |",
        cell(&control.id),
        cell(&control.words),
        role.says(control.status),
        names(&control.measures)
    );
}
