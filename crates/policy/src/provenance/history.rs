//! What a conversation has brought in so far: words of the user and the operator, calls, and results with their fields.
//!
//! It is rebuilt from the messages that clients resend with every request, or grown message by message; both are equal.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use bartizan_core::{Integrity, Label, Origin, Source};
use serde_json::Value;

use super::coding::Coding;
use super::ledger::{By, Known, Piece, Saying, Written};
use super::quotes::Quotes;
use super::rules::Rules;
use super::text::{Shape, Words, fold, is_file_name, key, name_pieces, name_tokens, shape, stem, tokens};
use super::tool::Tool;
use super::trace::Writer;
use super::value::{self, Field, Leaf, Parts};
use super::vocab::{self, Act};

/// A call that a model made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Id by which the result names it.
    pub id: String,
    /// Tool.
    pub name: String,
    /// Arguments, read from JSON.
    pub args: Value,
}

/// A tool result and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The call that it answers, where there was one.
    pub(crate) call: Option<Call>,
    /// Name of the tool; empty where nobody called it.
    pub(crate) tool: String,
    /// What the tool does.
    pub(crate) act: Act,
    /// Nothing in it may feed an authority argument: anybody may have written its fields.
    pub(crate) open: bool,
    /// It is an address book.
    pub(crate) contacts: bool,
    /// Kinds of things that the tool is about.
    pub(crate) nouns: Vec<String>,
    /// The result is about one thing: only one record stands outside its lists.
    pub(crate) single: bool,
    /// The text as it came.
    pub(crate) text: String,
    /// Its fields.
    pub(crate) parts: Parts,
}

impl Outcome {
    /// True where a leaf is of the thing that the result is about. What stands in its lists are other things.
    pub(crate) fn is_its_own(&self, leaf: &Leaf) -> bool {
        self.single && !leaf.family.contains('*')
    }

    /// True where a leaf describes what this conversation made or changed. What code printed is none of it.
    pub(crate) fn made(&self, leaf: &Leaf) -> bool {
        self.is_its_own(leaf)
            && matches!(self.act, Act::Make | Act::Change | Act::Book | Act::Pay | Act::Admit | Act::Tell)
    }
}

/// Something about a conversation that an honest client does not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oddity {
    /// A result of a call that is not in the history.
    ForgedResult,
    /// Two calls, or two results, with one id.
    DuplicateId,
    /// A call in the history of a tool that is not offered.
    UnknownTool,
    /// The request points at messages that it does not hold.
    Unseen,
    /// What a model or a tool has produced stands there as somebody's words.
    Returned,
}

impl Oddity {
    /// The word for it in reasons.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForgedResult => "forged-result",
            Self::DuplicateId => "duplicate-call-id",
            Self::UnknownTool => "unknown-tool",
            Self::Unseen => "history-not-resent",
            Self::Returned => "returned-text",
        }
    }
}

/// A value of a conversation: which result, which leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) outcome: usize,
    pub(crate) leaf: usize,
}

/// Everything that has entered a conversation.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub(crate) tools: HashMap<String, Arc<Tool>>,
    pub(crate) twice: HashSet<String>,
    pub(crate) rules: Option<Arc<Rules>>,
    /// What the user wrote.
    pub(crate) user: Words,
    /// What the operator wrote.
    pub(crate) operator: Words,
    pub(crate) outcomes: Vec<Outcome>,
    /// Leaves by the key of their value.
    pub(crate) index: HashMap<String, Vec<Place>>,
    /// Values that must not leave: the kind of value, and where it stands.
    pub(crate) private: HashMap<String, (String, usize)>,
    pub(crate) calls: HashMap<String, Call>,
    /// How many calls there were.
    pub(crate) called: usize,
    /// The last call, and how often in a row it was made.
    pub(crate) last: Option<(Call, usize)>,
    pub(crate) bounds: Bounds,
    /// Who writes the user messages.
    pub(crate) writer: Writer,
    answered: HashSet<String>,
    /// The first result that anybody may have written in, or why something unseen must be assumed.
    pub(crate) tainted: Option<Taint>,
    pub(crate) oddities: HashSet<Oddity>,
    /// Titles of results in the user's words.
    quotes: OnceLock<Quotes>,
    /// The user hands the task on to what a text says.
    pub(crate) delegates: bool,
    /// How commands and edits are decided, where they are by what they do.
    pub(crate) coding: Option<Arc<Coding>>,
    /// What models and tools have produced for this tenant.
    known: Option<Known>,
    /// Prints of what user and operator wrote.
    written: Arc<Written>,
}

/// Why the model may be acting on words that are not the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taint {
    /// It has read this result.
    Result(usize),
    /// It has read a text that is nobody's.
    Text,
    /// It may have read what this request does not show.
    Unseen,
}

