//! Offers every text of an exchange to the engine and brings the findings back to the leaf they are in.

use std::collections::BTreeMap;

use bartizan_core::{
    Confidence, Context, Exchange, Family, Finding, Kind, Location, Part, Reason, RuleId, Scores, Severity, Source,
    Span, Text,
};
use bartizan_engine::{Input, Scan};
use bartizan_policy::{Assessment, TextFinding, Unfinished};
use bartizan_rules::output::protected_text;
use bartizan_rules::prompt::{self, learned_injection};

use crate::cache::{Found, Scanner};
use crate::documents;

/// What the engine says of every text of the exchange. The context holds the operator's text to look for leaks of.
pub(crate) fn assess<'a>(scanner: &mut Scanner<'a>, exchange: &'a Exchange, context: Context<'_>) -> Assessment {
    let mut out = Assessment::default();
    let mut scores = BTreeMap::new();
    let leaves = leaves_by_container(exchange);
    for (index, text) in exchange.texts.iter().enumerate() {
        let scan = scanner.text(text, context);
        out.suppressed += scan.suppressed;
        out.coverage.merge(&scan.coverage);
        note_scores(&mut scores, text.origin.source, with_evidence(&scan));
        if scan.findings.is_empty() {
            continue;
        }
        match leaves.get(&index) {
            None => out.findings.extend(heard(scan).into_iter().map(|f| located(exchange, index, text, f))),
            Some(inside) => attribute_to_leaves(exchange, index, inside, heard(scan), &mut out.findings),
        }
    }
    for message in &exchange.messages {
        for run in message.parts.chunk_by(|a, b| same_source(exchange, *a, *b)).filter(|run| run.len() > 1) {
            assess_joined(scanner, exchange, run, context, &mut out, &mut scores);
        }
    }
    for document in &exchange.extracted {
        documents::note_coverage(document, &mut out.coverage);
        let passages: Vec<usize> = document.texts.clone().collect();
        if passages.len() > 1 {
            assess_joined(scanner, exchange, &passages, context, &mut out, &mut scores);
        }
    }
    bring_home(exchange, &mut out.findings);
    out.findings.sort_by_key(|f| (f.text, f.finding.span(), f.finding.rule.clone()));
    out.findings.dedup_by(|later, first| same_place(first, later));
    join_protected(&mut out.findings);
    drop_repeated(&mut out.findings);
    out.scores = scores.into_iter().collect();
    out.unfinished =
        scanner.meter.take_skipped().into_iter().map(|(family, bytes)| Unfinished { family, bytes }).collect();
    out
}

/// What was seen in a document and again in its leaf is one finding, as bad and as sure as the worse of the two.
fn same_place(first: &mut TextFinding, later: &TextFinding) -> bool {
    let (a, b) = (first.finding.span(), later.finding.span());
    let same =
        first.text == later.text && first.finding.rule == later.finding.rule && a.start <= b.start && b.end <= a.end;
    if same {
        first.finding.severity = first.finding.severity.max(later.finding.severity);
        first.finding.confidence = first.finding.confidence.max(later.finding.confidence);
    }
    same
}

/// A stretch that is repeated of a protected corpus is seen once for each of its fingerprints: overlapping findings of it
/// become one. They are in the order of their places.
fn join_protected(findings: &mut Vec<TextFinding>) {
    let is_protected = |f: &TextFinding| f.finding.rule == protected_text::RULE.id;
    if findings.iter().filter(|f| is_protected(f)).count() < 2 {
        return;
    }
    let (mut kept, mut open) = (Vec::with_capacity(findings.len()), None);
    for later in findings.drain(..) {
        if is_protected(&later) {
            if open.and_then(|at| kept.get_mut(at)).is_some_and(|first| widen(first, &later)) {
                continue;
            }
            open = Some(kept.len());
        }
        kept.push(later);
    }
    *findings = kept;
}

/// Takes an overlapping finding into the first, where both are in the same text.
fn widen(first: &mut TextFinding, later: &TextFinding) -> bool {
    if first.text != later.text || !first.finding.span().overlaps(later.finding.span()) {
        return false;
    }
    match (&mut first.finding.at, &later.finding.at) {
        (Location::Text { span }, Location::Text { span: more }) => span.end = span.end.max(more.end),
        (Location::Json { pointer, span }, Location::Json { pointer: same, span: more }) if pointer == same => {
            span.end = span.end.max(more.end);
        }
        _ => return false,
    }
    true
}

/// How often a text that is a document may be searched for what was found in its text layer.
const SEARCHES: usize = 32;

