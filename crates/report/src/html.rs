//! A report as one page of HTML that loads nothing, for the screen and for paper. Everything from outside is escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::assess::{Standing, Status, Stood};
use crate::catalogue::Role;
use crate::evidence::{Dated, State};
use crate::report::{FrameworkView, Report, Totals, View};
use crate::text::html as escaped;

/// What the words of a report mean.
pub(crate) const MEANING: &str = "Covered: every measure that an identifier needs is shown by evidence that is fresh and without open findings. \
Partial: some evidence is there. None: evidence could be given and was not. Out of scope: this program has nothing to say; \
show it by other means. Of laws and management standards this is evidence toward them: evidence, some evidence, or none. \
It is no certificate.";

const STYLE: &str = include_str!("style.css");

/// Said of a time that a file cannot vouch for.
pub(crate) const fn dated(dated: Dated) -> &'static str {
    match dated {
        Dated::Content => "",
        Dated::File => " (time of the file)",
        Dated::Read => " (read for this report)",
    }
}

/// The report as one page of HTML.
#[must_use]
pub fn html(report: &Report) -> String {
    let measures: BTreeMap<&str, &Standing> = report.measures.iter().map(|s| (s.measure.as_str(), s)).collect();
    let subject = escaped(&report.subject);
    let chain = report.chain.as_ref().map_or_else(String::new, |chain| {
        let says = escaped(&chain.says);
        if chain.intact {
            format!("<p>Chain: {says}</p>\n")
        } else {
            format!("<p role=\"alert\"><strong>BROKEN CHAIN: {says}</strong></p>\n")
        }
    });
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Posture: {subject}</title>\n<style>{STYLE}</style></head>\n<body><main>\n<h1>Posture: {subject}</h1>\n\
         {chain}<p>Made {} by bartizan {}. {MEANING}</p>\n",
        escaped(&report.made),
        escaped(&report.version)
    );
    overview(&mut out, report);
    if let Some(trend) = &report.trend {
        let worse = trend.changes.iter().filter(|change| change.is_worse()).count();
        let _ = writeln!(
            out,
            "<p><a href=\"#since\">Since {}</a>: {} identifiers stand elsewhere, {worse} of them worse.</p>",
            escaped(&trend.since),
            trend.changes.len()
        );
    }
    next(&mut out, report);
    for view in &report.frameworks {
        framework(&mut out, view, &measures);
    }
    trend(&mut out, report);
    standings(&mut out, report);
    evidence(&mut out, report);
    let _ =
        writeln!(out, "<p>Catalogue: SHA-256 <code>{}</code></p>\n</main></body></html>", escaped(&report.catalogue));
    out
}

const fn class(status: Status) -> &'static str {
    match status {
        Status::Covered => "covered",
        Status::Partial => "partial",
        Status::None => "none",
        Status::Out => "out",
    }
}

fn overview(out: &mut String, report: &Report) {
    let _ = writeln!(
        out,
        "<table><caption>Where the catalogues stand</caption><thead><tr><th scope=\"col\">catalogue</th><th scope=\"col\">edition</th>\
         <th scope=\"col\">covered</th><th scope=\"col\">partial</th><th scope=\"col\">none</th><th scope=\"col\">out of scope</th>\
         <th scope=\"col\">share</th></tr></thead><tbody>"
    );
    for framework in &report.frameworks {
        let counts: String =
            Status::ALL.iter().map(|s| format!("<td class=\"n\">{}</td>", framework.totals.of(*s))).collect();
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\"><a href=\"#{}\">{}</a></th><td>{}</td>{counts}<td>{}</td></tr>",
            escaped(&framework.id),
            escaped(&framework.name),
            escaped(&framework.edition),
            bar(framework.totals)
        );
    }
    out.push_str("</tbody></table>\n");
}

/// Most measures that are named as the next ones.
const NEXT: usize = 12;

