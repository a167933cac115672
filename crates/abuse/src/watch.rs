//! What is known of one key.

use crate::days::{Counts, Days};
use crate::query::{Query, Text};
use crate::refused::Refused;
use crate::ring::{Likeness, Ring};
use crate::settings::Settings;
use crate::signal::{Measure, Signal, Signals};
use crate::sketch::{Distinct, Usage, Words};
use crate::{DAY, HOUR};

/// Least words of a request that says something.
const WORDS: usize = 6;
/// One of so many words is common, at least, in natural language.
const ONE_OF: usize = 7;
/// Share of new words from which on a request is one of those that make the count of new words.
const BROAD: f32 = 0.2;
/// Logit biases that are remembered.
const BIASES: usize = 16;

/// A signal that is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Which.
    pub signal: Signal,
    /// What made it.
    pub measure: Measure,
    /// The count of the day at which it was raised; of many days where surpluses have added up.
    pub count: u32,
    /// The level.
    pub level: u32,
    /// When, in milliseconds since 1970.
    pub since: i64,
    /// Until when it stays raised.
    pub until: i64,
    /// Requests of the key until then.
    pub requests: u64,
}

/// What is said of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Signals that are raised with it, or were by something that came after the last request.
    pub raised: Vec<Raised>,
    /// Raised signals, these or earlier ones, that the request is a part of.
    pub part: Signals,
}

/// A count of today beside what is usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// What is counted.
    pub measure: Measure,
    /// Today, so far.
    pub today: u32,
    /// The most on one day of the last weeks.
    pub usual: u32,
    /// From where on it is reported; `None` for never.
    pub level: Option<u32>,
}

/// How a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Milliseconds since 1970 of its first request.
    pub first: i64,
    /// The same of its last.
    pub last: i64,
    /// Requests in all.
    pub requests: u64,
    /// Whether there is a past to measure it against.
    pub established: bool,
    /// Every count.
    pub counts: Vec<Count>,
    /// Signals that are raised.
    pub raised: Vec<Raised>,
}

/// What is known of one key. At most about 21 KiB.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) requests: u64,
    /// Days since 1970.
    pub(crate) day: u32,
    pub(crate) today: Counts,
    /// Parts of a new word that do not make a whole one yet.
    pub(crate) rest: f32,
    /// Hours since 1970.
    pub(crate) hour: i64,
    pub(crate) hour_tokens: u32,
    pub(crate) hour_spend: u32,
    pub(crate) days: Days,
    pub(crate) words: Words,
    pub(crate) usage: Usage,
    pub(crate) ring: Ring,
    pub(crate) inputs: Distinct,
    pub(crate) biases: Vec<u64>,
    pub(crate) next_bias: usize,
    pub(crate) refused: Option<Box<Refused>>,
    pub(crate) raised: Vec<Raised>,
    /// Raised since the last request.
    pub(crate) unsaid: Signals,
}

impl Watch {
    /// Most logit biases that are remembered.
    pub(crate) const BIASES: usize = BIASES;

    /// Of a key that is first seen at a time, in milliseconds since 1970.
    #[must_use]
    pub fn new(now: i64) -> Self {
        Self {
            first: now,
            last: now,
            requests: 0,
            day: day_of(now),
            today: Counts::default(),
            rest: 0.0,
            hour: now / HOUR,
            hour_tokens: 0,
            hour_spend: 0,
            days: Days::default(),
            words: Words { since: day_of(now), ..Words::default() },
            usage: Usage::default(),
            ring: Ring::default(),
            inputs: Distinct::default(),
            biases: Vec::new(),
            next_bias: 0,
            refused: None,
            raised: Vec::new(),
            unsaid: Signals::default(),
        }
    }

    fn is_established(&self, settings: &Settings) -> bool {
        self.days.is_established(day_of(self.first), self.day, settings.learn_days)
    }

