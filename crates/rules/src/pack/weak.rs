//! Whether the characters of a token are too regular for a key, where tokens overlap.
//!
//! A text of nothing but prefixes has a token at every prefix, each thousands of characters long. What is asked here is
//! what [`quality`] answers; long tokens are answered from what was seen of the one before, so that a text costs what
//! it is long, and not the sum of its tokens.

use bartizan_core::Span;

use crate::secret::quality;
use crate::tape::Tape;

/// Tokens up to here are cheaper to read than to remember.
const SHORT: usize = 96;

/// At least the length of what [`quality::is_placeholder`] may find.
const REACH: usize = 16;

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// What was seen of earlier tokens, by reader: one for every shape.
#[derive(Debug, Default)]
pub(super) struct Weakness(Vec<Option<Box<Seen>>>);

#[derive(Debug)]
struct Seen {
    runs: Vec<Span>,
    counts: [u32; 256],
    clean: Vec<Clean>,
}

/// A range without a placeholder in it, and the first placeholder behind it.
#[derive(Clone, Copy, Debug, Default)]
struct Clean {
    span: Span,
    /// No placeholder that ends sooner starts in the range, and none that starts later ends with this one.
    mark: Option<Span>,
}

impl Weakness {
    /// True where the bytes of `runs` together have less entropy than `least`, or hold a placeholder.
    pub(super) fn of(&mut self, tape: &Tape<'_>, reader: usize, runs: &[Span], least: f32) -> bool {
        if runs.iter().map(|run| run.len()).sum::<usize>() <= SHORT {
            let bytes = runs.iter().flat_map(|r| tape.slice(*r)).copied().collect::<Vec<u8>>();
            return quality::entropy(&bytes) < least || quality::is_placeholder(&bytes);
        }
        if self.0.len() <= reader {
            self.0.resize_with(reader + 1, || None);
        }
        let Some(slot) = self.0.get_mut(reader) else { return true };
        let seen = slot.get_or_insert_with(|| Box::new(Seen { runs: vec![], counts: [0; 256], clean: vec![] }));
        seen.move_to(tape, runs);
        seen.entropy() < least || seen.has_placeholder(tape)
    }
}

impl Seen {
    /// Counts the bytes of `runs`, from the bytes counted last where that is less work.
    fn move_to(&mut self, tape: &Tape<'_>, runs: &[Span]) {
        let apart = |(a, b): (&Span, &Span)| a.start.abs_diff(b.start) + a.end.abs_diff(b.end);
        let work: usize = self.runs.iter().zip(runs).map(apart).sum();
        if self.runs.len() != runs.len() || work > runs.iter().map(|run| run.len()).sum() {
            self.runs = runs.iter().map(|run| Span::new(run.start, run.start)).collect();
            self.clean.resize(runs.len(), Clean::default());
            self.counts = [0; 256];
        }
        for (old, new) in self.runs.iter_mut().zip(runs) {
            // What comes is counted before what goes is taken off, so that no count falls below zero.
            for (from, to) in [(new.start, old.start), (old.end, new.end)] {
                for byte in tape.slice(Span::new(from, to.max(from))) {
                    if let Some(count) = self.counts.get_mut(usize::from(*byte)) {
                        *count += 1;
                    }
                }
            }
            for (from, to) in [(old.start, new.start), (new.end, old.end)] {
                for byte in tape.slice(Span::new(from, to.max(from))) {
                    if let Some(count) = self.counts.get_mut(usize::from(*byte)) {
                        *count -= 1;
                    }
                }
            }
            *old = *new;
        }
    }

    /// As [`quality::entropy`] of the bytes counted.
    fn entropy(&self) -> f32 {
        quality::entropy_of(&self.counts, self.runs.iter().map(|run| run.len()).sum())
    }

    /// As [`quality::is_placeholder`] of the runs together.
    fn has_placeholder(&mut self, tape: &Tape<'_>) -> bool {
        // What lies across two runs, and short runs.
        let mut seam = Vec::new();
        for (run, clean) in self.runs.iter().zip(&mut self.clean) {
            let bytes = tape.slice(*run);
            if bytes.len() <= BLOCK {
                seam.extend_from_slice(bytes);
                continue;
            }
            if clean.has_placeholder(tape, *run) {
                return true;
            }
            seam.extend(bytes.iter().take(REACH));
            if self.runs.len() > 1 && quality::is_placeholder(&seam) {
                return true;
            }
            seam.clear();
            seam.extend(bytes.iter().skip(bytes.len() - REACH));
        }
        self.runs.len() > 1 && quality::is_placeholder(&seam)
    }
}

impl Clean {
    /// As [`quality::is_placeholder`] of the bytes of `run`. Linear in the text while runs move forward.
    fn has_placeholder(&mut self, tape: &Tape<'_>, run: Span) -> bool {
        loop {
            if run.start < self.span.start || run.start > self.span.end {
                *self = Self { span: Span::new(run.start, run.start), mark: None };
            }
            if let Some(mark) = self.mark {
                if run.start <= mark.start {
                    return mark.end <= run.end;
                }
                *self = Self { span: Span::new(run.start, mark.end.max(run.start)), mark: None };
            }
            if self.span.end >= run.end {
                return false;
            }
            let from = self.span.start.max(self.span.end.saturating_sub(REACH));
            let to = run.end.min(self.span.end + BLOCK);
            let holds = |from: usize, to: usize| quality::is_placeholder(tape.slice(Span::new(from, to)));
            if !holds(from, to) {
                self.span.end = to;
                continue;
            }
            let end = first(self.span.end, to, |end| holds(from, end));
            let start = first(from, end, |start| !holds(start, end)).saturating_sub(1);
            self.mark = Some(Span::new(start, end));
            self.span.end = end - 1;
        }
    }
}

/// The first of `from..to` for which `test` holds, given that it then holds for all behind it; `to` where for none.
fn first(mut from: usize, mut to: usize, test: impl Fn(usize) -> bool) -> usize {
    while from < to {
        let middle = from.midpoint(to);
        if test(middle) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged_alone(tape: &Tape<'_>, runs: &[Span], least: f32) -> bool {
        let bytes: Vec<u8> = runs.iter().flat_map(|r| tape.slice(*r)).copied().collect();
        quality::entropy(&bytes) < least || quality::is_placeholder(&bytes)
    }

    /// Random characters with a placeholder now and then.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            30 => "[a-zA-Z0-9_-]{20,90}",
            1 => prop::sample::select(&["xxxx", "placeholder", "change-me", "aaaaaa", "12345678", "hgfedcba"][..])
                .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 8..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn overlapping_tokens_are_judged_as_if_alone(
            text in text(),
            mut places in prop::collection::vec((0..900_usize, 0..60_usize, 0..40_usize, 0..700_usize), 1..40),
            forward in any::<bool>(),
            least in 3.0..6.0_f32,
        ) {
            let tape = Tape::new(&text);
            let mut weakness = Weakness::default();
            if forward {
                places.sort_unstable();
            }
            for (start, first, gap, last) in places {
                let clamp = |at: usize| at.min(text.len());
                let runs = [
                    Span::new(clamp(start), clamp(start + first)),
                    Span::new(clamp(start + first + gap), clamp(start + first + gap + last)),
                ];
                for (reader, runs) in [&runs[..], &runs[1..]].into_iter().enumerate() {
                    prop_assert_eq!(
                        weakness.of(&tape, reader, runs, least),
                        judged_alone(&tape, runs, least),
                        "{:?} in {:?}", runs, text
                    );
                }
            }
        }
    }
}
