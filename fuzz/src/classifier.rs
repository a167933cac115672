//! The injection classifier: both stages, on any text of any origin.

use bartizan_classifier::{Channel, Classifier};

/// Passages of one text that are read.
const MOST: usize = 4;

/// The first byte chooses the origin; the rest is the text.
pub fn run(data: &[u8]) {
    let (first, rest) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let text = super::text(rest);
    let channel = Channel::ALL[usize::from(first) % Channel::ALL.len()];
    let scorer = Classifier::scorer().expect("the shipped model");
    let encoder = Classifier::encoder().expect("the shipped encoder");
    let passages = scorer.passages(&text, channel, MOST);
    assert!(passages.len() <= MOST);
    assert!(passages.is_sorted_by(|a, b| a.hit.score >= b.hit.score), "the worst first");
    for passage in &passages {
        assert!(passage.hit.score.is_finite());
        assert!(text.get(passage.hit.window.start..passage.hit.window.end).is_some());
        assert!(text.get(passage.hit.decisive.start..passage.hit.decisive.end).is_some());
    }
    if let Some(logits) = passages.first().and_then(|worst| encoder.read(&worst.text)) {
        assert!(logits.user.is_finite() && logits.data.is_finite());
    }
    let best = scorer.score(&text, channel).map(|hit| hit.score);
    let padded = scorer.score(&format!("\n\t {text} \n"), channel).map(|hit| hit.score);
    let same = match (best, padded) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-3,
        (a, b) => a.is_none() && b.is_none(),
    };
    assert!(same, "white space around the text: {best:?} and {padded:?}");
}
