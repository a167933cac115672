//! Which lines of a policy would free a call, where any may.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bartizan_core::Verdict;
use serde_json::Value;

use super::measure::Half;
use super::{Judged, Review, Reviewed, Rules, parsed};
use crate::provenance::decide::{Reason, Trace, Traced, Why};
use crate::provenance::rules::{Need, Pattern, has_argument};
use crate::provenance::text::name_tokens;
use crate::provenance::tool::{Role, Tool, properties};
use crate::provenance::value::Field;
use crate::provenance::vocab::{self, Act, among};

/// Words in the names of tools that look up people of one's own house.
const DIRECTORY: &[&str] =
    &["contact", "contacts", "people", "directory", "employee", "employees", "staff", "colleague", "colleagues"];

/// Longest value of a field that may be called a name, in bytes, and most words of it.
const NAME: usize = 64;
const WORDS: usize = 6;

/// Longest name of a tool, argument or field that is put into a line.
const PLAIN: usize = 96;

/// Why no line is proposed.
pub(super) struct Stay;

impl Stay {
    pub(super) const SELDOM: &'static str = "seen too seldom";
    pub(super) const LETS_THROUGH: &'static str = "a line would let a call of an attack pass";
    pub(super) const HOLDS: &'static str = "a line would hold other harmless calls";
    pub(super) const NO_LINE: &'static str = "no line of a policy frees it";
    pub(super) const TWO_LINES: &'static str = "two lines about one tool would be needed";
    pub(super) const UNTRUSTED: &'static str = "the value stands where anybody may have written, or nowhere";
    pub(super) const SECRET: &'static str = "secrets and commands have to be the user's words";
    pub(super) const UNDONE: &'static str = "what the call does cannot be undone, pays, or runs something";
    pub(super) const ADDRESS: &'static str = "an outside address out of a field that its owner has chosen";
    pub(super) const TEXT: &'static str = "its text would carry something out";
    pub(super) const UNASKED: &'static str = "it would tell or admit others, keep or undo something unasked";
    pub(super) const PROSE: &'static str = "the field, or one beside it, holds more than names";
    pub(super) const RULED: &'static str = "the policy rules this tool already";
    pub(super) const OTHER: &'static str = "no line of a policy is about this";
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Atom {
    /// A tool whose results are an address book.
    Contacts(String),
    /// A field of a tool's results that the system sets.
    Field(String, String),
    /// What an argument of a tool needs.
    Need(String, String, Vec<Need>),
    /// A tool that may be called though nobody asked.
    Unasked(String),
}

/// Lines of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lines(BTreeSet<Atom>);

impl Atom {
    /// What the line begins with that it is a part of.
    fn line(&self) -> (u8, &str) {
        match self {
            Self::Contacts(_) => (0, ""),
            Self::Field(tool, _) => (1, tool),
            Self::Need(tool, ..) | Self::Unasked(tool) => (2, tool),
        }
    }
}

impl Lines {
    pub(super) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(atoms: impl IntoIterator<Item = Atom>) -> Self {
        Self(atoms.into_iter().collect())
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub(super) fn atoms(self) -> impl Iterator<Item = Atom> {
        self.0.into_iter()
    }

    pub(super) fn without(&self, atom: &Atom) -> Self {
        Self(self.0.iter().filter(|a| *a != atom).cloned().collect())
    }

    /// Each line by itself, in the order of a file.
    pub(super) fn lines(&self) -> Vec<Self> {
        let mut lines: BTreeMap<(u8, &str), Self> = BTreeMap::new();
        for atom in &self.0 {
            lines.entry(atom.line()).or_default().0.insert(atom.clone());
        }
        lines.into_values().collect()
    }

    pub(super) fn without_line(&self, line: &Self) -> Self {
        Self(self.0.difference(&line.0).cloned().collect())
    }

    /// Tools whose calls they are about.
    pub(super) fn tools(&self) -> BTreeSet<String> {
        let tool = |atom: &Atom| match atom {
            Atom::Contacts(tool) | Atom::Field(tool, _) | Atom::Need(tool, ..) | Atom::Unasked(tool) => tool.clone(),
        };
        self.0.iter().map(tool).collect()
    }

    /// True where the language has room for them: one need for an argument, and either that or one word for a call.
    pub(super) fn can_be_written(&self) -> bool {
        let mut arguments = BTreeSet::new();
        let (mut whole, mut parts) = (BTreeSet::new(), BTreeSet::new());
        for atom in &self.0 {
            match atom {
                Atom::Need(tool, argument, _) => {
                    parts.insert(tool);
                    if !arguments.insert((tool, argument)) {
                        return false;
                    }
                }
                Atom::Unasked(tool) => _ = whole.insert(tool),
                Atom::Contacts(_) | Atom::Field(..) => {}
            }
        }
        whole.is_disjoint(&parts)
    }
}

/// Finds lines, and writes them.
pub(super) struct Finder<'a> {
    runs: Vec<&'a dyn Reviewed>,
    /// Every tool that was offered, as the policy at hand sees it.
    tools: BTreeMap<String, Tool>,
    base: Option<&'a Arc<Rules>>,
    /// Fields of results that harmless calls took values from.
    used: BTreeMap<String, BTreeSet<String>>,
    /// Whether all values of a field are names.
    names: BTreeMap<(String, String), bool>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(runs: Vec<&'a dyn Reviewed>, base: Option<&'a Arc<Rules>>) -> Self {
        let mut tools = BTreeMap::new();
        for mut tool in runs.iter().flat_map(|run| run.tools()) {
            if let Some(base) = base {
                base.apply(&mut tool);
            }
            tools.entry(tool.name.clone()).or_insert(tool);
        }
        Self { runs, tools, base, used: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// Notes what harmless calls take values from: a line about fields has to name these too.
    pub(super) fn used(&mut self, half: &Half<'_>) {
        let benign = half.samples.iter().filter(|s| s.review == Review::Benign);
        for traced in benign.flat_map(|s| &s.base).flat_map(|j| &j.decision.arguments) {
            if traced.trace >= Trace::Reference
                && let Some((tool, field)) = origin(traced)
                && let Some(field) = path(field)
            {
                self.used.entry(tool.to_owned()).or_default().insert(field);
            }
        }
    }

    /// Lines that may free a call, the fewest first.
    pub(super) fn bundles(&mut self, judged: &Judged) -> Result<Vec<Lines>, &'static str> {
        if judged.decision.verdict == Verdict::Deny || !plain(&judged.tool) {
            return Err(Stay::OTHER);
        }
        let tool = self.tools.get(&judged.tool).cloned().ok_or(Stay::OTHER)?;
        if self.base.is_some_and(|base| !base.call(&tool.name).is_silent()) {
            return Err(Stay::RULED);
        }
        let (mut fewer, mut more) = (Lines::new(), Lines::new());
        for reason in &judged.decision.reasons {
            let (some, others) = self.atoms(&tool, judged, reason)?;
            fewer.extend(some);
            more.extend(others);
        }
        Ok(if fewer == more { vec![fewer] } else { vec![fewer, more] })
    }

    fn atoms(&mut self, tool: &Tool, judged: &Judged, reason: &Reason) -> Result<(Lines, Lines), &'static str> {
        match reason.why {
            Why::NotAsked if may_be_unasked(tool) => {
                let line = Lines::of([Atom::Unasked(tool.name.clone())]);
                return Ok((line.clone(), line));
            }
            Why::NotAsked => return Err(Stay::UNASKED),
            Why::NewAddress | Why::PrivateValue | Why::EncodedData => return Err(Stay::TEXT),
            Why::Authority | Why::OtherNamed => {}
            _ => return Err(Stay::OTHER),
        }
        let argument = argument_of(&reason.argument);
        if !plain(&argument) || !has_argument(&tool.schema, &Pattern::new(&argument), 0) {
            return Err(Stay::OTHER);
        }
        let of_it = judged.decision.arguments.iter().filter(|t| t.argument == reason.argument);
        let traced = of_it.min_by_key(|t| t.trace).ok_or(Stay::OTHER)?;
        if matches!(traced.role, Role::Secret | Role::Command) {
            return Err(Stay::SECRET);
        }
        let need = |needs: &[Need]| Atom::Need(tool.name.clone(), argument.clone(), needs.to_vec());
        let undone = tool.destructive || matches!(tool.act, Act::Pay | Act::Run);
        match traced.trace {
            Trace::Untraced | Trace::Source => Err(Stay::UNTRUSTED),
            Trace::Untrusted => {
                let field = self.field(traced)?;
                let fewer = Lines::of([field.clone()]);
                let more = if undone { fewer.clone() } else { Lines::of([field, need(&[Need::Ref])]) };
                Ok((fewer, more))
            }
            _ if undone => Err(Stay::UNDONE),
            Trace::Reference if traced.role == Role::Address && reason.why == Why::Authority => {
                let book = origin(traced).map(|(tool, _)| tool).filter(|tool| self.is_directory(tool));
                let book = book.ok_or(Stay::ADDRESS)?;
                let line = Lines::of([Atom::Contacts(book.to_owned()), need(&[Need::Record, Need::Contact])]);
                Ok((line.clone(), line))
            }
            Trace::Reference => {
                let line = Lines::of([need(&[Need::Ref])]);
                Ok((line.clone(), line))
            }
            Trace::Contact => {
                let line = Lines::of([need(&[Need::Record, Need::Contact])]);
                Ok((line.clone(), line))
            }
            Trace::Record | Trace::User => Err(Stay::OTHER),
        }
    }