    /// Goes on to a time. A clock that goes back stands still here.
    fn turn(&mut self, now: i64, settings: &Settings) {
        self.last = now.max(self.last);
        let (day, hour) = (day_of(self.last), self.last / HOUR);
        if hour > self.hour {
            (self.hour, self.hour_tokens, self.hour_spend) = (hour, 0, 0);
        }
        if day > self.day {
            let established = self.is_established(settings);
            self.days.end(self.day, self.today, &settings.levels, established);
            self.days.forget(day);
            (self.day, self.today, self.rest) = (day, Counts::default(), 0.0);
            self.inputs.clear();
            if self.refused.as_ref().is_some_and(|refused| refused.is_over(self.last)) {
                self.refused = None;
            }
        }
        let last = self.last;
        self.raised.retain(|one| last < one.until);
    }

    /// Takes a request. The work is linear in what was read of it and bounded.
    pub fn observe(&mut self, now: i64, query: &Query, settings: &Settings) -> Seen {
        self.turn(now, settings);
        self.requests = self.requests.saturating_add(1);
        let mut part = Signals::default();
        for text in std::iter::once(&query.text).chain(&query.before).filter(|text| !text.is_empty()) {
            part = part.either(self.text(text, query.user));
        }
        if query.asked.logprobs {
            self.today.add(Measure::LogprobRequests, 1);
            part.add(Signal::Logprobs);
        }
        if let Some(bias) = query.asked.bias {
            if !self.biases.contains(&bias) {
                match self.biases.get_mut(self.next_bias) {
                    Some(place) => *place = bias,
                    None => self.biases.push(bias),
                }
                self.next_bias = (self.next_bias + 1) % BIASES;
                self.today.add(Measure::VariedBiases, 1);
            }
            part.add(Signal::Logprobs);
        }
        if !query.embedded.is_empty() {
            // Every input is added, not only those up to the first that is new.
            if query.embedded.iter().filter(|input| self.inputs.add(**input)).count() > 0 {
                self.today.set(Measure::EmbeddedInputs, self.inputs.estimate());
            }
            part.add(Signal::Embeddings);
        }
        part.add(Signal::Usage);
        self.judge(part, settings);
        let unsaid = std::mem::take(&mut self.unsaid);
        let raised = self.raised.iter().filter(|one| unsaid.has(one.signal)).copied().collect();
        let all = self.raised.iter().fold(Signals::default(), |mut all, one| {
            all.add(one.signal);
            all
        });
        Seen { raised, part: part.both(all) }
    }

    fn text(&mut self, text: &Text, user: u64) -> Signals {
        let mut part = Signals::default();
        let likeness = self.ring.push(text.exact, &text.signature);
        // In an agent's loop the same words come with every request: they are counted once.
        let again = likeness == Likeness::Same;
        let common = if again { self.usage.common(&text.words) } else { self.usage.add(&text.words) };
        let fresh = if again { 0.0 } else { self.words.add(&text.words, self.day) };
        self.rest += fresh;
        let whole = self.rest.floor().clamp(0.0, 1e6);
        self.rest -= whole;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a million")]
        self.today.add(Measure::NewWords, whole as u32);
        #[allow(clippy::cast_precision_loss, reason = "at most 512 words")]
        let share = fresh / text.words.len().max(1) as f32;
        if text.words.len() >= WORDS {
            let unnatural = !text.unspaced && common.is_some_and(|common| common * ONE_OF < text.words.len());
            if unnatural && !again {
                self.today.add(Measure::UnnaturalRequests, 1);
            }
            if unnatural || share >= BROAD {
                part.add(Signal::Coverage);
            }
        }
        if likeness == Likeness::Near {
            self.today.add(Measure::NearDuplicates, 1);
            part.add(Signal::Probing);
        }
        let last = self.last;
        if let Some(refused) = &mut self.refused
            && let Some(variants) = refused.variant(text, user, last)
        {
            self.today.set(Measure::Variants, self.today.get(Measure::Variants).max(variants));
            part.add(Signal::Retries);
        }
        part
    }

