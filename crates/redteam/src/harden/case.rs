//! What a run recorded, as far as hardening needs it: attacks that worked, and harmless texts.

use std::collections::BTreeSet;
use std::path::Path;

use bartizan_client::{Answer, Ask, Call, Reply, Role, Tool, Turn as Said};
use serde::Deserialize;

use super::Given;
use crate::error::RedteamError;
use crate::evidence::{Seen, Step};
use crate::journal::{Record, Turn, entries};
use crate::plan::Cell;
use crate::probe::Pack;
use crate::run::head_of;
use crate::scene::Chain;
use crate::trial::{Draw, Trial, Words, prepare};

/// Most attacks that worked, and most harmless texts, that are looked at.
const MOST: usize = 4000;

/// Longest line of harmless texts, bytes.
const LONGEST: usize = 4 << 20;

/// Something that was said and can be offered to a guard again.
pub(crate) struct Case<'a> {
    /// The trial, where it was one.
    pub(crate) trial: Option<Trial<'a>>,
    /// Its name.
    pub(crate) name: String,
    /// The address of its record in the journal, where it has one.
    pub(crate) id: String,
    /// Its place in the plan; an attack that is in no plan has the place of the one that it is a variant of.
    pub(crate) cell: Cell,
    /// What came of it.
    pub(crate) step: Step,
    /// Questions and what came of them.
    pub(crate) turns: Vec<Turn>,
    /// A harmless text that changes are tried on and not made with.
    pub(crate) unseen: bool,
}

impl Case<'_> {
    /// The attack as it is written; empty for a harmless text from a file.
    pub(crate) fn payload(&self) -> &str {
        self.trial.as_ref().map_or("", |t| t.scene.payload.as_str())
    }
}

/// A run.
pub(crate) struct Recorded<'a> {
    /// Attacks with evidence, all of them.
    pub(crate) attacks: u64,
    /// Those that worked, or seem to.
    pub(crate) worked: Vec<Case<'a>>,
    /// Harmless texts that nothing stopped.
    pub(crate) benign: Vec<Case<'a>>,
    /// Of either what was too many to look at.
    pub(crate) left_out: u64,
    /// The seed of its marks.
    pub(crate) seed: Vec<u8>,
    /// The attacker's host.
    pub(crate) host: String,
    /// What was attacked.
    pub(crate) target: String,
}

fn asked(ask: Ask) -> Vec<Turn> {
    vec![Turn { ask, seen: Seen::Passed { changed: false, rules: Vec::new() } }]
}

/// What an agent said to its model, put together from what its tools did: before each call all that it had read.
fn worked_out(pack: &Pack, record: &Record) -> Vec<Turn> {
    let tools: Vec<Tool> = pack.tools.iter().map(|(name, gadget)| gadget.tool(name)).collect();
    let Some(first) = record.turns.first() else { return Vec::new() };
    let mut said = first.ask.turns.clone();
    let mut out = Vec::new();
    for (at, effect) in record.effects.iter().enumerate() {
        let call = Call { id: format!("call_{at}"), name: effect.tool.clone(), arguments: effect.arguments.clone() };
        let ask = Ask { turns: said.clone(), tools: tools.clone(), ..Ask::default() };
        let reply = Reply { calls: vec![call.clone()], ..Reply::default() };
        out.push(Turn { ask, seen: Seen::Answer(Answer::Reply(reply)) });
        let id = call.id.clone();
        said.push(Said { calls: vec![call], ..Said::new(Role::Assistant, "") });
        said.push(Said { call_id: Some(id), ..Said::new(Role::Tool, effect.result.as_str()) });
    }
    out.push(Turn { ask: Ask { turns: said, tools, ..Ask::default() }, seen: first.seen.clone() });
    out
}

