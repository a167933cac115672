//! The canonicaliser: a text in all forms in which its words can be read, each with its way back.
//!
//! `Raw`, `Clean`, `Folded` and `Skeleton` are made from one another in this order; a form that equals an earlier
//! one is not stored again. Encodings are looked for in the clean text, and in the last form where that
//! differs; what they decode to goes through the same forms and is searched again.

mod ascii;
mod chars;
mod clean;
mod decode;
mod fold;
mod rewrite;
mod skeleton;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::VecDeque;

use bartizan_core::{Coverage, Limits, OffsetMap, Part, Reason, Span, View, ViewText, Views};

use decode::{Budget, Fresh};
use rewrite::Mapped;

/// Version of the canonicaliser: it changes when any text may get other views.
pub(crate) const VERSION: &str = "1";

/// Most texts that one original may turn into.
const TEXTS: usize = 32;
/// Most bytes that [`live`] holds back.
const LIVE: usize = 1024;
/// Bytes at the end of a text that [`live`] looks at.
const TAIL: usize = LIVE + 256;

/// All views of `text`, the original first. Letter case of ASCII is the same in all of them.
///
/// Time and memory are linear in `text` and in `limits.max_decoded`. What did not fit is told to `coverage`: as
/// [`Reason::DecodedTooLarge`] where decoding or compatibility mappings produce more than `limits.max_decoded`
/// bytes, as [`Reason::TooDeep`] where more than `limits.max_decode_depth` encodings lie on one another.
pub(crate) fn build<'a>(text: &'a str, limits: &Limits, coverage: &mut Coverage) -> Vec<ViewText<'a>> {
    let raw = ViewText {
        view: View::Raw,
        serves: Views::RAW,
        depth: 0,
        text: Cow::Borrowed(text),
        map: OffsetMap::identity(),
    };
    let mut builder = Builder {
        texts: vec![raw],
        jobs: VecDeque::new(),
        budget: Budget { left: limits.max_decoded, refused: 0 },
        too_deep: 0,
        depth: limits.max_decode_depth,
    };
    builder.originals(text);
    while let Some(job) = builder.jobs.pop_front() {
        match job {
            Job::Search { text, local, depth } => builder.search(text, local.as_ref(), depth),
            Job::Add { layer, local, depth } => builder.add(layer, local, depth),
        }
    }
    if builder.budget.refused > 0 {
        coverage.add(Part::partial(Reason::DecodedTooLarge, builder.budget.refused));
    }
    if builder.too_deep > 0 {
        coverage.add(Part::partial(Reason::TooDeep, builder.too_deep));
    }
    builder.texts
}

/// How many bytes at the end of `tail`, a text that still grows or a suffix of it, may still get other views; at
/// most 1024.
///
/// Let `cut` be `tail.len() - live(tail)`. Whatever is appended, if it does not begin with a character that
/// combines with the one before it:
/// * `Clean`, `Folded` and `Skeleton` read the same for everything before `cut`.
/// * The same runs and pieces that end before `cut` are decoded. A chain of pieces at the end is held as a whole,
///   because characters that it decodes to may combine.
///
/// * A finding in decoded text that covers a decoded piece and is at most 512 bytes long (256 for an escaped line
///   end) stays: excerpts only grow.
///
/// A run of an encoding is not told from a word before it has twelve characters, pairs of digits before there are
/// three of them: a payload may start so many bytes before `cut`. A run longer than 1024 bytes is held in part.
pub(crate) fn live(tail: &str) -> usize {
    let from = tail.ceil_char_boundary(tail.len().saturating_sub(TAIL));
    let tail = tail.get(from..).unwrap_or_default();
    let cleaned =
        if tail.is_ascii() && !ascii::has_control(tail.as_bytes()) { None } else { clean::clean(tail, TAIL).0 };
    let text = cleaned.as_ref().map_or(tail, |c| &c.text);
    let pending = [
        decode::unfinished_blob(text),
        decode::unfinished_inline(text),
        fold::unfinished(text),
        skeleton::unfinished(text),
    ];
    let first = pending.into_iter().flatten().min();
    let first = first.map(|at| cleaned.as_ref().map_or(at, |c| c.map.to_raw(Span::new(at, at + 1)).start));
    let hidden = [decode::unfinished_hidden(tail), clean::unfinished(tail)];
    let start = hidden.into_iter().flatten().chain(first).min().unwrap_or(tail.len());
    (tail.len() - start).min(LIVE)
}

