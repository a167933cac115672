//! Findings as a compiler draws them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use annotate_snippets::{AnnotationKind, Group, Level, Snippet};
use bartizan_core::{
    Coverage, CoverageStatus, Direction, Family, Finding, Reason, Rule, RuleId, Severity, Source, Span, Verdict, View,
};
use bartizan_guard::{Decision, Guard};

use super::excerpt::{Excerpt, excerpt};
use super::in_use::Said;
use super::position::Cursor;
use crate::terminal::{self, Style};

/// Most findings that are drawn; all of them count, and the other formats list all.
const MOST: usize = 100;

/// Draws an answer about `bytes` bytes of input called `name`: findings of the severity `least` on, or all where there is
/// no choice.
pub(super) fn draw(
    out: &mut impl Write,
    (name, bytes): (&str, usize),
    (decision, said): (&Decision, &[Option<Said>]),
    guard: &Guard,
    least: Option<Severity>,
) -> std::io::Result<()> {
    let rules: BTreeMap<&RuleId, &Rule> = guard.rules().map(|rule| (&rule.id, rule)).collect();
    let name = terminal::line(name);
    let renderer = terminal::output();
    let secrets = Secrets::of(decision, |finding| is_covered(guard, finding));
    let mut cursor = Cursor::new();
    let shown = |finding: &Finding| least.is_none_or(|least| finding.severity >= least);
    let all = decision.findings.iter().zip(&decision.texts).enumerate();
    for (index, (finding, text)) in all.filter(|(_, (finding, _))| shown(finding)).take(MOST) {
        let (position, _) = cursor.span(text, finding.span());
        let excerpt = excerpt(text, finding.span(), &secrets.covered(text, finding.span()));
        let summary = rules.get(&finding.rule).map_or("", |rule| rule.summary.as_ref());
        let mut notes = notes(finding);
        if let Some(said) = said.get(index).and_then(Option::as_ref) {
            let _ = write!(notes, "; {}", said.by);
        }
        let help = format!("bartizan explain {}", finding.rule);
        let path = match finding.at.path() {
            Some(path) => format!("{name}#{}", terminal::line(&path)),
            None => name.clone(),
        };
        let drawn = renderer.render(&[group(finding, summary, &path, position.line, &excerpt, &notes, &help)]);
        // The renderer counts columns in what it draws, which is a part of the line, with escapes.
        let place = |column: usize| format!("{path}:{}:{column}", position.line);
        let drawn = drawn.replacen(&place(excerpt.drawn_column()), &place(position.column), 1);
        writeln!(out, "{drawn}\n")?;
    }
    let drawable = decision.findings.iter().filter(|finding| shown(finding)).count();
    if let Some(more) = drawable.checked_sub(MOST).filter(|more| *more > 0) {
        writeln!(out, "… and {more} more; --format json lists all\n")?;
    }
    let hidden: Vec<&Finding> = decision.findings.iter().filter(|finding| !shown(finding)).collect();
    writeln!(out, "{}", summary(decision, bytes, &hidden))
}

/// Secrets are never drawn, personal data where the policy does not let it pass from everywhere to everywhere: a drawing
/// does not say what it will be used for.
fn is_covered(guard: &Guard, finding: &Finding) -> bool {
    match finding.rule.family() {
        Family::Secret => true,
        Family::Pii => Source::ALL.into_iter().any(|source| {
            [Direction::Request, Direction::Reply]
                .into_iter()
                .any(|direction| guard.verdict(finding, source, direction) != Verdict::Allow)
        }),
        _ => false,
    }
}

fn group<'a>(
    finding: &Finding,
    summary: &'a str,
    path: &'a str,
    line: usize,
    excerpt: &'a Excerpt,
    notes: &'a str,
    help: &'a str,
) -> Group<'a> {
    level(finding.severity)
        .primary_title(summary)
        .id(finding.rule.as_str().to_owned())
        .element(
            Snippet::source(excerpt.source.as_str())
                .path(path)
                .line_start(line)
                .fold(false)
                .annotation(AnnotationKind::Primary.span(excerpt.mark.clone()).label(label(finding))),
        )
        .element(Level::NOTE.message(notes))
        .element(Level::HELP.message(help))
}

/// How a severity is drawn.
pub(crate) fn level(severity: Severity) -> Level<'static> {
    let level = match severity {
        Severity::Critical | Severity::High => Level::ERROR,
        Severity::Medium => Level::WARNING,
        Severity::Low => Level::NOTE,
        Severity::Info => Level::INFO,
    };
    level.with_name(severity.as_str())
}

fn label(finding: &Finding) -> String {
    finding.entity.as_deref().unwrap_or_default().to_owned()
}

fn notes(finding: &Finding) -> String {
    let mut notes = format!("{} confidence", finding.confidence);
    match (finding.view, finding.depth) {
        (View::Decoded, 0 | 1) => notes.push_str("; seen once this was decoded"),
        (View::Decoded, depth) => {
            let _ = write!(notes, "; seen once this was decoded {depth} times");
        }
        (View::Skeleton, _) => notes.push_str("; seen once look-alike letters were resolved"),
        (View::Folded, _) => notes.push_str("; seen once spacing and accents were taken out"),
        (View::Raw | View::Clean, _) => {}
    }
    notes
}

