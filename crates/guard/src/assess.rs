//! Offers every text of an exchange to the engine and brings the findings back to the leaf they are in.

use std::collections::BTreeMap;

use bartizan_core::{Context, Exchange, Finding, Kind, Location, Scores, Source, Span, Text};
use bartizan_engine::{Engine, Input};
use bartizan_policy::{Assessment, TextFinding};

/// What the engine says of every text of the exchange. `system` is the operator's text to look for leaks of.
pub(crate) fn assess(engine: &Engine, exchange: &Exchange, system: &[&str]) -> Assessment {
    let mut out = Assessment::default();
    let mut scores = BTreeMap::new();
    let context = Context { system };
    let leaves = leaves_by_container(exchange);
    for (index, text) in exchange.texts.iter().enumerate() {
        let input = Input { text: &text.value, kind: text.kind, origin: &text.origin, context };
        let scan = engine.scan(&input);
        out.suppressed += scan.suppressed;
        out.coverage.merge(&scan.coverage);
        note_scores(&mut scores, text.origin.source, scan.scores);
        match leaves.get(&index) {
            None => out.findings.extend(scan.findings.into_iter().map(|f| located(index, text, f))),
            Some(inside) => {
                for finding in scan.findings {
                    attribute_to_leaves(exchange, index, inside, finding, &mut out.findings);
                }
            }
        }
    }
    for message in &exchange.messages {
        for run in message.parts.chunk_by(|a, b| same_source(exchange, *a, *b)).filter(|run| run.len() > 1) {
            assess_joined(engine, exchange, run, context, &mut out, &mut scores);
        }
    }
    out.findings.sort_by_key(|f| (f.text, f.finding.span(), f.finding.rule.clone()));
    out.findings
        .dedup_by(|b, a| a.text == b.text && a.finding.rule == b.finding.rule && a.finding.span() == b.finding.span());
    out.scores = scores.into_iter().collect();
    out
}

fn note_scores(all: &mut BTreeMap<Source, Scores>, source: Source, scores: Scores) {
    let entry = all.entry(source).or_default();
    *entry = entry.max(scores);
}

fn located(index: usize, text: &Text, mut finding: Finding) -> TextFinding {
    finding.at = Location::Json { pointer: text.pointer.clone(), span: finding.span() };
    TextFinding { text: index, finding }
}

fn leaves_by_container(exchange: &Exchange) -> BTreeMap<usize, Vec<usize>> {
    let mut map: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, text) in exchange.texts.iter().enumerate() {
        if let Some(container) = text.container {
            map.entry(container).or_default().push(index);
        }
    }
    map
}

fn same_source(exchange: &Exchange, a: usize, b: usize) -> bool {
    match (exchange.texts.get(a), exchange.texts.get(b)) {
        (Some(a), Some(b)) => a.origin.source == b.origin.source,
        _ => false,
    }
}

/// A finding in a string that is itself JSON belongs to the leaves that it covers: only there can it be changed
/// without breaking the document. A finding that covers no leaf stays where it is.
fn attribute_to_leaves(
    exchange: &Exchange,
    container: usize,
    leaves: &[usize],
    finding: Finding,
    out: &mut Vec<TextFinding>,
) {
    let span = finding.span();
    let covered = |keys: bool| {
        leaves
            .iter()
            .filter_map(move |&leaf| {
                let text = exchange.texts.get(leaf)?;
                ((text.kind == Kind::Key) == keys).then_some(())?;
                Some((leaf, text, inside_literal(text, span)?))
            })
            .collect::<Vec<_>>()
    };
    // A value with its key, such as a password: the value is the finding, and a key cannot be changed.
    let mut places = covered(false);
    if places.is_empty() {
        places = covered(true);
    }
    if places.is_empty() {
        if let Some(text) = exchange.texts.get(container) {
            out.push(located(container, text, finding));
        }
        return;
    }
    for (leaf, text, span) in places {
        let known =
            out.iter().any(|f| f.text == leaf && f.finding.rule == finding.rule && f.finding.span().overlaps(span));
        if !known {
            let mut part = finding.clone();
            part.at = Location::Text { span };
            out.push(located(leaf, text, part));
        }
    }
}

/// The part of a leaf's value that a range of the surrounding document covers; the whole value where escapes make
/// the two differ.
fn inside_literal(text: &Text, span: Span) -> Option<Span> {
    let quotes = usize::from(text.literal.len() >= text.value.len() + 2);
    let inner = Span::new(text.literal.start + quotes, text.literal.end.saturating_sub(quotes));
    if !inner.overlaps(span) {
        return None;
    }
    if inner.len() != text.value.len() {
        return Some(Span::new(0, text.value.len()));
    }
    let start = span.start.max(inner.start) - inner.start;
    let end = span.end.min(inner.end) - inner.start;
    Some(Span::new(start, end))
}

/// A model reads the parts of a message as one text, so what crosses a border between two parts is looked for too.
fn assess_joined(
    engine: &Engine,
    exchange: &Exchange,
    parts: &[usize],
    context: Context<'_>,
    out: &mut Assessment,
    scores: &mut BTreeMap<Source, Scores>,
) {
    let texts: Vec<(usize, &Text)> = parts.iter().filter_map(|&i| Some((i, exchange.texts.get(i)?))).collect();
    let Some((_, first)) = texts.first() else { return };
    let mut joined = String::new();
    let mut borders = Vec::with_capacity(texts.len());
    for (index, text) in &texts {
        if !joined.is_empty() {
            joined.push('\n');
        }
        let start = joined.len();
        joined.push_str(&text.value);
        borders.push((*index, *text, Span::new(start, joined.len())));
    }
    let scan = engine.scan(&Input { text: &joined, kind: first.kind, origin: &first.origin, context });
    note_scores(scores, first.origin.source, scan.scores);
    for finding in scan.findings {
        let span = finding.span();
        let covered: Vec<_> = borders.iter().filter(|(_, _, part)| part.overlaps(span)).collect();
        if covered.len() < 2 {
            continue;
        }
        for (index, text, part) in covered {
            let clipped = Span::new(span.start.max(part.start) - part.start, span.end.min(part.end) - part.start);
            let mut piece = finding.clone();
            piece.at = Location::Text { span: clipped };
            out.findings.push(located(*index, text, piece));
        }
    }
}