/// What was found in the text layer of a page or message and stands in its source word for word is brought there: it
/// can be masked there, and was perhaps found there too.
fn bring_home(exchange: &Exchange, findings: &mut [TextFinding]) {
    let mut left: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for found in findings {
        let home = exchange.document_of(found.text).and_then(|d| d.text);
        let Some((home, text)) = home.and_then(|i| Some((i, exchange.texts.get(i).filter(|t| t.editable)?))) else {
            continue;
        };
        // An instruction is judged by where it came from, and that is the document.
        if found.finding.rule.family() == Family::Prompt {
            continue;
        }
        let words = exchange.texts.get(found.text).map_or("", |t| found.finding.span().of(&t.value));
        let (searches, cursor) = left.entry(home).or_insert((SEARCHES, 0));
        if words.is_empty() || *searches == 0 {
            continue;
        }
        let place = text.value.get(*cursor..).and_then(|rest| rest.find(words)).map(|at| at + *cursor).or_else(|| {
            *searches -= 1;
            text.value.find(words)
        });
        if let Some(start) = place {
            *cursor = start;
            found.text = home;
            let span = Span::new(start, start + words.len());
            found.finding.at = Location::Json { pointer: text.pointer.clone(), span };
        }
    }
}

/// The scores of a text, with what its rules found weighed in: each rule is evidence of its own (naive Bayes), so its weight
/// is added to the logarithm of the odds. Medium and high confidence count; the weights are the logarithms of how much more
/// often such a finding is made in attacks than in other texts about attacks, on held-out sources.
fn with_evidence(scan: &Scan) -> Scores {
    let findings = scan.findings.iter().filter(|f| is_evidence(f));
    let weight = match findings.map(|f| f.confidence).max() {
        Some(Confidence::High) => 2.5,
        Some(_) => 2.0,
        None if scan.scores.injection.is_none() => return scan.scores,
        None => 0.0,
    };
    // Without the classifier a finding speaks for itself.
    let score = scan.scores.injection.unwrap_or(0.5).clamp(0.0001, 0.9999);
    let odds = (score / (1.0 - score)).ln() + weight;
    // Four digits: no more is known, and the last ones differ between machines.
    let rounded = ((10_000.0 / (1.0 + (-odds).exp())).round() / 10_000.0).min(0.9999);
    Scores { injection: Some(rounded), ..scan.scores }
}

/// The probability of an attack below which the classifier speaks against a rule: it finds the text likelier harmless.
const EVEN: f32 = 0.5;

/// The findings of a text, the classifier heard. A rule that goes by words reads a phrase and what is near it, the
/// classifier the whole text. Where that speaks against the rule, the finding is a guess: it is reported, and nothing is
/// refused for it. More text around an attack does not help it, because the classifier goes by the worst passage.
fn heard(scan: Found) -> Vec<Finding> {
    let against = scan.scores.injection.is_some_and(|score| score < EVEN);
    let mut findings = scan.into_findings();
    for finding in findings.iter_mut().filter(|f| against && prompt::goes_by_words(&f.rule)) {
        finding.confidence = Confidence::Low;
    }
    findings
}

/// The rule that goes by the name of a value alone.
const GENERIC: RuleId = RuleId::new("secret/generic-assignment");

/// Rules that read words as names.
const NAMES: [&str; 4] = ["pii/address", "pii/location", "pii/organization", "pii/person"];

/// Drops what a secret in the same text says better: what reads like a name inside of it, and a value that only its
/// name led to where the rule of a service knows it, as bad and as sure. In order of place, as the findings are, so that
/// many of them cost no more than one look each.
fn drop_said_better(findings: &mut Vec<TextFinding>) {
    let secrets: Vec<(usize, Span, bool)> = findings
        .iter()
        .map(|f| (f, &f.finding))
        .filter(|(_, found)| found.rule.family() == Family::Secret && found.confidence > Confidence::Low)
        .map(|(f, found)| (f.text, found.span(), found.rule != GENERIC && found.severity >= Severity::High))
        .collect();
    let mut rest = secrets.into_iter().peekable();
    // Up to where secrets reach that began in this text so far: all of them, and those of a service.
    let (mut text, mut all, mut known) = (0, 0, 0);
    findings.retain(|f| {
        let (rule, span) = (&f.finding.rule, f.finding.span());
        while let Some((at, secret, of_service)) = rest.next_if(|(t, s, _)| (*t, s.start) <= (f.text, span.start)) {
            if at != text {
                (text, all, known) = (at, 0, 0);
            }
            all = all.max(secret.end);
            known = if of_service { known.max(secret.end) } else { known };
        }
        let covered = (NAMES.contains(&rule.as_str()) && span.end <= all) || (*rule == GENERIC && span.end <= known);
        !(text == f.text && covered)
    });
}

