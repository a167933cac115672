//! The streaming law, as a check for property tests of detectors.

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_core::{Context, Coverage, Finding, Hold, Kind, Origin, Rule, Source, Span};

use crate::engine::{Engine, Input};
use crate::stream::Surroundings;

/// Bytes after an encoded character that are decoded along with it whatever follows.
const SURROUNDINGS: usize = 256;

/// Checks that a stream of `text`, split at the byte offsets `splits` (moved to character boundaries, in any order),
/// says and masks what a scan of the whole does. The text is a model's, and every rule masks.
///
/// In detail:
/// 1. the released pieces are the text;
/// 2. every finding of a bounded detector that masks and is not late lies in the text released with it;
/// 3. every finding of the scan is told, and every finding told is one of the scan's, unless a late finding of the
///    same rule overlaps it, or it is decoded and longer than 256 bytes: how much of its surroundings is decoded along
///    with an encoded character depends on what follows;
/// 4. such a detector's finding that is no longer than its bound, and not decoded, is not late;
/// 5. where none of theirs is late or an exception, masking each step's text gives the masked whole;
/// 6. the merged coverage and the last scores are those of the scan.
///
/// # Errors
/// What differs, for people.
pub fn check_stream(engine: &Arc<Engine>, text: &str, splits: &[usize]) -> Result<(), String> {
    let origin = Origin::new(Source::Model);
    check_stream_of(
        engine,
        &Input { text, kind: Kind::Text, origin: &origin, context: Context::default() },
        |_| true,
        splits,
    )
}

/// [`check_stream`] for a text of any kind from anywhere, with only some rules masking.
///
/// # Errors
/// What differs, for people.
pub fn check_stream_of(
    engine: &Arc<Engine>,
    input: &Input<'_>,
    masks: impl Fn(&Rule) -> bool,
    splits: &[usize],
) -> Result<(), String> {
    let text = input.text;
    let whole = engine.scan(input);
    let cuts: BTreeSet<usize> = splits.iter().map(|at| text.floor_char_boundary(*at)).collect();
    let around = Surroundings {
        system: input.context.system.iter().map(|s| (*s).to_owned()).collect(),
        direction: input.context.direction,
        profile: input.context.profile,
    };
    let mut stream = engine.stream(input.origin.clone(), input.kind, &masks, around);
    let mut steps = Vec::new();
    let mut from = 0;
    for to in cuts.into_iter().chain([text.len()]) {
        steps.push(stream.push(Span::new(from, to).of(text)));
        from = to;
    }
    steps.push(stream.finish());

    let bound = |finding: &Finding| bound(engine, finding, &masks);
    let mut coverage = Coverage::default();
    let mut released = String::new();
    let mut masked = String::new();
    let mut told: Vec<&Finding> = Vec::new();
    let mut late: Vec<&Finding> = Vec::new();
    let mut spilled = false;
    for step in &steps {
        coverage.merge(&step.coverage);
        if step.start != released.len() {
            return Err(format!("a step starts at {} after {} bytes", step.start, released.len()));
        }
        released.push_str(&step.text);
        for finding in &step.findings {
            let span = finding.span();
            if bound(finding).is_some() && (span.start < step.start || span.end > released.len()) {
                return Err(format!(
                    "{} is told with the text {}..{}",
                    show(finding, text),
                    step.start,
                    released.len()
                ));
            }
            told.push(finding);
        }
        for (finding, _) in &step.late {
            late.push(finding);
            let Some(bound) = bound(finding) else { continue };
            spilled = true;
            if finding.depth == 0 && finding.span().len() <= bound {
                return Err(format!("{} is late, though it fits its bound", show(finding, text)));
            }
        }
        let mine = step.findings.iter().filter(|f| bound(f).is_some());
        masked.push_str(&mask(&step.text, step.start, mine));
    }
    if released != text {
        return Err(format!("{} of {} bytes were released", released.len(), text.len()));
    }
    let scores = steps.last().map(|s| s.scores).unwrap_or_default();
    if (&coverage, scores) != (&whole.coverage, whole.scores) {
        return Err(format!("{coverage:?} and {scores:?} instead of {:?} and {:?}", whole.coverage, whole.scores));
    }
    let same = |a: &Finding, b: &Finding| {
        (&a.rule, a.span(), a.severity, a.confidence, &a.entity, &a.fix)
            == (&b.rule, b.span(), b.severity, b.confidence, &b.entity, &b.fix)
    };
    for finding in &whole.findings {
        if !told.iter().chain(&late).any(|f| same(f, finding)) {
            return Err(format!("{} is not told by the stream", show(finding, text)));
        }
    }
    for finding in told.iter().chain(&late) {
        let replaced = || late.iter().any(|l| l.rule == finding.rule && l.span().overlaps(finding.span()));
        if whole.findings.iter().any(|f| same(f, finding)) || replaced() {
            continue;
        }
        spilled = true;
        if finding.depth == 0 || finding.span().len() <= SURROUNDINGS {
            return Err(format!("{} is only told by the stream", show(finding, text)));
        }
    }
    let expected = mask(text, 0, whole.findings.iter().filter(|f| bound(f).is_some()));
    if !spilled && masked != expected {
        return Err(format!("masked as {masked:?} instead of {expected:?}"));
    }
    Ok(())
}

/// The bound of the finding's detector, where it has one and masks.
fn bound(engine: &Engine, finding: &Finding, masks: impl Fn(&Rule) -> bool) -> Option<usize> {
    let (_, owner) = engine.owner(&finding.rule)?;
    let (_, detector, traits) = engine.detectors().nth(owner)?;
    match traits.hold {
        Hold::Bounded(bound) if detector.rules().iter().any(masks) => Some(bound),
        _ => None,
    }
}

fn show(finding: &Finding, text: &str) -> String {
    let span = finding.span();
    format!("`{}` in {:?} at {}..{} ({:?})", finding.rule, finding.view, span.start, span.end, span.of(text))
}

/// `text`, which starts at `start`, with the replacement of the first of each group of overlapping findings.
fn mask<'a>(text: &str, start: usize, findings: impl Iterator<Item = &'a Finding>) -> String {
    let mut findings: Vec<&Finding> = findings.collect();
    findings.sort_by_key(|f| (f.span(), &f.rule));
    let mut masked = String::new();
    let mut at = start;
    for finding in findings {
        let span = finding.span();
        if span.start >= at {
            masked.push_str(Span::new(at - start, span.start - start).of(text));
            masked.push_str(&finding.replacement());
        }
        at = at.max(span.end);
    }
    masked.push_str(Span::new(at - start, start + text.len() - start).of(text));
    masked
}