/// Bounds on what an agent does in one conversation. 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Tool calls.
    pub calls: usize,
    /// The same call in a row.
    pub repeats: usize,
}

/// Private values that are kept; a conversation with more holds each call that tells something.
const PRIVATE: usize = 4096;

impl History {
    /// A history without messages.
    #[must_use]
    pub fn new(tools: Vec<Tool>, rules: Option<Arc<Rules>>) -> Self {
        let mut history = Self { rules, ..Self::default() };
        for mut tool in tools {
            if let Some(rules) = &history.rules {
                rules.apply(&mut tool);
            }
            // Which of two definitions the model has read cannot be told.
            if history.tools.contains_key(&tool.name) {
                history.twice.insert(tool.name.clone());
            }
            history.tools.insert(tool.name.clone(), Arc::new(tool));
        }
        history
    }

    /// The same with bounds.
    #[must_use]
    pub fn bounded(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// The same, in which what models and tools have produced for the tenant is nobody's words, and what they produce is
    /// noted.
    #[must_use]
    pub fn knowing(self, known: Option<Known>) -> Self {
        Self { known, ..self }
    }

    /// The same, in which commands and edits are decided by what they do.
    #[must_use]
    pub fn coding(self, coding: Option<Arc<Coding>>) -> Self {
        Self { coding, ..self }
    }

    /// Notes a text of the model as it comes. `None` where nothing is kept.
    #[must_use]
    pub fn saying(&self) -> Option<Saying> {
        let known = self.known.clone()?;
        Some(Saying::new(known, self.is_tainted(), Arc::clone(&self.written)))
    }

    /// Notes the arguments of a call that goes out.
    pub fn note_call(&self, tool: &str, args: &Value) {
        if let Some(known) = &self.known {
            let said = |text: &str| self.user.holds(text, shape(text)) || self.operator.holds(text, shape(text));
            // Not all tools of a call are offered.
            let memory = name_tokens(tool).iter().any(|word| vocab::MEMORY.contains(&word.as_str()));
            known.called(args, memory, self.is_tainted(), &self.written, &said);
        }
    }

    /// The pieces of a text that are somebody's own words. What else is in it keeps its label.
    fn own<'a>(&mut self, text: &'a str, by: By) -> Vec<&'a str> {
        let Some(known) = &self.known else { return vec![text] };
        let pieces = known.parts(text, by, Arc::make_mut(&mut self.written));
        let mut own = Vec::new();
        for (kind, piece) in pieces {
            match kind {
                Piece::Own => own.push(piece),
                Piece::Produced => _ = self.oddities.insert(Oddity::Returned),
                Piece::Tainted => {
                    self.oddities.insert(Oddity::Returned);
                    self.push_untrusted(piece);
                }
            }
        }
        own
    }

    /// True where the request offers a tool of this name.
    #[must_use]
    pub fn offers(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    /// True where a tool takes any text, and no JSON.
    #[must_use]
    pub fn is_freeform(&self, tool: &str) -> bool {
        self.tools.get(tool).is_some_and(|tool| tool.freeform)
    }

    /// A call with arguments as a model wrote them: JSON, or for some tools any text, which is then the argument
    /// `input`. What cannot be read becomes null, which no decision lets pass.
    #[must_use]
    pub fn call(&self, id: &str, name: &str, arguments: &str) -> Call {
        let args = if self.is_freeform(name) {
            serde_json::json!({ "input": arguments })
        } else if arguments.trim().is_empty() {
            Value::Object(serde_json::Map::new())
        } else {
            value::once(arguments).unwrap_or_default()
        };
        Call { id: id.to_owned(), name: name.to_owned(), args }
    }

    /// How many calls there were.
    #[must_use]
    pub const fn calls(&self) -> usize {
        self.called
    }

    /// The value that a decision traced an argument to, for whoever approves: by tool and JSON Pointer in its result.
    #[must_use]
    pub fn value_at(&self, tool: &str, field: &str) -> Option<&str> {
        let outcomes = self.outcomes.iter().filter(|o| o.tool == tool);
        let mut leaves = outcomes.flat_map(|o| &o.parts.leaves).filter(|l| l.pointer == field);
        leaves.next().map(|l| l.value.as_str())
    }

    /// Adds what the operator wrote.
    pub fn push_system(&mut self, text: &str) {
        for piece in self.own(text, By::Operator) {
            self.operator.push(piece);
        }
    }

    /// Adds what stands in a user message: the user's words, or where an agent writes them nobody's.
    pub fn push_user(&mut self, text: &str) {
        if self.writer == Writer::Agent {
            return self.push_untrusted(text);
        }
        let before = self.user.sequence().len();
        for piece in self.own(text, By::User) {
            self.user.push(piece);
        }
        self.delegates |= delegates(self.user.sequence().get(before..).unwrap_or_default());
        self.quotes.take();
    }

    /// Adds text that nobody vouches for: retrieved blocks, summaries, messages of another agent.
    pub fn push_untrusted(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.tainted.get_or_insert(Taint::Text);
        }
    }

    /// Says that the request points at messages it does not hold.
    pub fn unseen(&mut self) {
        self.oddities.insert(Oddity::Unseen);
        self.tainted.get_or_insert(Taint::Unseen);
    }

    /// Adds a call that was let through.
    pub fn push_call(&mut self, call: Call) {
        if !self.tools.contains_key(&call.name) {
            self.oddities.insert(Oddity::UnknownTool);
        }
        self.called += 1;
        self.last = Some(match self.last.take() {
            Some((last, times)) if (&last.name, &last.args) == (&call.name, &call.args) => (last, times + 1),
            _ => (call.clone(), 1),
        });
        if self.calls.insert(call.id.clone(), call).is_some() {
            self.oddities.insert(Oddity::DuplicateId);
            self.tainted.get_or_insert(Taint::Text);
        }
    }

    /// Adds the result of a call.
    pub fn push_result(&mut self, id: &str, text: &str) {
        let call = self.calls.get(id).cloned();
        if call.is_none() {
            self.oddities.insert(Oddity::ForgedResult);
        }
        let twice = !self.answered.insert(id.to_owned());
        if twice {
            self.oddities.insert(Oddity::DuplicateId);
        }
        let tool = call.as_ref().and_then(|c| self.tools.get(&c.name)).cloned();
        let name = call.as_ref().map(|c| c.name.clone()).unwrap_or_default();
        let parts = value::read(text);
        let rules = self.rules.as_deref();
        let open = twice || tool.as_ref().is_none_or(|t| t.open) || self.twice.contains(&name);
        let outcome = Outcome {
            tool: name.clone(),
            // What only a description says endorses nothing that comes back.
            act: tool.as_ref().map_or(Act::Run, |t| if t.named { t.act } else { Act::Unknown }),
            open,
            contacts: rules.is_some_and(|r| r.is_contacts(&name)),
            nouns: tool.map(|t| t.nouns.clone()).unwrap_or_default(),
            single: parts.structured && one_record(&parts.leaves),
            call,
            text: text.to_owned(),
            parts,
        };
        self.keep(outcome);
        if let Some(known) = &self.known {
            known.returned(text, self.is_tainted(), &self.written);
        }
    }

    fn keep(&mut self, mut outcome: Outcome) {
        let at = self.outcomes.len();
        let fields = self.rules.as_deref().and_then(|r| r.fields(&outcome.tool));
        // What a file or a page holds, or a program prints, has the form that its writer chose.
        let raw = self.tools.get(&outcome.tool).is_some_and(|t| t.raw)
            || matches!(outcome.act, Act::Run | Act::Unknown) && !outcome.parts.structured;
        for leaf in &mut outcome.parts.leaves {
            if raw {
                leaf.field = Field::Outside;
            }
            if let Some(fields) = &fields {
                // The policy names every field that the system sets; all others are anybody's.
                let named = fields.holds(&leaf.key, &leaf.pointer);
                leaf.vouched = named && leaf.value.len() <= 512;
                leaf.field = match leaf.field {
                    // What people point at a record by, and whom outsiders may have chosen, stays that.
                    Field::Title => Field::Title,
                    Field::Party if leaf.vouched => Field::Party,
                    _ if leaf.vouched => Field::System,
                    _ => Field::Outside,
                };
            }
        }
        let prose = outcome.open && outcome.text.trim().len() > 4
            || outcome.parts.cut
            || outcome.parts.leaves.iter().any(tainting);
        if prose {
            self.tainted.get_or_insert(Taint::Result(at));
        }
        for (i, leaf) in outcome.parts.leaves.iter().enumerate() {
            if leaf.value.len() <= 512 {
                self.index.entry(key(&leaf.value, leaf.shape)).or_default().push(Place { outcome: at, leaf: i });
            }
            if self.private.len() < PRIVATE {
                for (kind, value) in private(leaf) {
                    self.private.entry(value).or_insert((kind, at));
                }
            }
        }
        self.outcomes.push(outcome);
        self.quotes.take();
    }

    /// Where the user's words hold titles of closed results. No more than so many steps are gone.
    pub(crate) fn quotes(&self, most: usize) -> &Quotes {
        self.quotes.get_or_init(|| {
            let closed = self.outcomes.iter().filter(|o| !o.open && o.call.is_some()).flat_map(|o| &o.parts.leaves);
            let titles = closed.filter(|l| l.field == Field::Title && l.value.len() <= 128);
            Quotes::new(&self.user, titles.map(|l| (l.value.as_str(), l.folded.as_str())), most)
        })
    }

    /// What is odd about the conversation, in order.
    #[must_use]
    pub fn oddities(&self) -> Vec<Oddity> {
        let mut all: Vec<Oddity> = self.oddities.iter().copied().collect();
        all.sort_unstable();
        all
    }

    /// True where the model may be acting on words that are not the user's.
    #[must_use]
    pub const fn is_tainted(&self) -> bool {
        self.tainted.is_some()
    }

    /// The join of the labels of everything read so far: the label of a value that cannot be traced.
    #[must_use]
    pub fn label(&self) -> Label {
        let integrity = if self.tainted.is_some() { Integrity::Untrusted } else { Integrity::User };
        let readers = if self.private.is_empty() { None } else { Some(std::iter::once("user".to_owned()).collect()) };
        Label { integrity, readers }
    }

    /// Where a result came from.
    pub(crate) fn origin(&self, place: Place) -> Origin {
        let Some(outcome) = self.outcomes.get(place.outcome) else { return Origin::new(Source::Tool) };
        let field = outcome.parts.leaves.get(place.leaf).map(|l| Arc::from(l.pointer.as_str()));
        Origin { field, ..Origin::tool(&outcome.tool) }
    }
}

