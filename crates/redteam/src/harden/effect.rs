//! What a change does: to the attacks of a run, to harmless texts, and to variants that it was not made from.

use std::collections::BTreeSet;

use bartizan_client::{Ask, Turn as Said};
use bartizan_stats::{Interval, exact};
use serde::{Deserialize, Serialize};

use super::bench::Bench;
use super::case::{Case, Recorded, variant};
use super::{Given, Group, OTHER_WAYS};
use crate::evidence::{Seen, Step};
use crate::journal::Turn;
use crate::plan::Cell;
use crate::scene::Chain;
use crate::trial::Draw;

/// Most variants of one kind that a change is tried on.
const MOST: usize = 400;

/// Other wordings that say something about a rule which stops none of them.
const ENOUGH: u64 = 3;

/// Attacks that are kept as cases for later changes.
const CASES: usize = 5;

/// A share of so many, with its interval at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// How many.
    pub hits: u64,
    /// Of how many.
    pub of: u64,
    /// The interval (Clopper and Pearson).
    pub interval: Interval,
}

impl Part {
    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    pub(super) fn new(hits: u64, of: u64) -> Self {
        let interval = if of == 0 { Interval::WHOLE } else { exact(hits as f64, of as f64) };
        Self { hits, of, interval }
    }
}

/// What a change does to a run and to harmless texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Attacks that worked when they were made.
    pub recorded: Part,
    /// Those of them that the guard as configured lets through.
    pub before: Part,
    /// Those that it would let through with the change.
    pub after: Part,
    /// Harmless texts that it stops.
    pub blocked_before: Part,
    /// Harmless texts that it would stop.
    pub blocked_after: Part,
    /// Of the harmless texts that it was not made with and that pass now, those that it would stop.
    pub blocked_unseen: Part,
    /// Names of harmless texts that the change alone would stop; some of them.
    pub newly_blocked: Vec<String>,
}

impl Effect {
    /// Attacks that the change stops.
    #[must_use]
    pub const fn gained(&self) -> u64 {
        self.before.hits.saturating_sub(self.after.hits)
    }

    /// Harmless texts that it stops.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.blocked_after.hits.saturating_sub(self.blocked_before.hits)
    }
}

/// Variants that a change was not made from, of those that the guard as configured lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The same wordings in other ways of writing: stopped, of so many.
    pub ways: (u64, u64),
    /// Other wordings of the same families: stopped, of so many.
    pub wordings: (u64, u64),
    /// What decides does not look at words: there are no variants that matter.
    pub wordless: bool,
}

impl HeldOut {
    /// True where it stops nothing but what it was made from: of some other wordings none, or nothing at all. The same words in
    /// another encoding are the same attack.
    #[must_use]
    pub const fn fits_only_its_own(&self) -> bool {
        !self.wordless && self.wordings.0 == 0 && (self.wordings.1 >= ENOUGH || self.ways.0 == 0)
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        if self.wordless {
            return "decided by where arguments come from, so other words change nothing".to_owned();
        }
        let part = |(hits, of): (u64, u64)| if of == 0 { "none to try".to_owned() } else { format!("{hits} of {of}") };
        let mut out = format!("other ways of writing: {}; other wordings: {}", part(self.ways), part(self.wordings));
        if self.fits_only_its_own() {
            out.push_str("; IT FITS ONLY ITS OWN ATTACK");
        }
        out
    }
}

/// A case that later changes must not undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// What it is.
    pub name: String,
    /// The change that it is about.
    pub change: String,
    /// The guard stops it; otherwise it lets it pass.
    pub stopped: bool,
    /// The conversation.
    pub turns: Vec<Said>,
    /// What the model answered, where that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Box<Turn>>,
}

impl Regression {
    pub(super) fn as_case(&self) -> Case<'static> {
        let turn = self.recorded.as_deref().cloned().unwrap_or_else(|| Turn {
            ask: Ask::chat(self.turns.clone()),
            seen: Seen::Passed { changed: false, rules: Vec::new() },
        });
        let cell = Cell { probe: 0, wording: 0, chain: 0, benign: !self.stopped };
        Case {
            trial: None,
            name: self.name.clone(),
            id: String::new(),
            cell,
            step: Step::Passed,
            turns: vec![turn],
            unseen: false,
        }
    }
}

/// What a staged change does, as it would be in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// On the run and on harmless texts.
    pub effect: Effect,
    /// On variants.
    pub held_out: HeldOut,
    /// Cases to be kept.
    pub cases: Vec<Regression>,
}

/// All that changes are tried on, and what the guard as configured does with it.
pub(super) struct Trying<'a> {
    pub(super) given: Given<'a>,
    pub(super) live: &'a Bench,
    pub(super) run: &'a Recorded<'a>,
    pub(super) open: &'a [&'a Case<'a>],
    /// Harmless texts that it lets through, and how many it does not.
    pub(super) harmless: Vec<&'a Case<'a>>,
    pub(super) blocked: u64,
}

impl<'a> Trying<'a> {
    pub(super) fn new(given: Given<'a>, live: &'a Bench, run: &'a Recorded<'a>, open: &'a [&'a Case<'a>]) -> Self {
        let (blocked, harmless): (Vec<_>, Vec<_>) = run.benign.iter().partition(|case| live.stops(case).is_some());
        Self { given, live, run, open, harmless, blocked: blocked.len() as u64 }
    }