fn next(out: &mut String, report: &Report) {
    let next = report.next();
    if next.is_empty() {
        return;
    }
    out.push_str(
        "<section><h2>What would show most</h2><table><caption>Measures that are needed and not shown</caption><thead><tr>\
         <th scope=\"col\">measure</th><th scope=\"col\">identifiers</th><th scope=\"col\">stands</th><th scope=\"col\">command</th></tr></thead><tbody>\n",
    );
    for (s, count) in next.into_iter().take(NEXT) {
        let why = if s.why.is_empty() { String::new() } else { format!(": {}", escaped(&s.why)) };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{count}</td><td>{}{why}</td><td><code>{}</code></td></tr>",
            escaped(&s.measure),
            s.stood.says(),
            escaped(&s.command)
        );
    }
    out.push_str("</tbody></table></section>\n");
}

/// The shares of a catalogue as a drawing; the numbers stand beside it.
fn bar(totals: Totals) -> String {
    let all = totals.all().max(1);
    let mut drawn = "<svg class=\"bar\" viewBox=\"0 0 200 10\" aria-hidden=\"true\">".to_owned();
    let mut x = 0;
    for status in Status::ALL {
        let width = totals.of(status) * 200 / all;
        let _ = write!(drawn, "<rect class=\"{}\" x=\"{x}\" y=\"0\" width=\"{width}\" height=\"10\"/>", class(status));
        x += width;
    }
    drawn + "</svg>"
}

fn trend(out: &mut String, report: &Report) {
    let Some(trend) = &report.trend else { return };
    let _ = writeln!(out, "<section id=\"since\"><h2>Since {}</h2>", escaped(&trend.since));
    if trend.changes.is_empty() {
        out.push_str("<p>Nothing stands elsewhere.</p>\n");
    } else {
        out.push_str("<table><caption>What stands elsewhere</caption><thead><tr><th scope=\"col\">identifier</th><th scope=\"col\">before</th><th scope=\"col\">now</th><th scope=\"col\"></th></tr></thead><tbody>\n");
        for change in &trend.changes {
            let _ = writeln!(
                out,
                "<tr><th scope=\"row\">{} {}</th><td class=\"{}\">{}</td><td class=\"{}\">{}</td><td>{}</td></tr>",
                escaped(&change.framework),
                escaped(&change.id),
                class(change.before),
                change.before.says(),
                class(change.now),
                change.now.says(),
                if change.is_worse() { "worse" } else { "" }
            );
        }
        out.push_str("</tbody></table>\n");
    }
    out.push_str("<table><caption>Covered and partial over time</caption><thead><tr><th scope=\"col\">made</th>");
    for framework in &report.frameworks {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escaped(&framework.id));
    }
    out.push_str("</tr></thead><tbody>\n");
    let now = report.frameworks.iter().map(|f| (f.id.clone(), f.totals)).collect();
    let points = trend.history.iter().map(|p| (p.made.as_str(), &p.totals));
    for (made, totals) in points.chain([(report.made.as_str(), &now)]) {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escaped(made));
        for framework in &report.frameworks {
            let _ = match totals.get(&framework.id) {
                Some(t) => write!(out, "<td>{} + {} of {}</td>", t.covered, t.partial, t.all()),
                None => write!(out, "<td></td>"),
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></section>\n");
}

fn framework(out: &mut String, view: &FrameworkView, measures: &BTreeMap<&str, &Standing>) {
    let _ = writeln!(
        out,
        "<section id=\"{}\"><h2>{} ({})</h2>",
        escaped(&view.id),
        escaped(&view.name),
        escaped(&view.edition)
    );
    if !view.note.is_empty() {
        let _ = writeln!(out, "<p>Note: {}.</p>", escaped(&view.note));
    }
    let _ = writeln!(
        out,
        "<table><caption>{}</caption><thead><tr><th scope=\"col\">identifier</th><th scope=\"col\">level</th><th scope=\"col\">about</th>\
         <th scope=\"col\">status</th><th scope=\"col\">evidence</th><th scope=\"col\">what is lacking, and the command for it</th></tr></thead><tbody>",
        escaped(&view.source)
    );
    for control in &view.controls {
        row(out, control, view.role, measures);
    }
    out.push_str("</tbody></table></section>\n");
}

fn row(out: &mut String, control: &View, role: Role, measures: &BTreeMap<&str, &Standing>) {
    let shown: Vec<String> = control
        .measures
        .iter()
        .filter_map(|name| measures.get(name.as_str()))
        .map(|s| {
            let age = s.age_days.map_or_else(String::new, |days| format!(", {days} d"));
            let numbers: Vec<String> =
                s.evidence.iter().map(|n| format!("<a href=\"#E{0}\">E{0}</a>", n + 1)).collect();
            format!("{} <small>({}{age}; {})</small>", escaped(&s.measure), s.stood.says(), numbers.join(" "))
        })
        .collect();
    let lacks: Vec<String> = match (&control.status, &control.out) {
        (Status::Out, Some(why)) => vec![escaped(why)],
        _ => control
            .lacks
            .iter()
            .filter_map(|name| measures.get(name.as_str()))
            .map(|s| format!("{}: <code>{}</code>", escaped(&s.measure), escaped(&s.command)))
            .collect(),
    };
    let _ = writeln!(
        out,
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"{}\">{}</td><td>{}</td><td>{}</td></tr>",
        escaped(&control.id),
        control.level.map_or_else(String::new, |level| level.to_string()),
        escaped(&control.words),
        class(control.status),
        role.says(control.status),
        shown.join("<br>"),
        lacks.join("<br>")
    );
}

fn standings(out: &mut String, report: &Report) {
    out.push_str(
        "<section><h2>Measures</h2><table><caption>What can be shown, and how it stands</caption><thead><tr><th scope=\"col\">measure</th>\
         <th scope=\"col\">what is shown</th><th scope=\"col\">stands</th><th scope=\"col\">evidence</th><th scope=\"col\">findings</th><th scope=\"col\">command</th></tr></thead><tbody>\n",
    );
    for s in &report.measures {
        let numbers: Vec<String> = s.evidence.iter().map(|n| format!("<a href=\"#E{0}\">E{0}</a>", n + 1)).collect();
        let class = match s.stood {
            Stood::Shown => "covered",
            Stood::Absent => "none",
            _ => "partial",
        };
        let why = if s.why.is_empty() { String::new() } else { format!(": {}", escaped(&s.why)) };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{class}\">{}{why}</td><td>{}</td><td class=\"n\">{}</td><td><code>{}</code></td></tr>",
            escaped(&s.measure),
            escaped(&s.says),
            s.stood.says(),
            numbers.join(" "),
            s.fired,
            escaped(&s.command)
        );
    }
    out.push_str("</tbody></table></section>\n");
}