/// The last form of a name, in small letters and without white space.
pub(crate) fn fold_name(name: &str) -> String {
    let mut budget = Budget { left: name.len().saturating_mul(4), refused: 0 };
    let Forms { clean, folded, skeleton, .. } = forms(name, &mut budget);
    let last = skeleton.or(folded).or(clean);
    let text = last.as_ref().map_or(name, |form| &form.text);
    text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).flat_map(char::to_lowercase).collect()
}

/// The canonical forms of one text, each made from the one before; none where it does not differ from that.
#[derive(Default)]
struct Forms {
    clean: Option<Mapped>,
    folded: Option<Mapped>,
    skeleton: Option<Mapped>,
    /// The map of the last form to the clean text. Where letters were put together or replaced, encodings may have
    /// come to light.
    changes: Option<OffsetMap>,
}

/// The canonical forms of `text`; all maps lead to it.
fn forms(text: &str, budget: &mut Budget) -> Forms {
    if text.is_ascii() {
        let clean = ascii::has_control(text.as_bytes()).then(|| clean::clean(text, 0).0).flatten();
        let folded = fold::spelled(clean.as_ref().map_or(text, |c| &c.text));
        let changes = folded.as_ref().map(|f| f.map.clone());
        return Forms { changes, folded: folded.map(|m| over(m, clean.as_ref())), clean, skeleton: None };
    }
    let (clean, kept) = clean::clean(text, budget.left);
    budget.refused = budget.refused.saturating_add(kept);
    let growth = clean.as_ref().map_or(0, |c| c.text.len().saturating_sub(text.len()));
    budget.left = budget.left.saturating_sub(growth);
    let base = clean.as_ref().map_or(text, |c| &c.text);

    // Marks may stand between the letters of a spelled-out word, or be what keeps them apart.
    let bare = fold::characters(base);
    let spelled = fold::spelled(bare.as_ref().map_or(base, |b| &b.text));
    let folded = match (bare, spelled) {
        (bare, Some(words)) => Some(over(words, bare.as_ref())),
        (bare, None) => bare,
    };
    // The same on the way to the skeleton, but for the case of letters: a capital looks like another letter.
    let unmarked = fold::without_marks(base);
    let words = fold::spelled(unmarked.as_ref().map_or(base, |u| &u.text)).map(|w| over(w, unmarked.as_ref()));
    let words = words.or(unmarked);
    let skeleton = skeleton::skeleton(words.as_ref().map_or(base, |w| &w.text)).map(|look| {
        let look = over(look, words.as_ref());
        match fold::characters(&look.text) {
            Some(bare) => over(bare, Some(&look)),
            None => look,
        }
    });
    Forms {
        changes: skeleton.as_ref().or(folded.as_ref()).map(|last| last.map.clone()),
        folded: folded.map(|m| over(m, clean.as_ref())),
        skeleton: skeleton.map(|m| over(m, clean.as_ref())),
        clean,
    }
}

/// `inner` with its map led through the one of the text that it was made from.
fn over(inner: Mapped, outer: Option<&Mapped>) -> Mapped {
    match outer {
        // A map without stretches would be the identity.
        Some(_) if inner.text.is_empty() => inner,
        Some(outer) => Mapped { map: inner.map.then(&outer.map), ..inner },
        None => inner,
    }
}

/// What is left to do. A queue rather than recursion: its length does not depend on the input's nesting.
enum Job {
    /// Look for encodings in a text. `local` is its map to the text that it was decoded from, if most of that is
    /// in it unchanged.
    Search { text: usize, local: Option<OffsetMap>, depth: u8 },
    /// Take in a payload, whose map leads to the original.
    Add { layer: Mapped, local: Option<OffsetMap>, depth: u8 },
}

struct Builder<'a> {
    texts: Vec<ViewText<'a>>,
    jobs: VecDeque<Job>,
    budget: Budget,
    /// Bytes with more encodings on one another than the limit.
    too_deep: usize,
    depth: u8,
}