    /// What `stops` does besides the guard as configured.
    pub(super) fn effect(&self, stops: impl Fn(&Case<'_>) -> bool) -> Effect {
        let each = |cases: &[&Case<'_>]| cases.iter().map(|case| stops(case)).collect::<Vec<bool>>();
        self.effect_of(&each(self.open), &each(&self.harmless))
    }

    /// The same, where it is known what is stopped: of `open`, and of `harmless`.
    pub(super) fn effect_of(&self, open: &[bool], harmless: &[bool]) -> Effect {
        let after = open.iter().filter(|stopped| !**stopped).count() as u64;
        let stopped: Vec<&Case<'_>> =
            self.harmless.iter().zip(harmless).filter(|(_, s)| **s).map(|(c, _)| *c).collect();
        let unseen = |cases: &[&Case<'_>]| cases.iter().filter(|c| c.unseen).count() as u64;
        let blocked_unseen = Part::new(unseen(&stopped), unseen(&self.harmless));
        let newly: Vec<&str> = stopped.iter().map(|c| c.name.as_str()).collect();
        let texts = self.run.benign.len() as u64;
        Effect {
            recorded: Part::new(self.run.worked.len() as u64, self.run.attacks),
            before: Part::new(self.open.len() as u64, self.run.attacks),
            after: Part::new(after, self.run.attacks),
            blocked_before: Part::new(self.blocked, texts),
            blocked_after: Part::new(self.blocked + newly.len() as u64, texts),
            blocked_unseen,
            newly_blocked: newly.into_iter().take(CASES).map(str::to_owned).collect(),
        }
    }

    /// Variants of attacks that the guard as configured lets through: the wordings of `made_from` in other ways of writing,
    /// and the other wordings of their families.
    pub(super) fn variants(&self, made_from: &[(usize, usize)]) -> [Vec<Case<'a>>; 2] {
        let draw = Draw { seed: &self.run.seed, host: &self.run.host };
        let work = self.given.work;
        let used: BTreeSet<&str> = work.chains.iter().map(Chain::name).collect();
        let others: Vec<Chain> = OTHER_WAYS
            .iter()
            .filter(|way| !used.contains(*way))
            .filter_map(|way| Chain::parse(way, &work.pack).ok())
            .collect();
        let families: BTreeSet<usize> = made_from.iter().map(|(probe, _)| *probe).collect();
        let (mut ways, mut wordings) = (Vec::new(), Vec::new());
        for (at, probe) in work.pack.probe.iter().enumerate().filter(|(at, _)| families.contains(at)) {
            for (wording, text) in probe.attacks.iter().enumerate() {
                let cell = Cell { probe: at, wording, chain: 0, benign: false };
                let known = made_from.contains(&(at, wording));
                let (into, chains) = if known { (&mut ways, &others) } else { (&mut wordings, &work.chains) };
                into.extend(chains.iter().filter_map(|chain| variant(&self.given, draw, cell, text, chain)));
            }
        }
        for cases in [&mut ways, &mut wordings] {
            cases.truncate(MOST);
            cases.retain(|case| self.live.stops(case).is_none());
        }
        [ways, wordings]
    }

    /// What a change does to variants.
    pub(super) fn held_out(&self, made_from: &[(usize, usize)], stops: impl Fn(&Case<'_>) -> bool) -> HeldOut {
        let count = |cases: &[Case<'_>]| (cases.iter().filter(|c| stops(c)).count() as u64, cases.len() as u64);
        let [ways, wordings] = self.variants(made_from);
        HeldOut { ways: count(&ways), wordings: count(&wordings), wordless: false }
    }

    /// Places in the plan of the wordings of a group that a rule is made from: of three or more every third is held out.
    pub(super) fn made_from(&self, group: Option<&Group>) -> Vec<(usize, usize)> {
        let all = || {
            let mut all: Vec<(usize, usize)> = self.open.iter().map(|c| (c.cell.probe, c.cell.wording)).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let Some(group) = group else { return all() };
        let place = |id: &str| self.given.work.pack.probe.iter().position(|p| p.id == id);
        let places: Vec<(usize, usize)> =
            group.attacks.iter().filter_map(|a| Some((place(&a.probe)?, a.wording))).collect();
        if places.len() < 3 {
            return places;
        }
        places.into_iter().enumerate().filter(|(at, _)| at % 3 != 2).map(|(_, place)| place).collect()
    }

    /// Tries settings that are staged.
    pub(super) fn prove(&self, group: Option<&Group>, change: &str, with: &Bench) -> Proof {
        let stops = |case: &Case<'_>| with.stops(case).is_some();
        let made_from = self.made_from(group);
        let stopped = self.open.iter().filter(|case| stops(case));
        let attack = |case: &&&Case<'_>| {
            let turn = case.turns.last()?;
            let answered = matches!(turn.seen, Seen::Answer(_));
            let by_words = with.stops(&Regression::of(case, change, turn, None).as_case()).is_some();
            let recorded = (answered && !by_words).then(|| Box::new(turn.clone()));
            Some(Regression::of(case, change, turn, recorded))
        };
        let mut cases: Vec<Regression> = stopped.take(CASES).filter_map(|case| attack(&case)).collect();
        cases.retain(|case| with.stops(&case.as_case()).is_some());
        let harmless = self.harmless.iter().filter(|case| !stops(case) && case.turns.len() == 1).take(CASES);
        cases.extend(harmless.filter_map(|case| {
            let turn = case.turns.last()?;
            Some(Regression { stopped: false, ..Regression::of(case, change, turn, None) })
        }));
        Proof { effect: self.effect(stops), held_out: self.held_out(&made_from, stops), cases }
    }
}

impl Regression {
    fn of(case: &Case<'_>, change: &str, turn: &Turn, recorded: Option<Box<Turn>>) -> Self {
        let turns = if recorded.is_some() { Vec::new() } else { turn.ask.turns.clone() };
        Self { name: case.name.clone(), change: change.to_owned(), stopped: true, turns, recorded }
    }
}
