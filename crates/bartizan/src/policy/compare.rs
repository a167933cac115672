//! Two decisions about each of many calls, side by side.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};
use std::io::Write;

use bartizan_core::Verdict;
use bartizan_policy::provenance::{Decision, Reason, SourceLine};
use serde::Serialize;
use serde_json::json;

use super::args::Changes;
use crate::terminal::{self, Style, paint};

/// Most changed calls that people are shown.
const SHOWN: usize = 50;

/// Decisions now, by the policy in force, and then, by the changed one.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Runs, or recorded replies.
    pub(super) runs: u64,
    tools: BTreeMap<String, Matrix>,
    changed: Vec<Changed>,
    tasks: BTreeMap<u64, Task>,
    /// Recordings that could not be decided once more, by the reason.
    pub(super) unread: BTreeMap<String, u64>,
    /// Calls that are decided otherwise now than they are on record.
    pub(super) off_record: u64,
}

/// How often which verdict became which.
#[derive(Debug, Default)]
struct Matrix(BTreeMap<(Verdict, Verdict), u64>);

/// What waited in a task, each call once however often it was made.
#[derive(Debug, Default)]
struct Task {
    now: BTreeSet<u64>,
    then: BTreeSet<u64>,
}

/// A call that is decided otherwise.
#[derive(Debug, Serialize)]
struct Changed {
    run: String,
    call: String,
    tool: String,
    now: Said,
    then: Said,
    sources: Vec<SourceLine>,
}

#[derive(Debug, Serialize)]
struct Said {
    verdict: Verdict,
    reasons: Vec<String>,
}

/// Where a call is from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Name of the run.
    pub(super) run: &'a str,
    /// Name of the call in it.
    pub(super) call: &'a str,
    /// The tool.
    pub(super) tool: &'a str,
    /// What the run is about.
    pub(super) task: &'a str,
    /// Tells the call from others of the task.
    pub(super) content: &'a str,
}

impl Comparison {
    /// Counts a task, also one without calls.
    pub(super) fn task(&mut self, task: &str) {
        self.tasks.entry(hash(task)).or_default();
    }

    pub(super) fn add(&mut self, place: Place<'_>, now: &Decision, then: &Decision) {
        let matrix = self.tools.entry(place.tool.to_owned()).or_default();
        *matrix.0.entry((now.verdict, then.verdict)).or_default() += 1;
        let task = self.tasks.entry(hash(place.task)).or_default();
        for (decision, waits) in [(now, &mut task.now), (then, &mut task.then)] {
            if decision.verdict == Verdict::Hold {
                waits.insert(hash(place.content));
            }
        }
        if now.verdict != then.verdict {
            self.changed.push(Changed {
                run: place.run.to_owned(),
                call: place.call.to_owned(),
                tool: place.tool.to_owned(),
                now: Said::of(now),
                then: Said::of(then),
                sources: then.arguments.iter().map(SourceLine::of).collect(),
            });
        }
    }

    fn loosened(&self) -> usize {
        self.changed.iter().filter(|c| c.then.verdict < c.now.verdict).count()
    }

    fn tightened(&self) -> usize {
        self.changed.len() - self.loosened()
    }

    /// True where a call is decided otherwise in a way that is asked about.
    pub(super) fn is_met(&self, gate: Option<Changes>) -> bool {
        match gate {
            None => false,
            Some(Changes::Loosened) => self.loosened() > 0,
            Some(Changes::Tightened) => self.tightened() > 0,
            Some(Changes::Any) => !self.changed.is_empty(),
        }
    }

    /// Recordings that could not be decided once more.
    pub(super) fn unread(&self) -> u64 {
        self.unread.values().sum()
    }

    pub(super) fn calls(&self) -> u64 {
        self.tools.values().flat_map(|matrix| matrix.0.values()).sum()
    }

    fn approvals(&self) -> [(usize, usize); 2] {
        let (mut waits, mut free) = ((0, 0), (0, 0));
        for task in self.tasks.values() {
            waits = (waits.0 + task.now.len(), waits.1 + task.then.len());
            free = (free.0 + usize::from(task.now.is_empty()), free.1 + usize::from(task.then.is_empty()));
        }
        [waits, free]
    }

    pub(super) fn json(&self, out: &mut impl Write, names: (&str, &str)) -> anyhow::Result<()> {
        let tools: Vec<_> = self.tools.iter().map(|(tool, matrix)| matrix.json(tool)).collect();
        let [(now, then), (free_now, free_then)] = self.approvals();
        let document = json!({
            "policy": {"now": names.0, "then": names.1},
            "runs": self.runs, "calls": self.calls(),
            "loosened": self.loosened(), "tightened": self.tightened(),
            "tools": tools,
            "approvals": {"tasks": self.tasks.len(), "now": now, "then": then, "free_now": free_now, "free_then": free_then},
            "changed": self.changed,
            "off_record": self.off_record, "unread": self.unread,
        });
        Ok(writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?)
    }