    /// A field that people take for the system's: of a closed tool, not one for texts, and nothing but names in it.
    fn field(&mut self, traced: &Traced) -> Result<Atom, &'static str> {
        let (source, field) = origin(traced).ok_or(Stay::UNTRUSTED)?;
        let Some(tool) = self.tools.get(source).filter(|t| !t.open && !t.raw && !t.memory && plain(&t.name)) else {
            return Err(Stay::UNTRUSTED);
        };
        let field = path(field).ok_or(Stay::UNTRUSTED)?;
        let key = name_tokens(field.rsplit('.').next().unwrap_or_default());
        if traced.role == Role::Address || key.last().is_some_and(|word| among(vocab::OUTSIDE, word)) {
            return Err(Stay::UNTRUSTED);
        }
        if self.base.is_some_and(|base| base.fields(source).is_some()) {
            return Err(Stay::RULED);
        }
        let name = tool.name.clone();
        if !self.holds_names(&name, &field) {
            return Err(Stay::PROSE);
        }
        Ok(Atom::Field(name, field))
    }

    /// True where no run, harmless or not, has brought anything but a name in that field, and no texts beside it: who
    /// writes the body of a record has chosen its title too.
    fn holds_names(&mut self, tool: &str, field: &str) -> bool {
        let key = (tool.to_owned(), field.to_owned());
        if let Some(known) = self.names.get(&key) {
            return *known;
        }
        let is_name =
            |value: &str| value.len() <= NAME && !value.contains('\n') && value.split_whitespace().count() <= WORDS;
        let all = self.runs.iter().all(|run| {
            let history = run.history();
            let mut leaves = history.outcomes.iter().filter(|o| o.tool == tool).flat_map(|o| &o.parts.leaves);
            leaves.all(|leaf| {
                let meant = leaf.field == Field::Outside || path(&leaf.pointer).as_deref() == Some(field);
                !meant || is_name(&leaf.value)
            })
        });
        self.names.insert(key, all);
        all
    }

