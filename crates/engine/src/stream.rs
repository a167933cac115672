//! Detectors over a text that is still arriving.
//!
//! Two things happen side by side. *Holding*: the detectors whose findings policy would mask look at a small window
//! at the end of the text with every piece, and text is released up to the first byte that a finding may yet begin
//! at. *Checking*: whenever the text has doubled, and at its end, all detectors look at all of it; that finds what
//! depends on the whole text and what is too long to be held back.

use std::collections::BTreeMap;
use std::sync::Arc;

use bartizan_core::detector::LOOKBEHIND;
use bartizan_core::{
    Confidence, Context, Coverage, Detector, Direction, Finding, Hold, Kind, OffsetMap, Origin, Part, Profile, Reason,
    Rule, Scores, Severity, Span, Subject, View, ViewText,
};

use crate::dedupe::{dedupe, place};
use crate::engine::{Engine, Scan, Traits, shift, tail};
use crate::meter::Meter;
use crate::views;

/// Length at which the whole text is checked first.
const FIRST_CHECK: usize = 1024;
/// Most bytes before the release point that a window reaches back to, however many of them a view leaves out.
const REACH: usize = 2048;
/// Most bytes that a window reaches back further to begin at a word.
const WORD: usize = 256;
/// A window begins anew once it could be shorter by this much.
const SLACK: usize = 256;
/// Work that each push and each byte pushed pays for, in bytes of window. Windows of prose cost less than one push
/// pays for; a long one, or one full of anchors, waits until enough has arrived, so that all work together is linear.
const PAY_PUSH: usize = 2048;
const PAY_BYTE: usize = 64;
/// What an anchor costs, in bytes of window: a detector looks around each.
const HIT: usize = 256;

/// What a piece of text has changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Offset of `text` in the stream, in bytes.
    pub start: usize,
    /// Original text that may be released now: it follows what was released before.
    pub text: String,
    /// Findings that are now final, by place and then by rule; spans are bytes of the stream. A finding of a rule
    /// that masks lies wholly inside `text`; others may be anywhere before the end of what was pushed.
    pub findings: Vec<Finding>,
    /// Findings that could not be held back, each with how many of its bytes were released by earlier steps: those
    /// that depend on the whole text, and those too long to hold. A later one with an overlapping span takes the
    /// place of an earlier finding of the same rule.
    pub late: Vec<(Finding, usize)>,
    /// Scores of the text so far where this step looked at all of it, else empty. The last ones stand for the
    /// stream.
    pub scores: Scores,
    /// What was not read. The merged coverage of all steps stands for the stream.
    pub coverage: Coverage,
    /// How many findings were suppressed in this step.
    pub suppressed: u64,
}

/// What a growing text stands in: [`Context`], owned.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The system text of the same exchange.
    pub system: Vec<String>,
    /// Which way the text goes.
    pub direction: Direction,
    /// What the deployment has declared about its route.
    pub profile: Profile,
}

/// How a detector's findings are dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// They are masked: text is held back for them.
    Mask,
    /// They are reported once they are final.
    Report,
    /// They depend on the whole text.
    Whole,
    /// There are none: the detector is not about such texts.
    None,
}

/// A text that arrives piece by piece.
///
/// The law: however a text no longer than [`Limits::max_text`](bartizan_core::Limits::max_text) is split, the findings of all steps are those of
/// [`Engine::scan`] over the whole, apart from earlier ones that a late one takes the place of. [`View`]s may be
/// named differently where two are the same text. [`crate::law`] checks it.
pub struct Stream {
    engine: Arc<Engine>,
    origin: Origin,
    kind: Kind,
    around: Surroundings,
    /// By detector.
    classes: Vec<Class>,
    masking: bool,
    /// The stream from `base` on.
    text: String,
    base: usize,
    /// Everything before is out.
    released: usize,
    /// The next window begins here.
    window: usize,
    /// Work paid for since the last window, and what that one cost beyond its length.
    paid: usize,
    owed: usize,
    /// Length at which the whole text is checked next; `None` once there is more text than may be kept.
    check: Option<usize>,
    /// Findings told so far by rule and place, and how.
    told: BTreeMap<(u32, Span), (Severity, Confidence)>,
    finished: bool,
    meter: Meter,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("released", &self.released).field("held", &self.held()).finish_non_exhaustive()
    }
}