    /// Notes that a request with these texts was refused: which of them it was for is not known.
    pub fn refused<'a>(&mut self, now: i64, texts: impl IntoIterator<Item = &'a Text>, user: u64, settings: &Settings) {
        self.turn(now, settings);
        let mut texts = texts.into_iter().filter(|text| !text.is_empty()).peekable();
        if texts.peek().is_none() {
            return;
        }
        let last = self.last;
        let refused = self.refused.get_or_insert_default();
        // One at most for a request.
        if texts.filter(|text| refused.refuse(text, user, last)).count() > 0 {
            self.today.add(Measure::Refused, 1);
        }
        let mut part = Signals::default();
        part.add(Signal::Retries);
        self.judge(part, settings);
    }

    /// Notes what a request took: tokens, and money in millionths.
    pub fn spent(&mut self, now: i64, tokens: u64, spend: u64, settings: &Settings) {
        self.turn(now, settings);
        let more = |kept: u32, more: u64| kept.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.hour_tokens = more(self.hour_tokens, tokens);
        self.hour_spend = more(self.hour_spend, spend);
        for (measure, count) in [(Measure::HourTokens, self.hour_tokens), (Measure::HourSpend, self.hour_spend)] {
            self.today.set(measure, self.today.get(measure).max(count));
        }
        let mut part = Signals::default();
        part.add(Signal::Usage);
        self.judge(part, settings);
    }

    /// Raises what is over its level, and keeps raised what goes on.
    fn judge(&mut self, part: Signals, settings: &Settings) {
        let established = self.is_established(settings);
        let until = self.last.saturating_add(i64::from(settings.hold_hours.max(1)) * HOUR);
        for measure in Measure::ALL {
            let signal = measure.signal();
            let today = match measure {
                // A busy hour that is over is no reason to go on.
                Measure::HourTokens => self.hour_tokens,
                Measure::HourSpend => self.hour_spend,
                _ => self.today.get(measure),
            };
            if !part.has(signal) || today == 0 {
                continue;
            }
            let Some(level) = self.days.level(measure, &settings.levels, established) else { continue };
            let adds_up = || established && self.days.adds_up(measure, today, self.day, &settings.levels);
            if today <= level && !adds_up() {
                continue;
            }
            match self.raised.iter_mut().find(|one| one.signal == signal) {
                Some(one) => one.until = until,
                None => {
                    let since = self.last;
                    let requests = self.requests;
                    self.raised.push(Raised { signal, measure, count: today, level, since, until, requests });
                    self.unsaid.add(signal);
                }
            }
        }
    }

    /// What an operator calls usual: the signal is not raised any more, and today's counts are what later days are measured
    /// against. Answers false where it was not raised.
    pub fn accept(&mut self, signal: Signal) -> bool {
        let was = self.raised.len();
        self.raised.retain(|one| one.signal != signal);
        if self.raised.len() == was {
            return false;
        }
        for measure in Measure::ALL.into_iter().filter(|measure| measure.signal() == signal) {
            self.days.accept(self.day, measure, self.today.get(measure));
        }
        true
    }

    /// How the key stands.
    #[must_use]
    pub fn standing(&self, now: i64, settings: &Settings) -> Standing {
        let mut turned = self.clone();
        turned.turn(now, settings);
        let established = turned.is_established(settings);
        let count = |measure| Count {
            measure,
            today: turned.today.get(measure),
            usual: turned.days.usual(measure),
            level: turned.days.level(measure, &settings.levels, established),
        };
        Standing {
            first: self.first,
            last: self.last,
            requests: self.requests,
            established,
            counts: Measure::ALL.into_iter().map(count).collect(),
            raised: turned.raised,
        }
    }

    /// True where a signal is raised at a time.
    #[must_use]
    pub fn is_raised(&self, now: i64) -> bool {
        self.raised.iter().any(|one| now < one.until)
    }
}

/// Days since 1970.
fn day_of(now: i64) -> u32 {
    u32::try_from(now.max(0) / DAY).unwrap_or(u32::MAX)
}