/// Where a rule has named what the classifier points to, the rule says it better; so does the rule of a service.
fn drop_repeated(findings: &mut Vec<TextFinding>) {
    drop_said_better(findings);
    let named: Vec<(usize, Span)> =
        findings.iter().filter(|f| is_evidence(&f.finding)).map(|f| (f.text, f.finding.span())).collect();
    findings.retain(|f| {
        f.finding.rule != learned_injection::RULE.id
            || !named.iter().any(|(text, span)| *text == f.text && span.overlaps(f.finding.span()))
    });
}

/// True for a finding of a rule about prompts that is more than a guess.
fn is_evidence(finding: &Finding) -> bool {
    finding.rule.family() == Family::Prompt
        && finding.rule != learned_injection::RULE.id
        && finding.confidence > Confidence::Low
}

fn note_scores(all: &mut BTreeMap<Source, Scores>, source: Source, scores: Scores) {
    let entry = all.entry(source).or_default();
    *entry = entry.max(scores);
}

pub(crate) fn located(exchange: &Exchange, index: usize, text: &Text, mut finding: Finding) -> TextFinding {
    let at = Location::Json { pointer: text.pointer.clone(), span: finding.span() };
    finding.at = match exchange.document_of(index) {
        Some(_) => {
            let member = text.origin.field.as_deref().unwrap_or_default().to_owned();
            Location::Archive { member, inner: Box::new(at) }
        }
        None => at,
    };
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

/// More leaves than a finding of one value covers. What goes on over more, such as a repetition, is about the document.
const MOST_LEAVES: usize = 16;

/// Brings the findings in a string that is itself JSON to the leaves that they cover: only there can they be changed
/// without breaking the document. A finding that covers no leaf, or many, stays where it is. `leaves` are in the order
/// of the document.
fn attribute_to_leaves(
    exchange: &Exchange,
    container: usize,
    leaves: &[usize],
    findings: Vec<Finding>,
    out: &mut Vec<TextFinding>,
) {
    let leaf = |at: &usize| exchange.texts.get(*at);
    for finding in findings {
        let span = finding.span();
        let first = leaves.partition_point(|at| leaf(at).is_some_and(|t| t.literal.end <= span.start));
        let covered = leaves.iter().skip(first).take_while(|at| leaf(at).is_some_and(|t| t.literal.start < span.end));
        let covered: Vec<(usize, &Text, Span)> = covered
            .take(MOST_LEAVES + 1)
            .filter_map(|at| Some((*at, leaf(at)?, inside_literal(leaf(at)?, span)?)))
            .collect();
        // A value with its key, such as a password: the value is the finding, and a key cannot be changed.
        let values = covered.iter().any(|(_, text, _)| text.kind != Kind::Key);
        let mut places = covered.iter().filter(|(_, text, _)| !values || text.kind != Kind::Key).peekable();
        if covered.len() > MOST_LEAVES || places.peek().is_none() {
            if let Some(text) = exchange.texts.get(container) {
                out.push(located(exchange, container, text, finding));
            }
            continue;
        }
        for (at, text, span) in places {
            let mut part = finding.clone();
            part.at = Location::Text { span: *span };
            out.push(located(exchange, *at, text, part));
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
    scanner: &mut Scanner<'_>,
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
    let scan = scanner.input(&Input { text: &joined, kind: first.kind, origin: &first.origin, context });
    note_scores(scores, first.origin.source, with_evidence(&scan));
    for finding in heard(scan) {
        let span = finding.span();
        let covered: Vec<_> = borders.iter().filter(|(_, _, part)| part.overlaps(span)).collect();
        if covered.len() < 2 {
            continue;
        }
        // A finding over many parts is about the message; only one that could be masked has to be in all of them.
        let about_size = finding.rule.family() == Family::Limits;
        if covered.len() > MOST_LEAVES && !about_size {
            out.coverage.add(Part::partial(Reason::TooManyFindings, span.len()));
        }
        let covered = covered.into_iter().take(if about_size { 1 } else { MOST_LEAVES });
        for (index, text, part) in covered {
            let clipped = Span::new(span.start.max(part.start) - part.start, span.end.min(part.end) - part.start);
            let mut piece = finding.clone();
            piece.at = Location::Text { span: clipped };
            out.findings.push(located(exchange, *index, text, piece));
        }
    }
}