    pub(super) fn human(&self, out: &mut impl Write, names: (&str, &str)) -> anyhow::Result<()> {
        let color = terminal::colored_stdout();
        writeln!(out, "now: {}; then: {}", terminal::line(names.0), terminal::line(names.1))?;
        let width = self.tools.keys().map(|tool| tool.chars().count()).max().unwrap_or(0).clamp(4, 40);
        let heading = format!(
            "{:width$}  {:>6}  {:>15}  {:>15}  {:>15}  {:>8}  {:>9}",
            "tool", "calls", "allow", "hold", "deny", "loosened", "tightened"
        );
        writeln!(out, "{}", paint(&heading, Style::Heading, color))?;
        for (tool, matrix) in &self.tools {
            let cell = |verdict| format!("{} -> {}", matrix.now(verdict), matrix.then(verdict));
            let (loosened, tightened) = matrix.changes();
            writeln!(
                out,
                "{:width$}  {:>6}  {:>15}  {:>15}  {:>15}  {loosened:>8}  {tightened:>9}",
                terminal::line(tool),
                matrix.0.values().sum::<u64>(),
                cell(Verdict::Allow),
                cell(Verdict::Hold),
                cell(Verdict::Deny),
            )?;
        }
        for changed in self.changed.iter().take(SHOWN) {
            changed.draw(out, color)?;
        }
        if self.changed.len() > SHOWN {
            writeln!(out, "{} more; `--format json` has all", self.changed.len() - SHOWN)?;
        }
        let [(now, then), (free_now, free_then)] = self.approvals();
        let tasks = self.tasks.len();
        writeln!(out, "approvals: {now} -> {then} in {tasks} tasks, {free_now} -> {free_then} of them without any")?;
        let (loosened, tightened) = (self.loosened(), self.tightened());
        writeln!(out, "{} calls of {} runs: {loosened} loosened, {tightened} tightened", self.calls(), self.runs)?;
        if self.off_record > 0 {
            let text = "calls are decided otherwise now than on record: by another version, memory or approval";
            writeln!(out, "{} {text}", self.off_record)?;
        }
        for (reason, count) in &self.unread {
            writeln!(out, "{count} recorded exchanges were not decided: {reason}")?;
        }
        Ok(())
    }
}

impl Matrix {
    fn now(&self, verdict: Verdict) -> u64 {
        self.0.iter().filter(|((now, _), _)| *now == verdict).map(|(_, count)| count).sum()
    }

    fn then(&self, verdict: Verdict) -> u64 {
        self.0.iter().filter(|((_, then), _)| *then == verdict).map(|(_, count)| count).sum()
    }

    /// Less and more strict ones.
    fn changes(&self) -> (u64, u64) {
        let sum = |less: bool| {
            let changed = self.0.iter().filter(|((now, then), _)| now != then && (then < now) == less);
            changed.map(|(_, count)| count).sum()
        };
        (sum(true), sum(false))
    }

    fn json(&self, tool: &str) -> serde_json::Value {
        let changes: Vec<_> =
            self.0.iter().map(|((now, then), calls)| json!({"now": now, "then": then, "calls": calls})).collect();
        json!({"tool": tool, "calls": self.0.values().sum::<u64>(), "decisions": changes})
    }
}

impl Said {
    fn of(decision: &Decision) -> Self {
        Self { verdict: decision.verdict, reasons: decision.reasons.iter().map(Reason::line).collect() }
    }
}

impl Changed {
    fn draw(&self, out: &mut impl Write, color: bool) -> anyhow::Result<()> {
        let (now, then) = (self.now.verdict, self.then.verdict);
        let style = if then < now { Style::Bad } else { Style::Good };
        let change = paint(&format!("{now} -> {then}"), style, color);
        let (run, call, tool) = (terminal::line(&self.run), terminal::line(&self.call), terminal::line(&self.tool));
        writeln!(out, "{run} {call} {tool}: {change}")?;
        for (when, said) in [("now", &self.now), ("then", &self.then)] {
            for reason in &said.reasons {
                writeln!(out, "    {when}: {}", terminal::line(reason))?;
            }
        }
        for source in &self.sources {
            writeln!(out, "    {}", terminal::line(&source.to_string()))?;
        }
        Ok(())
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