/// Reads a run, and adds the harmless texts of `lines` and those of `twins` that were not sent.
pub(crate) fn recorded<'a>(given: &Given<'a>, twins: &'a Pack, lines: &[Ask]) -> Result<Recorded<'a>, RedteamError> {
    let (head, seed) = head_of(given.work, given.journal)?;
    let draw = Draw { seed: &seed, host: &head.sink };
    let (mut worked, mut benign, mut attacks, mut left_out) = (Vec::new(), Vec::new(), 0, 0);
    let mut sent: BTreeSet<(&str, usize)> = BTreeSet::new();
    entries(given.journal, |id, record| {
        let step = record.evidence.step;
        let Some((at, _)) = given.work.cell_of(record.n).filter(|_| step != Step::Error) else { return };
        let (Some(cell), Some(trial)) = (given.work.cells().get(at).copied(), prepare(given.work, draw, record.n))
        else {
            return;
        };
        let into = if cell.benign {
            // Trials of a twin differ in their marks alone.
            let probe = given.work.probe(cell).map_or("", |p| p.id.as_str());
            if !sent.insert((probe, cell.wording)) {
                return;
            }
            &mut benign
        } else {
            attacks += 1;
            if !matches!(step, Step::Proven | Step::Likely | Step::Passed) {
                return;
            }
            &mut worked
        };
        if into.len() >= MOST {
            left_out += 1;
            return;
        }
        let (id, name) = (id.to_owned(), record.name.clone());
        let turns = if record.effects.is_empty() { record.turns } else { worked_out(&given.work.pack, &record) };
        into.push(Case { trial: Some(trial), name, id, cell, step, turns, unseen: false });
    })?;
    let cell = Cell { probe: 0, wording: 0, chain: 0, benign: true };
    let plain = Chain::plain();
    for probe in &twins.probe {
        for (wording, text) in probe.benign.iter().enumerate().filter(|(w, _)| !sent.contains(&(probe.id.as_str(), *w)))
        {
            let name = format!("{}#benign{wording}@plain/twin", probe.id);
            let words = Words { name: &name, wording: text, chain: &plain, benign: true };
            let trial = Trial::new(twins, probe, draw, words);
            let turns = asked(trial.first());
            benign.push(Case {
                trial: Some(trial),
                name,
                id: String::new(),
                cell,
                step: Step::Passed,
                turns,
                unseen: false,
            });
        }
    }
    for (at, ask) in lines.iter().enumerate() {
        let name = format!("line {}", at + 1);
        let turns = asked(ask.clone());
        benign.push(Case { trial: None, name, id: String::new(), cell, step: Step::Passed, turns, unseen: false });
    }
    benign.iter_mut().skip(2).step_by(3).for_each(|case: &mut Case<'_>| case.unseen = true);
    Ok(Recorded { attacks, worked, benign, left_out, host: head.sink.clone(), target: head.target, seed: seed.clone() })
}

/// Attacks of a probe that the plan did not send: `wording` written in `chain`.
pub(crate) fn variant<'a>(
    given: &Given<'a>,
    draw: Draw<'_>,
    cell: Cell,
    wording: &str,
    chain: &Chain,
) -> Option<Case<'a>> {
    let probe = given.work.probe(cell)?;
    let name = format!("{}#attack{}@{}/held-out", probe.id, cell.wording, chain.name());
    let trial = Trial::new(&given.work.pack, probe, draw, Words { name: &name, wording, chain, benign: false });
    // The attack is the last turn of the user, whatever the target says before.
    let mut ask = trial.first();
    ask.turns.extend(trial.scene.then.iter().map(|then| Said::new(Role::User, then.as_str())));
    Some(Case {
        trial: Some(trial),
        name,
        id: String::new(),
        cell,
        step: Step::Passed,
        turns: asked(ask),
        unseen: false,
    })
}

/// One line of harmless texts, as `bartizan check --jsonl` takes it.
#[derive(Deserialize)]
struct Line {
    text: Option<String>,
    #[serde(default)]
    origin: Option<String>,
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize)]
struct Message {
    role: Role,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    tool_call_id: Option<String>,
}

/// Reads harmless texts: JSON lines with `text` and perhaps `origin`, or `messages`.
///
/// # Errors
/// A line is none; which and why.
pub fn harmless(path: &Path, text: &str) -> Result<Vec<Ask>, RedteamError> {
    let mut out = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let wrong = |reason: String| RedteamError::File {
            path: path.display().to_string(),
            reason: format!("line {}: {reason}", at + 1),
        };
        if line.len() > LONGEST {
            return Err(wrong(format!("it is longer than {LONGEST} bytes")));
        }
        let line: Line = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
        let turns = match (line.text, line.messages) {
            (Some(text), None) => placed(text, line.origin.as_deref())
                .ok_or_else(|| wrong("`origin` is `user`, `tool`, `document` or `memory`".to_owned()))?,
            (None, Some(messages)) => messages
                .into_iter()
                .map(|m| Said { call_id: m.tool_call_id, ..Said::new(m.role, m.content.unwrap_or_default()) })
                .collect(),
            _ => return Err(wrong("it has either `text` or `messages`".to_owned())),
        };
        out.push(Ask::chat(turns));
    }
    Ok(out)
}

/// A text where its origin stands in a conversation.
pub(crate) fn placed(text: String, origin: Option<&str>) -> Option<Vec<Said>> {
    match origin.unwrap_or("user") {
        "user" => Some(vec![Said::new(Role::User, text)]),
        // A chat has no other place for what the user did not write.
        "tool" | "document" | "memory" => {
            let call = Call { id: "call_1".to_owned(), name: "read".to_owned(), arguments: "{}".to_owned() };
            Some(vec![
                Said::new(Role::User, "What does it say?"),
                Said { calls: vec![call], ..Said::new(Role::Assistant, "") },
                Said { call_id: Some("call_1".to_owned()), ..Said::new(Role::Tool, text) },
            ])
        }
        _ => None,
    }
}
