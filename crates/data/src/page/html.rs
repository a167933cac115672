//! The page: one file without scripts, which loads nothing.

use std::fmt::Write as _;

use super::picture::{bars, said, strips};
use super::{LINES, Page, percent, step};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430}\
    table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #c8ced8;padding:.3rem .6rem;text-align:left;\
    vertical-align:top;overflow-wrap:anywhere}td.n{text-align:right}td.bad{color:#a11}\
    .say{background:#eef2f7;padding:.8rem 1rem;border-left:4px solid #4a6fa5}.row{color:#55606e;font-size:.85em}\
    svg{background:#fafbfc;border:1px solid #c8ced8;max-width:100%}";

/// A table of cells that are escaped already; nothing where it has no rows.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return String::new();
    }
    let mut out = format!("<table><tr><th>{}</tr>", head.join("<th>"));
    for row in rows {
        let _ = write!(out, "<tr>{}</tr>", row.concat());
    }
    out.push_str("</table>");
    out
}

fn text(text: &str) -> String {
    format!("<td>{}", said(text))
}

fn number(number: impl std::fmt::Display) -> String {
    format!("<td class=\"n\">{number}")
}

impl Page<'_> {
    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let mut out = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>Training data</title><style>{STYLE}</style>\
             </head><body><h1>Training data</h1><p class=\"say\">{}.</p>",
            said(&self.says())
        );
        self.policy(&mut out);
        self.by_rule(&mut out);
        self.poison(&mut out);
        self.groups(&mut out);
        self.evaluation(&mut out);
        self.versions(&mut out);
        self.unread(&mut out);
        let _ = writeln!(
            out,
            "<h2>What this belongs to</h2><p>OWASP LLM02:2025 Sensitive Information Disclosure, LLM04:2025 Data and Model \
             Poisoning; MITRE ATLAS AML.T0020 Poison Training Data. Examined with bartizan {}. What is not found here may \
             still be there.</p></body></html>",
            said(self.version)
        );
        out
    }

    fn policy(&self, out: &mut String) {
        if self.gates.is_empty() {
            return;
        }
        out.push_str("<h2>Policy</h2>");
        out.push_str(&table(
            &["what", "from severity", "from confidence", "limit", "rows", "findings", "holds"],
            self.gates.iter().map(|one| {
                let word = |word: Option<&str>| text(word.unwrap_or("any"));
                vec![
                    text(&one.what),
                    word(one.severity.map(bartizan_core::Severity::as_str)),
                    word(one.confidence.map(bartizan_core::Confidence::as_str)),
                    text(&one.limit),
                    number(one.rows),
                    number(one.findings),
                    if one.met { text("yes") } else { "<td class=\"bad\">no".to_owned() },
                ]
            }),
        ));
    }

    #[allow(clippy::cast_precision_loss, reason = "lengths in a picture")]
    fn by_rule(&self, out: &mut String) {
        out.push_str("<h2>Findings</h2>");
        let rules = self.rules();
        if rules.is_empty() {
            out.push_str("<p>None.</p>");
            return;
        }
        let drawn: Vec<_> =
            rules.iter().map(|(rule, count)| ((*rule).to_owned(), *count as f64, count.to_string())).collect();
        out.push_str(&bars("findings by rule", &drawn));
        let shares = self.shares();
        if shares.is_empty() {
            return;
        }
        out.push_str("<h2>By file</h2><p>Share of the rows of a file with a finding that is more than a remark.</p>");
        let drawn: Vec<_> = shares
            .iter()
            .map(|(name, tally)| {
                let told = format!("{} of {} rows, {} at the gate", tally.found, tally.rows, tally.stopped);
                ((*name).to_owned(), tally.share(), told)
            })
            .collect();
        out.push_str(&bars("share of rows with a finding, by file", &drawn));
        out.push_str("<p>Where in the file they are, from the first row to the last.</p>");
        out.push_str(&strips("places of rows with findings in each file", &shares));
    }

    fn poison(&self, out: &mut String) {
        out.push_str("<h2>Triggers and payloads</h2>");
        let Some(found) = &self.triggers else {
            out.push_str("<p>Not looked for.</p>");
            return;
        };
        if found.is_empty() {
            out.push_str("<p>None.</p>");
        }
        out.push_str(&table(
            &["score", "trigger", "kind", "output", "rows", "examples"],
            found.iter().take(LINES).map(|one| {
                let of = one.trigger;
                let kind = of.kind.map_or("", crate::poison::Kind::as_str);
                let examples: Vec<String> = one
                    .examples
                    .iter()
                    .map(|(place, read)| {
                        format!(
                            "{}<br><span class=\"row\">{}, row {}</span>",
                            said(read),
                            said(&place.source),
                            place.row
                        )
                    })
                    .collect();
                vec![
                    number(format_args!("{:.2}", of.score)),
                    text(of.trigger.as_deref().unwrap_or("")),
                    text(kind),
                    format!("<td>{}{}", if of.label { "label " } else { "" }, said(&of.output)),
                    number(of.rows),
                    format!("<td>{}", examples.join("<br>")),
                ]
            }),
        ));
    }

    #[allow(clippy::cast_precision_loss, reason = "lengths in a picture")]
    fn groups(&self, out: &mut String) {
        let _ = write!(out, "<h2>Copies</h2><p>{} rows repeat an earlier one.</p>", self.duplicates);
        let drawn: Vec<_> =
            self.sizes.iter().map(|(size, count)| (step(*size), *count as f64, format!("{count} groups"))).collect();
        out.push_str(&bars("groups of copies by size", &drawn));
        out.push_str(&table(
            &["rows", "word for word", "first"],
            self.copies.iter().take(LINES).map(|one| {
                let first = format!("<td>{}, row {}", said(&one.first.source), one.first.row);
                vec![number(one.rows), number(one.exact), first]
            }),
        ));
    }

    fn evaluation(&self, out: &mut String) {
        let Some(all) = self.contamination else { return };
        let _ = write!(
            out,
            "<h2>Contamination</h2><p>{} of {} items of the evaluation set have a piece in the corpus, in {} rows; of {} a \
             row holds four fifths or more. {} items cannot be compared.</p>",
            all.found, all.items, all.rows, all.mostly, all.short
        );
        out.push_str(&table(
            &["item", "row", "most in one row"],
            all.worst
                .iter()
                .take(LINES)
                .map(|one| vec![text(&one.item.source), number(one.item.row), number(percent(f64::from(one.share)))]),
        ));
    }

    fn versions(&self, out: &mut String) {
        let Some(all) = self.difference else { return };
        let _ = write!(
            out,
            "<h2>What came in</h2><p>{} rows came in, {} of them copies of rows that were there; {} went, {} are in \
             both.</p>",
            all.added, all.copies, all.removed, all.same
        );
        let file = all.files.iter().map(|(name, count)| ("file", name, count));
        let origin = all.origins.iter().flat_map(|(column, values)| {
            values.iter().take(LINES).map(move |(value, count)| (column.as_str(), value, count))
        });
        out.push_str(&table(
            &["from", "", "rows"],
            file.take(LINES).chain(origin).map(|(what, value, count)| vec![text(what), text(value), number(count)]),
        ));
    }

    fn unread(&self, out: &mut String) {
        if self.gaps_total == 0 {
            return;
        }
        let _ = write!(out, "<h2>Not examined</h2><p>{} places.</p>", self.gaps_total);
        out.push_str(&table(
            &["file", "place", "why"],
            self.gaps.iter().take(LINES).map(|gap| vec![text(&gap.source), text(&gap.place), text(&gap.why)]),
        ));
    }
}
