//! Pictures as SVG, drawn from numbers; names are text.

use std::fmt::Write as _;

use bartizan_report::text::{html, line};

use super::Tally;

/// Most bars of a picture.
pub(super) const BARS: usize = 30;
/// Most files that are drawn along their rows.
const FILES: usize = 12;

/// A text from outside in a page.
pub(super) fn said(text: &str) -> String {
    html(&line(text))
}

/// The end of a long name, which tells files apart.
fn short(name: &str, most: usize) -> String {
    let name = line(name);
    let count = name.chars().count();
    if count <= most { name } else { format!("…{}", name.chars().skip(count - most + 1).collect::<String>()) }
}

fn begin(label: &str, lines: usize) -> String {
    let height = 24 * lines + 16;
    format!(
        "<svg viewBox=\"0 0 860 {height}\" width=\"860\" height=\"{height}\" role=\"img\" aria-label=\"{}\">",
        html(label)
    )
}

fn name(out: &mut String, at: usize, name: &str) {
    let y = 24 * at + 23;
    let _ =
        write!(out, "<text x=\"300\" y=\"{y}\" font-size=\"13\" text-anchor=\"end\">{}</text>", html(&short(name, 42)));
}

/// Horizontal bars with their names and values.
pub(super) fn bars(label: &str, all: &[(String, f64, String)]) -> String {
    let all = all.get(..BARS).unwrap_or(all);
    let most = all.iter().map(|bar| bar.1).fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    let mut out = begin(label, all.len());
    for (at, (called, value, told)) in all.iter().enumerate() {
        name(&mut out, at, called);
        let (y, long) = (24 * at + 10, 380.0 * value / most);
        let _ = write!(
            out,
            "<rect x=\"310\" y=\"{y}\" width=\"{:.1}\" height=\"16\" fill=\"#4a6fa5\"/><text x=\"{:.1}\" y=\"{}\" \
             font-size=\"13\">{}</text>",
            long.max(1.0),
            316.0 + long,
            y + 13,
            said(told)
        );
    }
    out.push_str("</svg>");
    out
}

/// Files from their first row to their last; the darker, the more rows with findings.
#[allow(clippy::cast_precision_loss, reason = "places in a picture")]
pub(super) fn strips(label: &str, all: &[(&str, &Tally)]) -> String {
    let all = all.get(..FILES).unwrap_or(all);
    if all.is_empty() {
        return String::new();
    }
    let mut out = begin(label, all.len());
    for (at, (called, tally)) in all.iter().enumerate() {
        name(&mut out, at, called);
        let y = 24 * at + 10;
        let _ = write!(out, "<rect x=\"310\" y=\"{y}\" width=\"520\" height=\"16\" fill=\"#e4e9f0\"/>");
        let most = tally.along().map(|(.., count)| count).max().unwrap_or(1) as f64;
        for (from, to, count) in tally.along() {
            let _ = write!(
                out,
                "<rect x=\"{:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"16\" fill=\"#a33\" fill-opacity=\"{:.2}\"/>",
                310.0 + 520.0 * from,
                (520.0 * (to - from)).max(1.0),
                0.2 + 0.8 * count as f64 / most
            );
        }
    }
    out.push_str("</svg>");
    out
}