/// True where no two records stand outside lists.
fn one_record(leaves: &[Leaf]) -> bool {
    let mut records = leaves.iter().filter(|l| !l.family.contains('*')).map(|l| l.record);
    records.next().is_none_or(|first| records.all(|record| record == first))
}

/// True where a field may carry an instruction: everything but numbers, moments, and single names.
fn tainting(leaf: &Leaf) -> bool {
    let value = leaf.value.as_str();
    if value.trim().is_empty() || value.len() <= 64 && matches!(leaf.shape, Shape::Number | Shape::Moment) {
        return false;
    }
    if value.len() > 64 {
        return true;
    }
    let words = name_pieces(value).count();
    let one = !value.trim().contains(char::is_whitespace);
    let most = if leaf.field == Field::System { 3 } else { 2 };
    let address = one && (leaf.shape == Shape::Email || is_file_name(value));
    !(words <= most && (one || leaf.field == Field::System) || address && words <= 8)
}

/// Private values in a field: all of a field with such a name, and in prose what follows such a word.
fn private(leaf: &Leaf) -> Vec<(String, String)> {
    let value = leaf.value.as_str();
    if let Some(kind) = &leaf.key.private
        && (4..=256).contains(&value.trim().len())
    {
        return vec![(kind.clone(), fold(value))];
    }
    let mut found = Vec::new();
    if value.split_whitespace().nth(1).is_none() || !vocab::hints_at_private(&leaf.folded) {
        return found;
    }
    let mut near: Option<(String, usize)> = None;
    let mut last = String::new();
    for word in value.split_whitespace().take(20_000) {
        let trimmed = word.trim_matches(|c: char| !c.is_alphanumeric());
        let pieces: Vec<String> = std::iter::once(last.clone()).chain(tokens(trimmed)).collect();
        if let Some(kind) = vocab::private(&pieces) {
            near = Some((kind, 6));
        } else if let Some((kind, left)) = near.take() {
            let digits = trimmed.bytes().filter(u8::is_ascii_digit).count();
            if trimmed.len() >= 4 && (digits >= 3 || digits >= 1 && trimmed.len() >= 6) {
                found.push((kind, fold(trimmed)));
            } else if left > 1 {
                near = Some((kind, left - 1));
            }
        }
        last = tokens(trimmed).last().unwrap_or_default();
    }
    found
}

/// True where the user asks to do what a text says, and not what these words say.
fn delegates(words: &[String]) -> bool {
    const DO: &[&str] =
        &["do", "follow", "carry", "execute", "perform", "complete", "handle", "act", "finish", "process", "work"];
    const WHAT: &[&str] = &["action", "instruct", "task", "todo", "todos", "step", "request", "item", "asks", "says"];
    words.iter().enumerate().any(|(i, word)| {
        let near = || words.iter().skip(i + 1).take(8).take_while(|w| !w.is_empty());
        DO.contains(&word.as_str())
            && near().any(|w| WHAT.contains(&stem(w).as_str()) || WHAT.contains(&w.as_str()))
            && near().take(8).any(|w| {
                matches!(
                    w.as_str(),
                    "specified" | "list" | "listed" | "described" | "in" | "on" | "from" | "mentioned" | "written"
                )
            })
            && !near().any(|w| w == "following" || w == "order")
    })
}