impl Builder<'_> {
    /// The views of the original.
    fn originals(&mut self, text: &str) {
        let forms = forms(text, &mut self.budget);
        if let Some(payload) = decode::hidden(text, &mut self.budget) {
            self.payload(payload, None, 1);
        }
        let mut last = 0;
        let mut cleaned = 0;
        for (view, form) in [(View::Clean, forms.clean), (View::Folded, forms.folded), (View::Skeleton, forms.skeleton)]
        {
            if let Some(form) = form {
                last = self.push(form, view, 0).unwrap_or(last);
            } else if let Some(text) = self.texts.get_mut(last) {
                text.serves = text.serves | Views::of(view);
            }
            if view == View::Clean {
                cleaned = last;
            }
        }
        self.jobs.push_back(Job::Search { text: cleaned, local: None, depth: 1 });
        if forms.changes.is_some() && last != cleaned {
            self.jobs.push_back(Job::Search { text: last, local: forms.changes, depth: 1 });
        }
    }

    /// Adds a text unless it is there; answers where it is. None where there is no room.
    fn push(&mut self, form: Mapped, view: View, depth: u8) -> Option<usize> {
        let serves = Views::of(view);
        if let Some((at, same)) = self.texts.iter_mut().enumerate().find(|(_, t)| t.text == form.text) {
            same.serves = same.serves | serves;
            return Some(at);
        }
        if self.texts.len() >= TEXTS {
            self.budget.refused = self.budget.refused.saturating_add(extent(&form.map));
            return None;
        }
        self.texts.push(ViewText { view, serves, depth, text: Cow::Owned(form.text), map: form.map });
        Some(self.texts.len() - 1)
    }

    /// Queues a payload, unless too many encodings lie on it.
    fn payload(&mut self, layer: Mapped, local: Option<OffsetMap>, depth: u8) {
        if depth > self.depth {
            self.too_deep = self.too_deep.saturating_add(extent(&layer.map));
        } else {
            self.jobs.push_back(Job::Add { layer, local, depth });
        }
    }

    /// Takes in a payload in its canonical forms. It is one text where it is plain ASCII.
    fn add(&mut self, layer: Mapped, local: Option<OffsetMap>, depth: u8) {
        if let Some(payload) = decode::hidden(&layer.text, &mut self.budget) {
            self.payload(over(payload, Some(&layer)), None, depth.saturating_add(1));
        }
        let forms = forms(&layer.text, &mut self.budget);
        let mut last = None;
        let mut cleaned = None;
        let all = [Some(forms.clean), forms.folded.map(Some), forms.skeleton.map(Some)];
        for (index, form) in all.into_iter().enumerate() {
            let Some(form) = form else { continue };
            let (map, form) = match form {
                Some(form) => (local.as_ref().map(|l| form.map.then(l)), over(form, Some(&layer))),
                None => (local.clone(), layer.clone()),
            };
            if form.text.is_empty() {
                continue;
            }
            let known = self.texts.len();
            let Some(at) = self.push(form, View::Decoded, depth) else { continue };
            // A text that was there already was searched, or will be.
            let new = self.texts.len() > known;
            if index == 0 {
                cleaned = new.then_some((at, map));
            } else {
                last = new.then_some(at);
            }
        }
        let depth = depth.saturating_add(1);
        if let Some((text, local)) = cleaned {
            self.jobs.push_back(Job::Search { text, local, depth });
        }
        if let Some(text) = last {
            self.jobs.push_back(Job::Search { text, local: forms.changes, depth });
        }
    }

    /// Looks for encodings in one of the texts.
    fn search(&mut self, text: usize, local: Option<&OffsetMap>, depth: u8) {
        let Some(source) = self.texts.get(text) else { return };
        let fresh = Fresh(local);
        let blobs = decode::blobs(&source.text, fresh, &mut self.budget);
        let inline = decode::inline(&source.text, fresh, &mut self.budget);
        let map = source.map.clone();
        if let Some(blobs) = blobs {
            self.payload(Mapped { map: blobs.map.then(&map), text: blobs.text }, None, depth);
        }
        if let Some(inline) = inline {
            let layer = Mapped { map: inline.map.then(&map), text: inline.text };
            self.payload(layer, Some(inline.map), depth);
        }
    }
}

/// How many bytes of the original a map leads to.
fn extent(map: &OffsetMap) -> usize {
    let inexact = map.segments().iter().filter(|s| !s.exact);
    let (start, end) = inexact.fold((usize::MAX, 0), |(low, high), s| (low.min(s.raw.start), high.max(s.raw.end)));
    end.saturating_sub(start)
}