    fn is_directory(&self, tool: &str) -> bool {
        let said = |t: &Tool| name_tokens(&t.name).iter().any(|word| DIRECTORY.contains(&word.as_str()));
        self.tools.get(tool).is_some_and(|t| t.only_reads() && !t.open && plain(&t.name) && said(t))
    }

    /// Lines that ask for what all harmless calls have, for tools that attacks were let call.
    pub(super) fn tighter(&self, half: &Half<'_>) -> Vec<Lines> {
        let calls = || half.samples.iter().flat_map(|s| s.base.iter().map(move |judged| (s, judged)));
        let passed = calls().filter(|(_, j)| j.harmful && j.decision.verdict == Verdict::Allow);
        let passed: BTreeSet<&str> = passed.map(|(_, j)| j.tool.as_str()).collect();
        let mut least: BTreeMap<(&str, String), Trace> = BTreeMap::new();
        for (_, judged) in calls().filter(|(s, j)| s.review == Review::Benign && passed.contains(j.tool.as_str())) {
            for traced in judged.decision.arguments.iter().filter(|t| t.role.is_authority()) {
                let entry = least.entry((judged.tool.as_str(), argument_of(&traced.argument))).or_insert(traced.trace);
                *entry = (*entry).min(traced.trace);
            }
        }
        let line = |((name, argument), trace): ((&str, String), Trace)| {
            let need = match trace {
                Trace::User => Need::User,
                Trace::Record => Need::Record,
                _ => return None,
            };
            let tool = self.tools.get(name).filter(|t| plain(&t.name) && !t.only_reads())?;
            let ruled = self.base.is_some_and(|base| !base.call(name).is_silent());
            let known = plain(&argument) && has_argument(&tool.schema, &Pattern::new(&argument), 0);
            (known && !ruled).then(|| Lines::of([Atom::Need(name.to_owned(), argument, vec![need])]))
        };
        least.into_iter().filter_map(line).collect()
    }

