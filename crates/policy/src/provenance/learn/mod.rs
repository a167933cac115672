//! Short policies proposed from runs that a person has reviewed. Nothing here applies one.
//!
//! A line is proposed only where it frees calls of harmless runs that were made often enough, in enough different tasks,
//! and lets no call of a run pass that is labelled an attack. It names one tool and one argument or field, as they were
//! seen. What nobody vouches for stays with approvals: a value that stands where anybody may have written, a secret, a
//! command, what cannot be undone, and what a text would carry out.
//!
//! Lines are learned on one half of the tasks; the other half shows what they do.

mod candidates;
mod file;
mod measure;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::coding::Coding;
use super::decide::Decision;
use super::history::History;
use super::rules::{Rules, Syntax};
use super::tool::Tool;
use super::tools;
use super::trace::{Review, Run, With, decisions};

use candidates::{Finder, Lines, Stay};
use measure::{Calls, Half};
pub use measure::{Counts, Effect};

/// When a line is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Fewest calls of harmless runs that a line frees.
    pub calls: usize,
    /// Fewest different tasks that they are made in.
    pub tasks: usize,
    /// Whether lines are proposed too that free nothing and stop calls of attacks.
    pub tighten: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { calls: 3, tasks: 3, tighten: false }
    }
}

/// A decision about a call of a reviewed run.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The tool.
    pub tool: String,
    /// The call is the attacker's.
    pub harmful: bool,
    /// What was decided.
    pub decision: Decision,
}

/// A run that a person has reviewed. Its calls are always judged in the same order.
pub trait Reviewed {
    /// What the person said.
    fn review(&self) -> Review;

    /// What it is about: runs of one task are learned from together or not at all.
    fn task(&self) -> String;

    /// The tools that it was offered.
    fn tools(&self) -> Vec<Tool>;

    /// All that it has read.
    fn history(&self) -> History;

    /// What a policy decides of its calls.
    fn judge(&self, rules: Option<&Arc<Rules>>) -> Vec<Judged>;
}

/// A run of a file of runs, with what it is decided with besides a policy.
#[derive(Clone, Debug)]
pub struct ReviewedRun {
    run: Run,
    review: Review,
    coding: Option<Arc<Coding>>,
}

impl ReviewedRun {
    /// A run, what a person says of it, and how commands and edits are decided.
    #[must_use]
    pub const fn new(run: Run, review: Review, coding: Option<Arc<Coding>>) -> Self {
        Self { run, review, coding }
    }
}

impl Reviewed for ReviewedRun {
    fn review(&self) -> Review {
        self.review
    }

    fn task(&self) -> String {
        self.run.task()
    }

    fn tools(&self) -> Vec<Tool> {
        tools(Some(&self.run.tools))
    }

    fn history(&self) -> History {
        let mut history = History::new(self.tools(), None);
        self.run.messages.iter().for_each(|message| history.push_chat(message));
        history
    }

    fn judge(&self, rules: Option<&Arc<Rules>>) -> Vec<Judged> {
        let with = With { rules: rules.cloned(), coding: self.coding.clone(), ..With::default() };
        let marked = self.run.calls.iter().any(|call| call.malicious.as_bool() == Some(true));
        let harmful = |call: &super::RunCall| {
            self.review == Review::Attack && (!marked || call.malicious.as_bool() == Some(true))
        };
        let decided = decisions(&self.run, with).into_iter();
        let judged = self.run.calls.iter().zip(decided);
        judged.map(|(call, decision)| Judged { tool: call.name.clone(), harmful: harmful(call), decision }).collect()
    }
}

/// A line that is proposed, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// It, as it stands in the file.
    pub line: String,
    /// Calls of harmless runs that pass with it and not without, of the half that is learned on.
    pub frees: usize,
    /// Reviewed harmless runs that these are in.
    pub runs: usize,
    /// Different tasks of these.
    pub tasks: usize,
    /// Calls of attacks that do not pass with it and do without.
    pub stops: usize,
    /// Calls of attacks that pass with it and not without, of both halves. A line with any is not proposed.
    pub lets_through: usize,
}

/// Calls of harmless runs that no line is proposed for: they stay with approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The tool.
    pub tool: String,
    /// Why they wait: a word, and the argument.
    pub reason: String,
    /// Why no line is proposed.
    pub because: &'static str,
    /// How many calls.
    pub calls: usize,
    /// In how many runs.
    pub runs: usize,
}

