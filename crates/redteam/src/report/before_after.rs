//! Reports of a comparison, and of what hardening would do: before and after.

use std::fmt::Write as _;

use bartizan_stats::Interval;

use super::{cell, escaped, page, percent};
use crate::compare::{Compared, Pair};
use crate::harden::Hardened;

/// A row of a picture: a name, and a share with its interval before and after.
struct Row {
    name: String,
    sides: [(f64, Interval); 2],
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run")]
fn share(hits: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { hits as f64 / of as f64 }
}

fn lines(compared: &Compared) -> impl Iterator<Item = (&str, &Pair)> {
    let families = compared.families.iter().map(|(name, pair)| (name.as_str(), pair));
    families.chain([("all", &compared.total), ("harmless texts blocked", &compared.false_block)])
}

/// What is to be said of a pair.
#[must_use]
pub fn word(pair: &Pair) -> &'static str {
    if pair.is_worse() {
        "worse"
    } else if pair.is_suspect() {
        "suspect"
    } else {
        ""
    }
}

fn side(hits: u64, of: u64, interval: Interval) -> String {
    if of == 0 {
        return "no evidence".to_owned();
    }
    format!("{} ({}–{})", percent(share(hits, of)), percent(interval.low), percent(interval.high))
}

/// What is missing in a comparison, if something is.
#[must_use]
pub fn gaps(compared: &Compared) -> Option<String> {
    let Compared { unpaired, without_evidence, .. } = compared;
    let unpaired = (*unpaired > 0).then(|| format!("{unpaired} trials are in one of the two runs only"));
    let failed = (*without_evidence > 0).then(|| format!("{without_evidence} trials have no evidence in one of them"));
    let parts: Vec<String> = unpaired.into_iter().chain(failed).collect();
    (!parts.is_empty()).then(|| format!("not compared: {}", parts.join("; ")))
}

/// Markdown.
#[must_use]
pub fn markdown(compared: &Compared) -> String {
    let mut out = String::from(
        "# Red team: before and after\n\n| family | pairs | before (95 %) | after (95 %) | p (Holm) | p (BH) | |\n|---|---|---|---|---|---|---|\n",
    );
    for (name, p) in lines(compared) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {:.4} | {:.4} | {} |",
            cell(name),
            p.pairs,
            side(p.before, p.pairs, p.before_interval),
            side(p.after, p.pairs, p.after_interval),
            p.p_holm,
            p.p_bh,
            word(p)
        );
    }
    out
}

/// JUnit's XML: a case for each family, failed where it is worse beyond chance.
#[must_use]
pub fn junit(compared: &Compared) -> String {
    let (mut cases, mut failures, mut tests) = (String::new(), 0, 0);
    for (name, pair) in lines(compared) {
        tests += 1;
        let _ = write!(cases, "    <testcase classname=\"compare\" name=\"{}\"", escaped(name));
        if pair.is_worse() {
            failures += 1;
            let why = format!("{} of {} before, {} after, p {:.4}", pair.before, pair.pairs, pair.after, pair.p_holm);
            let _ = writeln!(cases, "><failure message=\"{why}\"/></testcase>");
        } else if pair.pairs == 0 {
            let _ = writeln!(cases, "><skipped message=\"no evidence\"/></testcase>");
        } else {
            let _ = writeln!(cases, "/>");
        }
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"bartizan redteam compare\" tests=\"{tests}\" failures=\"{failures}\">\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

/// One page of HTML with a picture; nothing is loaded from anywhere.
#[must_use]
pub fn html(compared: &Compared) -> String {
    let mut rows = String::new();
    for (name, p) in lines(compared) {
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.4}</td><td>{:.4}</td><td>{}</td></tr>",
            escaped(name),
            p.pairs,
            side(p.before, p.pairs, p.before_interval),
            side(p.after, p.pairs, p.after_interval),
            p.p_holm,
            p.p_bh,
            word(p)
        );
    }
    let drawn = lines(compared).filter(|(_, p)| p.pairs > 0).map(|(name, p)| Row {
        name: name.to_owned(),
        sides: [(share(p.before, p.pairs), p.before_interval), (share(p.after, p.pairs), p.after_interval)],
    });
    let picture = picture(&drawn.collect::<Vec<_>>(), "attack success before and after, with intervals");
    page(
        "Red team: before and after",
        &format!(
            "{picture}\n<table><tr><th>family</th><th>pairs</th><th>before (95 %)</th><th>after (95 %)</th><th>p (Holm)</th><th>p (BH)</th><th></th></tr>\n{rows}</table>"
        ),
    )
}