/// What must not be read in a drawing.
struct Secrets<'a> {
    /// By text; one conversation has many.
    places: Vec<(&'a Arc<str>, Span)>,
    /// The same secret may stand elsewhere, in a text that another finding is in.
    values: Option<AhoCorasick>,
}

impl<'a> Secrets<'a> {
    /// Shorter values are ordinary words elsewhere.
    const SHORTEST: usize = 6;
    /// How far around a finding values are looked for, in bytes: more than an excerpt shows of a line and a finding.
    const NEAR: usize = 1024;

    fn of(decision: &'a Decision, is_covered: impl Fn(&Finding) -> bool) -> Self {
        let places: Vec<_> = decision
            .findings
            .iter()
            .zip(&decision.texts)
            .filter(|(finding, _)| is_covered(finding))
            .map(|(finding, text)| (text, finding.span()))
            .collect();
        let mut values: Vec<&str> = places.iter().map(|(text, span)| span.of(text)).collect();
        values.retain(|value| value.len() >= Self::SHORTEST);
        values.sort_unstable();
        values.dedup();
        // Where they are too many for an automaton, everything is covered.
        let values = AhoCorasick::new(values).ok();
        Self { places, values }
    }

    /// The places near `around` that are covered.
    fn covered(&self, text: &Arc<str>, around: Span) -> Vec<Span> {
        let start = text.floor_char_boundary(around.start.saturating_sub(Self::NEAR));
        let end = text.ceil_char_boundary(around.end.min(around.start + Self::NEAR).saturating_add(Self::NEAR));
        let near = Span::new(start, end);
        // Long texts are only compared where they are not one.
        let same = |of: &Arc<str>| Arc::ptr_eq(of, text) || of == text;
        let mut covered: Vec<Span> =
            self.places.iter().filter(|(of, span)| span.overlaps(near) && same(of)).map(|(_, span)| *span).collect();
        match &self.values {
            Some(values) => {
                let same = values.find_overlapping_iter(near.of(text));
                covered.extend(same.map(|found| Span::new(start + found.start(), start + found.end())));
            }
            None => return vec![near],
        }
        covered.iter_mut().for_each(|span| *span = hidden(text, *span));
        covered
    }
}

/// All of a secret but its beginning, which helps to recognise it: at most four characters and a quarter of it.
fn hidden(text: &str, span: Span) -> Span {
    let secret = span.of(text);
    let shown = (secret.chars().count() / 4).min(4);
    let skip = secret.char_indices().nth(shown).map_or(0, |(at, _)| at);
    Span::new(span.start + skip, span.end)
}

fn summary(decision: &Decision, bytes: usize, hidden: &[&Finding]) -> String {
    let color = terminal::colored_stdout();
    let mut parts = vec![found(&decision.findings)];
    if let Some(lowest) = hidden.iter().map(|finding| finding.severity).min() {
        parts.push(format!("{} of them not drawn (--show {lowest} draws all)", hidden.len()));
    }
    if let Some(score) = decision.scores.injection.filter(|score| decision.flags.injection || *score >= 0.5) {
        parts.push(format!("injection score {score:.2}"));
    }
    if decision.suppressed > 0 {
        parts.push(format!("{} suppressed", decision.suppressed));
    }
    if !decision.contained.is_empty() {
        parts.push(format!("it uses what is cut off (containment {})", decision.contained.join(", ")));
    }
    parts.push(read(&decision.coverage, bytes));
    let clean = decision.findings.is_empty()
        && decision.verdict == Verdict::Allow
        && decision.suppressed == 0
        && decision.coverage.status == CoverageStatus::Complete;
    let (word, style) = match decision.verdict {
        _ if clean => ("clean", Style::Good),
        Verdict::Allow => ("allow", Style::Heading),
        verdict => (verdict.as_str(), Style::Bad),
    };
    format!("{}: {}", terminal::paint(word, style, color), parts.join("; "))
}

fn found(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing found".to_owned();
    }
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    let by_severity: Vec<_> = counts.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
    let plural = if findings.len() == 1 { "" } else { "s" };
    format!("{} finding{plural} ({})", findings.len(), by_severity.join(", "))
}

fn read(coverage: &Coverage, bytes: usize) -> String {
    if coverage.status == CoverageStatus::Complete {
        return format!("all {bytes} bytes were examined");
    }
    let parts: Vec<_> = coverage
        .parts
        .iter()
        .map(|part| match part.kind {
            CoverageStatus::Structural if part.reason == Reason::TextLayerRead => {
                format!("the text layer of {} bytes of documents was read, pictures and layout were not", part.bytes)
            }
            CoverageStatus::Structural => format!("{} bytes of {} are not text", part.bytes, part.reason),
            _ => format!("{} bytes were not examined in full ({})", part.bytes, part.reason),
        })
        .collect();
    format!("not everything was examined: {}", parts.join(", "))
}