/// What was learned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Learned {
    /// Lines, in the order of the file.
    pub lines: Vec<Proposal>,
    /// What stays with approvals.
    pub left: Vec<Left>,
    /// Lines that were taken back because they let a call of an attack of the other half pass.
    pub withdrawn: Vec<String>,
    /// The half that was learned on.
    pub learned_on: Effect,
    /// The other half.
    pub held_out: Effect,
    /// The file: lines, with what they rest on as comments. It is a policy, or says that there is none.
    pub policy: String,
}

/// Proposes lines from reviewed runs. `base` is the policy that they would be added to.
#[must_use]
pub fn learn<R: Reviewed>(runs: &[R], base: Option<&Arc<Rules>>, settings: Settings) -> Learned {
    let (here, there) = halves(runs);
    let learning = Half::new(here, base);
    let held_out = Half::new(there, base);
    let mut finder = Finder::new(runs.iter().map(|run| run as &dyn Reviewed).collect(), base);
    finder.used(&learning);
    let mut left: BTreeMap<(String, String, &'static str), Calls> = BTreeMap::new();
    let mut bundles: BTreeMap<Vec<Lines>, Calls> = BTreeMap::new();
    for (at, sample) in learning.samples.iter().enumerate().filter(|(_, s)| s.review == Review::Benign) {
        for (call, judged) in sample.base.iter().enumerate().filter(|(_, j)| !j.decision.reasons.is_empty()) {
            match finder.bundles(judged) {
                Ok(options) => _ = bundles.entry(options).or_default().insert((at, call)),
                Err(because) => {
                    left.entry((judged.tool.clone(), reason(judged), because)).or_default().insert((at, call));
                }
            }
        }
    }
    let mut accepted = Lines::new();
    let mut wanted: Vec<(Vec<Lines>, Calls)> = bundles.into_iter().collect();
    wanted.sort_by_key(|(options, calls)| (std::cmp::Reverse(calls.len()), options.clone()));
    for (options, calls) in wanted {
        let mut because = Stay::SELDOM;
        let taken = options.into_iter().find(|more| match try_one(&learning, &finder, &accepted, more, settings) {
            Ok(()) => true,
            Err(why) => {
                because = why;
                false
            }
        });
        match taken {
            Some(more) => accepted.extend(more),
            None => {
                for (at, call) in calls {
                    let judged = learning.samples.get(at).and_then(|s| s.base.get(call));
                    if let Some(judged) = judged {
                        let key = (judged.tool.clone(), reason(judged), because);
                        left.entry(key).or_default().insert((at, call));
                    }
                }
            }
        }
    }
    if settings.tighten {
        for more in finder.tighter(&learning) {
            if try_tight(&learning, &finder, &accepted, &more, settings) {
                accepted.extend(more);
            }
        }
    }
    let accepted = needed(&learning, &finder, accepted);
    let (accepted, withdrawn) = harmless(&held_out, &finder, accepted);
    let rules = finder.rules(&accepted);
    let lines = proposals(&learning, &held_out, &finder, &accepted);
    let freed = learning.freed(&learning.judged(rules.as_ref()));
    let left = left
        .into_iter()
        .filter_map(|((tool, reason, because), calls)| {
            // A line may free what another call asked for.
            let still: BTreeSet<&(usize, usize)> = calls.iter().filter(|call| !freed.contains(call)).collect();
            let runs: BTreeSet<usize> = still.iter().map(|(at, _)| *at).collect();
            (!still.is_empty()).then_some(Left { tool, reason, because, calls: still.len(), runs: runs.len() })
        })
        .collect();
    let mut learned = Learned {
        lines,
        left,
        withdrawn,
        learned_on: learning.effect(rules.as_ref()),
        held_out: held_out.effect(rules.as_ref()),
        policy: String::new(),
    };
    learned.policy = file::write(&learned, settings);
    learned
}

/// The tasks in two halves, the same each time: every second one in the order of a hash of their words.
fn halves<R: Reviewed>(runs: &[R]) -> (Vec<&dyn Reviewed>, Vec<&dyn Reviewed>) {
    let mut tasks: BTreeMap<(bool, u64, String), Vec<&dyn Reviewed>> = BTreeMap::new();
    let benign: BTreeSet<String> = runs.iter().filter(|r| r.review() == Review::Benign).map(Reviewed::task).collect();
    for run in runs {
        let task = run.task();
        // Both halves get their share of the tasks of which there are attacks only.
        tasks.entry((!benign.contains(&task), hash(&task), task)).or_default().push(run);
    }
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for (number, (_, runs)) in tasks.into_iter().enumerate() {
        if number % 2 == 0 { here.extend(runs) } else { there.extend(runs) }
    }
    (here, there)
}

/// FNV-1a with a final mix: its low bits alone are those of the last byte.
fn hash(text: &str) -> u64 {
    let fnv = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    let h = text.bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
    (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

fn reason(judged: &Judged) -> String {
    let reason = judged.decision.reasons.first();
    reason.map_or_else(String::new, |r| {
        let argument = candidates::argument_of(&r.argument);
        if argument.is_empty() { r.why.as_str().to_owned() } else { format!("{} {argument}", r.why.as_str()) }
    })
}

/// Whether lines may be added to those that are taken.
fn try_one(
    half: &Half<'_>,
    finder: &Finder<'_>,
    accepted: &Lines,
    more: &Lines,
    settings: Settings,
) -> Result<(), &'static str> {
    let mut with = accepted.clone();
    with.extend(more.clone());
    if !with.can_be_written() {
        return Err(Stay::TWO_LINES);
    }
    let before = half.judged(finder.rules(accepted).as_ref());
    let after = half.judged(finder.rules(&with).as_ref());
    let change = half.change(&before, &after);
    if !change.passed.is_empty() {
        return Err(Stay::LETS_THROUGH);
    }
    if !change.held.is_empty() {
        return Err(Stay::HOLDS);
    }
    if change.freed.is_empty() {
        return Err(Stay::NO_LINE);
    }
    if change.freed.len() < settings.calls || half.tasks_of(&change.freed) < settings.tasks {
        return Err(Stay::SELDOM);
    }
    Ok(())
}

/// Whether lines that only tighten may be added: they stop an attack, and rest on enough harmless calls that pass.
fn try_tight(half: &Half<'_>, finder: &Finder<'_>, accepted: &Lines, more: &Lines, settings: Settings) -> bool {
    let mut with = accepted.clone();
    with.extend(more.clone());
    let evidence = half.calls_of(more.tools());
    let enough = evidence.len() >= settings.calls && half.tasks_of(&evidence) >= settings.tasks;
    if !enough || !with.can_be_written() {
        return false;
    }
    let before = half.judged(finder.rules(accepted).as_ref());
    let after = half.judged(finder.rules(&with).as_ref());
    let change = half.change(&before, &after);
    change.passed.is_empty() && change.held.is_empty() && change.freed.is_empty() && !change.stopped.is_empty()
}

/// Without what changes nothing.
fn needed(half: &Half<'_>, finder: &Finder<'_>, accepted: Lines) -> Lines {
    let mut kept = accepted;
    for atom in kept.clone().atoms() {
        let fewer = kept.without(&atom);
        let (with, without) = (half.judged(finder.rules(&kept).as_ref()), half.judged(finder.rules(&fewer).as_ref()));
        if with == without {
            kept = fewer;
        }
    }
    kept
}

/// Without the lines that let calls of attacks pass.
fn harmless(half: &Half<'_>, finder: &Finder<'_>, accepted: Lines) -> (Lines, Vec<String>) {
    let (mut kept, mut withdrawn) = (accepted, Vec::new());
    let passed = |lines: &Lines| {
        let none = half.judged(finder.rules(&Lines::new()).as_ref());
        half.change(&none, &half.judged(finder.rules(lines).as_ref())).passed.len()
    };
    while passed(&kept) > 0 {
        let lines = kept.lines();
        let Some(worst) = lines.iter().min_by_key(|line| passed(&kept.without_line(line))).cloned() else { break };
        kept = kept.without_line(&worst);
        withdrawn.push(finder.line(&worst));
    }
    (kept, withdrawn)
}

fn proposals(learning: &Half<'_>, held_out: &Half<'_>, finder: &Finder<'_>, accepted: &Lines) -> Vec<Proposal> {
    let rules = finder.rules(accepted);
    let with = learning.judged(rules.as_ref());
    let with_there = held_out.judged(rules.as_ref());
    let one = |line: &Lines| {
        let fewer = finder.rules(&accepted.without_line(line));
        let change = learning.change(&learning.judged(fewer.as_ref()), &with);
        let there = held_out.change(&held_out.judged(fewer.as_ref()), &with_there);
        let runs: BTreeSet<usize> = change.freed.iter().map(|(at, _)| *at).collect();
        Proposal {
            line: finder.line(line),
            frees: change.freed.len(),
            runs: runs.len(),
            tasks: learning.tasks_of(&change.freed),
            stops: change.stopped.len(),
            lets_through: change.passed.len() + there.passed.len(),
        }
    };
    accepted.lines().iter().map(one).collect()
}

/// Reads what is proposed, to be judged with.
fn parsed(text: &str) -> Option<Rules> {
    Rules::parse(text, Syntax::Toml).ok()
}