/// What proposals would do, in Markdown.
#[must_use]
pub fn hardened_markdown(hardened: &Hardened) -> String {
    let mut out = format!(
        "# Hardening: {}\n\n{} of {} attacks worked; the guard as configured stops {} of them.\n\n| proposal | what | attacks that work, before | after | harmless texts stopped, before | after | held out |\n|---|---|---|---|---|---|---|\n",
        cell(&hardened.target),
        hardened.worked,
        hardened.attacks,
        hardened.stopped
    );
    for p in &hardened.proposals {
        let e = &p.effect;
        let parts = [&e.before, &e.after, &e.blocked_before, &e.blocked_after]
            .map(|part| side(part.hits, part.of, part.interval));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            p.id,
            cell(&p.change.words()),
            parts.join(" | "),
            cell(&p.held_out.words())
        );
    }
    out
}

/// The same as a page of HTML with a picture.
#[must_use]
pub fn hardened_html(hardened: &Hardened) -> String {
    let (mut rows, mut drawn) = (String::new(), Vec::new());
    for p in &hardened.proposals {
        let e = &p.effect;
        let parts: String = [&e.before, &e.after, &e.blocked_before, &e.blocked_after]
            .map(|part| format!("<td>{}</td>", side(part.hits, part.of, part.interval)))
            .concat();
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td>{parts}<td>{}</td></tr>",
            escaped(&p.id),
            escaped(&p.change.words()),
            escaped(&p.held_out.words())
        );
        let part = |part: &crate::harden::Part| (share(part.hits, part.of), part.interval);
        drawn.push(Row { name: p.id.clone(), sides: [part(&e.before), part(&e.after)] });
        drawn.push(Row { name: "harmless".to_owned(), sides: [part(&e.blocked_before), part(&e.blocked_after)] });
    }
    let picture = picture(&drawn, "attacks that work and harmless texts stopped, before and after");
    page(
        &format!("Hardening: {}", escaped(&hardened.target)),
        &format!(
            "<p>{} of {} attacks worked; the guard as configured stops {} of them.</p>\n{picture}\n<table><tr><th>proposal</th><th>what</th><th>attacks that work, before</th><th>after</th><th>harmless texts stopped, before</th><th>after</th><th>held out</th></tr>\n{rows}</table>",
            hardened.worked, hardened.attacks, hardened.stopped
        ),
    )
}

/// Two dots and two lines a row: grey before, coloured after.
fn picture(rows: &[Row], what: &str) -> String {
    const LEFT: f64 = 260.0;
    const WIDTH: f64 = 560.0;
    let at = |share: f64| WIDTH.mul_add(share, LEFT);
    let (mut out, mut y) = (String::new(), 10.0);
    for row in rows {
        let _ = write!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" font-size=\"11\">{}</text>",
            LEFT - 10.0,
            y + 7.0,
            escaped(&row.name)
        );
        let [(before, _), (after, _)] = row.sides;
        let colours = ["#888", if after > before { "#b3261e" } else { "#2e7d32" }];
        for (((share, interval), colour), y) in row.sides.iter().zip(colours).zip([y, y + 7.0]) {
            let _ = write!(
                out,
                "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\"/><circle cx=\"{:.1}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>",
                at(interval.low),
                at(interval.high),
                at(*share)
            );
        }
        y += 24.0;
    }
    format!(
        "<svg role=\"img\" aria-label=\"{what}\" width=\"860\" height=\"{}\" xmlns=\"http://www.w3.org/2000/svg\">{out}</svg>",
        y + 8.0
    )
}