fn evidence(out: &mut String, report: &Report) {
    out.push_str(
        "<section><h2>Evidence</h2><table><caption>What the report is made of</caption><thead><tr><th scope=\"col\"></th><th scope=\"col\">kind</th>\
         <th scope=\"col\">source</th><th scope=\"col\">made</th><th scope=\"col\">what it comes to</th><th scope=\"col\">SHA-256</th></tr></thead><tbody>\n",
    );
    for (number, of) in report.evidence.iter().enumerate() {
        let class = match of.state {
            State::Good => "covered",
            State::Weak | State::Open => "partial",
        };
        let caveat = if of.caveat.is_empty() { String::new() } else { format!("; but {}", escaped(&of.caveat)) };
        let _ = writeln!(
            out,
            "<tr id=\"E{0}\"><th scope=\"row\">E{0}</th><td>{1}<br><code>{2}</code></td><td>{3}</td><td>{4}{5}</td><td class=\"{class}\">{6}{caveat}</td><td><code class=\"hash\">{7}</code></td></tr>",
            number + 1,
            of.kind.says(),
            of.kind.command(),
            escaped(&of.source),
            escaped(&of.made),
            dated(of.dated),
            escaped(&of.summary),
            escaped(of.sha256.as_deref().unwrap_or_default())
        );
    }
    out.push_str("</tbody></table>\n");
    if !report.unread.is_empty() {
        out.push_str("<h3>Not taken as evidence</h3><ul>\n");
        for why in &report.unread {
            let _ = writeln!(out, "<li>{}</li>", escaped(why));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
}