impl Stream {
    pub(crate) fn new(
        engine: Arc<Engine>,
        origin: Origin,
        kind: Kind,
        masks: impl Fn(&Rule) -> bool,
        around: Surroundings,
    ) -> Self {
        let context = Context { system: &[], direction: around.direction, profile: around.profile };
        let classes: Vec<Class> = engine
            .detectors()
            .map(|(_, detector, traits)| match traits.hold {
                _ if !detector.concerns(&origin, &context) => Class::None,
                Hold::Whole => Class::Whole,
                Hold::Bounded(_) if detector.rules().iter().any(&masks) => Class::Mask,
                Hold::Bounded(_) => Class::Report,
            })
            .collect();
        let masking = classes.contains(&Class::Mask);
        Self {
            engine,
            origin,
            kind,
            around,
            classes,
            masking,
            text: String::new(),
            base: 0,
            released: 0,
            window: 0,
            paid: 0,
            owed: 0,
            check: Some(FIRST_CHECK),
            told: BTreeMap::new(),
            finished: false,
            meter: Meter::default(),
        }
    }

    /// Bytes that have arrived and are not released.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.end() - self.released
    }

    #[cfg(test)]
    pub(crate) const fn kept(&self) -> usize {
        self.text.len()
    }

    const fn end(&self) -> usize {
        self.base + self.text.len()
    }

    /// Takes the next piece. After [`Stream::finish`] nothing is taken and nothing released.
    pub fn push(&mut self, piece: &str) -> Step {
        let mut step = Step { start: self.released, ..Step::default() };
        if self.finished || piece.is_empty() {
            return step;
        }
        self.text.push_str(piece);
        self.paid = self.paid.saturating_add(piece.len().saturating_mul(PAY_BYTE)).saturating_add(PAY_PUSH);
        if !self.masking {
            self.release(self.end());
        } else if self.end() - self.window + self.owed <= self.paid {
            self.paid = 0;
            self.advance(false, &mut step);
        }
        let limit = self.engine.limits().max_text;
        match self.check {
            // From here on only the window is looked at.
            Some(_) if self.end() > limit => {
                self.check = None;
                let read = self.text.floor_char_boundary(limit);
                self.look(read, true, &mut step);
                step.coverage.add(Part::partial(Reason::TooLong, self.end() - read));
            }
            Some(at) if self.end() >= at => {
                self.check = Some(self.end().saturating_mul(2));
                self.look(self.end(), false, &mut step);
            }
            Some(_) => {}
            None => step.coverage.add(Part::partial(Reason::TooLong, piece.len())),
        }
        self.close(step)
    }

    /// [`Stream::push`] with time kept: a rule family whose budget is used up does not look any more, and the meter
    /// says so.
    pub fn push_metered(&mut self, piece: &str, meter: &mut Meter) -> Step {
        std::mem::swap(&mut self.meter, meter);
        let step = self.push(piece);
        std::mem::swap(&mut self.meter, meter);
        step
    }

    /// [`Stream::finish`] with time kept.
    pub fn finish_metered(&mut self, meter: &mut Meter) -> Step {
        std::mem::swap(&mut self.meter, meter);
        let step = self.finish();
        std::mem::swap(&mut self.meter, meter);
        step
    }

    /// Says that nothing more will come, and releases the rest.
    pub fn finish(&mut self) -> Step {
        let mut step = Step { start: self.released, ..Step::default() };
        if self.finished {
            return step;
        }
        self.finished = true;
        if self.check.is_some() {
            self.release(self.end());
            self.look(self.end(), true, &mut step);
        } else if self.masking {
            self.advance(true, &mut step);
        }
        self.close(step)
    }

    fn release(&mut self, to: usize) {
        self.released = to;
        if !self.masking {
            self.window = to;
        }
    }

    /// Puts the released text into the step and forgets what is not needed any more.
    fn close(&mut self, mut step: Step) -> Step {
        let released = Span::new(step.start - self.base, self.released - self.base);
        released.of(&self.text).clone_into(&mut step.text);
        step.findings.sort_by(|a, b| place(a).cmp(&place(b)));
        let used = self.window.min(self.released) - self.base;
        // Rarely, so that moving the rest costs little for each byte.
        if self.check.is_none() && used > self.text.len() / 2 {
            self.text.drain(..used);
            self.base += used;
        }
        step
    }

    /// Looks at the window, releases what no finding can begin in any more, and tells the findings in it.
    fn advance(&mut self, last: bool, step: &mut Step) {
        let mut meter = std::mem::take(&mut self.meter);
        self.advance_within(last, step, &mut meter);
        self.meter = meter;
    }

    fn advance_within(&mut self, last: bool, step: &mut Step, meter: &mut Meter) {
        let Self { engine, base, window, .. } = &*self;
        let text = self.text.get(window - base..).unwrap_or_default();
        let floor = self.released - window;
        let texts = views::build(text, engine.limits(), &mut Coverage::default());
        let mut scan = Scan::default();
        let hits = self.inspect(text, &texts, |class| class == Class::Mask, meter, &mut scan);
        // What begins before was final earlier, or begins in a word that the window has cut.
        scan.findings.retain(|f| f.span().start >= floor);

        let mut to = text.len();
        if !last {
            to = self.settled(text, &texts, floor, Class::Mask);
            to = before_crossing(&scan.findings, to);
            let most = engine.limits().max_held.max(1);
            if text.len() - to.max(floor) > most {
                to = text.floor_char_boundary(text.len() - most);
            }
        }
        let to = to.max(floor);
        let (released, shift_by) = (window + to, *window);
        let next = if last { released } else { shift_by + next_window(text, &texts, to) };
        drop(texts);

        dedupe(&mut scan.findings);
        for finding in scan.findings {
            let span = finding.span();
            // Only where more would have to be held than may be does a finding cross the release point.
            if last || span.end <= to {
                if last || span.start < to {
                    self.tell(shift(finding, shift_by), None, step);
                }
            } else if span.start < to {
                self.tell(shift(finding, shift_by), Some(0), step);
            }
        }
        self.owed = hits.saturating_mul(HIT);
        self.release(released);
        if next >= self.window + SLACK {
            self.window = next;
        }
    }

    /// Looks at the whole text up to `to`, and tells what is not told yet. Only where this is the `last` look is
    /// everything final.
    fn look(&mut self, to: usize, last: bool, step: &mut Step) {
        let mut meter = std::mem::take(&mut self.meter);
        let text = self.text.get(..to - self.base).unwrap_or_default();
        let mut scan = Scan::default();
        let texts = views::build(text, self.engine.limits(), &mut scan.coverage);
        self.inspect(text, &texts, |_| true, &mut meter, &mut scan);
        let settled = if last {
            text.len()
        } else {
            let of_class = |f: &&Finding| self.class(f) == Some(Class::Report);
            let reported: Vec<Finding> = scan.findings.iter().filter(of_class).cloned().collect();
            before_crossing(&reported, self.settled(text, &texts, 0, Class::Report))
        };
        drop(texts);
        self.meter = meter;
        dedupe(&mut scan.findings);
        step.scores = scan.scores;
        if last {
            step.coverage.merge(&scan.coverage);
        }
        for finding in scan.findings {
            let span = finding.span();
            let out = step.start.min(span.end).saturating_sub(span.start);
            match self.class(&finding) {
                Some(Class::Mask) if self.finished && span.start >= step.start => self.tell(finding, None, step),
                Some(Class::Mask) if span.start >= self.released && !self.finished => {}
                Some(Class::Mask) if span.start >= step.start && span.end <= self.released => {
                    self.tell(finding, None, step);
                }
                Some(Class::Mask | Class::Whole) => self.tell(finding, Some(out), step),
                _ if last || span.start < settled => self.tell(finding, None, step),
                _ => {}
            }
        }
    }

    fn class(&self, finding: &Finding) -> Option<Class> {
        let (_, detector) = self.engine.owner(&finding.rule)?;
        self.classes.get(detector).copied()
    }

    /// Puts a finding into the step, once for all that it says: as late where `out` says how many of its bytes are out.
    fn tell(&mut self, finding: Finding, out: Option<usize>, step: &mut Step) {
        let span = finding.span();
        let rule = self.engine.owner(&finding.rule).map_or(u32::MAX, |(rule, _)| rule);
        let how = (finding.severity, finding.confidence);
        let before = self.told.insert((rule, span), how);
        // What more text makes surer or less sure is told anew; what was held back was final.
        if before.is_some_and(|before| before == how || self.class(&finding) != Some(Class::Whole)) {
            return;
        }
        let matched = Span::new(span.start.saturating_sub(self.base), span.end.saturating_sub(self.base));
        if self.engine.suppresses(&finding, self.origin.source, matched.of(&self.text)) {
            step.suppressed += 1;
            return;
        }
        match out {
            None => step.findings.push(finding),
            Some(out) => step.late.push((finding, out)),
        }
    }

    fn inspect(
        &self,
        text: &str,
        texts: &[ViewText<'_>],
        wanted: impl Fn(Class) -> bool,
        meter: &mut Meter,
        scan: &mut Scan,
    ) -> usize {
        let Surroundings { system, direction, profile } = &self.around;
        let system: Vec<&str> = system.iter().map(String::as_str).collect();
        let subject = Subject {
            text,
            kind: self.kind,
            origin: &self.origin,
            context: Context { system: &system, direction: *direction, profile: *profile },
            texts,
            hits: &[],
        };
        self.engine.inspect(&subject, |at| self.classes.get(at).is_some_and(|c| wanted(*c)), meter, scan)
    }

    /// Offset in `text` before which nothing changes any more for the detectors of a class, at least `floor`.
    fn settled(&self, text: &str, texts: &[ViewText<'_>], floor: usize, class: Class) -> usize {
        // The next character may combine with the last one.
        let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
        let mut to = text.len().saturating_sub(views::live(text)).min(last);
        let open: Vec<&ViewText<'_>> = texts.iter().filter(|t| is_open(t, text)).collect();
        for ((_, detector, traits), of) in self.engine.detectors().zip(&self.classes) {
            if *of != class {
                continue;
            }
            for view in open.iter().filter(|t| t.serves.intersects(traits.views)) {
                if let Some(from) = held_from(detector, traits, view, floor) {
                    to = to.min(from);
                }
            }
            if to <= floor {
                return floor;
            }
        }
        text.floor_char_boundary(to).max(floor)
    }
}

/// True where text appended to `raw` may come directly after the end of the view. A payload that has ended cannot
/// grow: the detectors need not wait at its end.
fn is_open(view: &ViewText<'_>, raw: &str) -> bool {
    if view.view != View::Decoded || view.map.is_identity() {
        return true;
    }
    let end = view.map.segments().iter().map(|s| s.raw.end).max().unwrap_or(0);
    let rest = raw.get(end..).unwrap_or_default();
    !rest.chars().any(|c| c.is_ascii() || c.is_alphanumeric())
}

/// Offset in the original from which a detector wants one of its texts held back.
fn held_from(detector: &dyn Detector, traits: Traits, view: &ViewText<'_>, floor: usize) -> Option<usize> {
    let seen = tail(view, traits.hold);
    let live = detector.live(seen).min(seen.len());
    if live == 0 {
        return None;
    }
    let at = view.text.floor_char_boundary(view.text.len() - live);
    if view.map.is_identity() {
        return Some(at.max(floor));
    }
    let from = view.map.segments().partition_point(|s| s.view.end <= at);
    let rest = view.map.segments().get(from..).unwrap_or_default();
    rest.iter()
        .filter_map(|s| {
            let start = if s.exact { s.raw.start + at.saturating_sub(s.view.start) } else { s.raw.start };
            // A payload that is partly out already is too long to be held back.
            if s.exact { (s.raw.end > floor).then_some(start.max(floor)) } else { (start >= floor).then_some(start) }
        })
        .min()
}

/// The last offset at or before `to` that no finding crosses.
fn before_crossing(findings: &[Finding], mut to: usize) -> usize {
    let mut spans: Vec<Span> = findings.iter().map(Finding::span).collect();
    spans.sort_unstable_by_key(|s| std::cmp::Reverse(s.start));
    for span in spans {
        if span.start < to && to < span.end {
            to = span.start;
        }
    }
    to
}

/// Where the next window may begin if text is released up to `to`: so far before that every detector sees
/// [`LOOKBEHIND`] bytes of each of its views, at a word where there is one near.
fn next_window(text: &str, texts: &[ViewText<'_>], to: usize) -> usize {
    let mut from = to.saturating_sub(LOOKBEHIND);
    for view in texts.iter().filter(|t| !t.map.is_identity()) {
        let back = view_offset(&view.map, to, view.text.len()).saturating_sub(LOOKBEHIND);
        from = from.min(view.map.to_raw(Span::new(back, back)).start);
    }
    let from = text.floor_char_boundary(from.max(to.saturating_sub(REACH)));
    let near = text.ceil_char_boundary(from.saturating_sub(WORD));
    let before = text.get(near..from).unwrap_or_default();
    let word = before.rmatch_indices([' ', '\t', '\n', '\r']).map(|(at, _)| near + at).find(|at| {
        // Not inside a number or a row of spaced letters.
        text.get(at + 1..).is_some_and(|next| next.bytes().take(2).all(|b| b.is_ascii_alphabetic()))
    });
    word.unwrap_or(from)
}

/// Offset in a view of what stands at or after `raw` in the original.
fn view_offset(map: &OffsetMap, raw: usize, len: usize) -> usize {
    let at = map.segments().partition_point(|s| s.raw.end <= raw);
    map.segments()
        .get(at)
        .map_or(len, |s| if s.exact { s.view.start + raw.saturating_sub(s.raw.start) } else { s.view.start })
}