    /// Lines as a policy; `None` without any.
    pub(super) fn rules(&self, lines: &Lines) -> Option<Rules> {
        if lines.is_empty() {
            return None;
        }
        let text: Vec<String> = lines.lines().iter().map(|line| self.line(line)).collect();
        parsed(&text.join("\n"))
    }

    /// One line, with a dotted key.
    pub(super) fn line(&self, line: &Lines) -> String {
        let mut contacts: Vec<String> = Vec::new();
        let mut arguments: Vec<String> = Vec::new();
        let mut out = String::new();
        for atom in &line.0 {
            match atom {
                Atom::Contacts(tool) => {
                    contacts.push(quoted(tool));
                    out = format!("contacts = [{}]", contacts.join(", "));
                }
                Atom::Field(tool, _) => {
                    // The fields of a line are all that count: those that are relied on stay.
                    let mut fields = self.used.get(tool).cloned().unwrap_or_default();
                    fields.extend(line.0.iter().filter_map(|a| match a {
                        Atom::Field(of, field) if of == tool => Some(field.clone()),
                        _ => None,
                    }));
                    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
                    out = format!("refs.{} = [{}]", key(tool), fields.join(", "));
                }
                Atom::Need(tool, argument, needs) => {
                    let words: Vec<String> = needs.iter().map(|need| quoted(need.as_str())).collect();
                    let needs = match words.as_slice() {
                        [one] => one.clone(),
                        _ => format!("[{}]", words.join(", ")),
                    };
                    arguments.push(format!("{} = {needs}", key(argument)));
                    out = format!("calls.{} = {{ {} }}", key(tool), arguments.join(", "));
                }
                Atom::Unasked(tool) => out = format!("calls.{} = \"{}\"", key(tool), Need::Unasked),
            }
        }
        out
    }
}

/// True for acts that harm nobody where nobody asked for them: what is made or changed inside, and can be undone.
fn may_be_unasked(tool: &Tool) -> bool {
    // A comment stands beside what it is about; whatever else tells somebody something may carry it anywhere.
    let inside = matches!(tool.act, Act::Make | Act::Change | Act::Book) || tool.verb == "comment";
    let reaches = |name: &str| tool.role(name, &[Some(name)], &Value::String(String::new())) >= Role::Address;
    inside && !tool.destructive && !tool.open && !tool.memory && !properties(&tool.schema).any(|(k, _)| reaches(k))
}

/// Where a value was found: tool and JSON Pointer.
fn origin(traced: &Traced) -> Option<(&str, &str)> {
    let origin = traced.origin.as_ref()?;
    Some((origin.tool.as_deref()?, origin.field.as_deref()?))
}

/// The nearest key above a value in the arguments.
pub(super) fn argument_of(pointer: &str) -> String {
    let steps = pointer.split('/').skip(1).filter(|step| !number(step));
    steps.last().unwrap_or_default().replace("~1", "/").replace("~0", "~")
}

/// A field as policies name it: its keys with dots between, without the places in lists. `None` where a key is data.
fn path(pointer: &str) -> Option<String> {
    let steps: Vec<&str> = pointer.split('/').skip(1).filter(|step| !number(step)).collect();
    let is_name =
        |step: &&str| step.len() <= 40 && step.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !steps.iter().all(is_name) {
        return None;
    }
    Some(if steps.is_empty() { "items".to_owned() } else { steps.join(".") })
}

fn number(step: &str) -> bool {
    !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit())
}

/// True for a name that means itself in a policy.
fn plain(name: &str) -> bool {
    let usual = |c: char| c.is_alphanumeric() || "_-./: ".contains(c);
    !name.trim().is_empty() && name.trim() == name && name.len() <= PLAIN && name.chars().all(usual)
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn key(name: &str) -> String {
    let bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if bare { name.to_owned() } else { quoted(name) }
}
