//! The decision on one call: each authority argument is traced, content is looked at for what it would carry out.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use bartizan_core::{Integrity, Label, Origin, Source, Verdict};
use serde_json::Value;

use super::history::{Bounds, Call, History, Oddity, Outcome, Place, Taint};
use super::rules::{CallRule, Need};
use super::text::{Shape, addresses, covered, fold, is_file_name, key, name_tokens, shape, stem, tokens};
use super::tool::{Role, Tool};
use super::value::{Field, Leaf};
use super::vocab::{self, Act, among};
use super::work::{Decider, Pointed, Sight};

/// Most values in the arguments of one call, and the deepest nesting that is entered.
const VALUES: usize = 4096;
const DEPTH: usize = 32;
/// Longest pointer to one: each value has its own.
pub(super) const POINTER: usize = 2048;
/// What it costs to look at a field for all that it may be.
const LEAF: usize = 8;
/// What it costs to tell how far a field may be believed.
const TRACED: usize = 32;
/// Verbs by which a person decides of one thing among several.
const DECIDES: &[&str] =
    &["approve", "publish", "sign", "release", "authorize", "authorise", "grant", "decide", "settle"];
/// How far lookups of lookups are followed.
pub(super) const CHAIN: u8 = 3;

/// How well a value is traced. Ordered from nothing to the user's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trace {
    /// Found nowhere: the join of everything read.
    Untraced,
    /// Found only where anybody may have written.
    Untrusted,
    /// Stands as it is in a closed source that the user named.
    Source,
    /// A field that the system set in a result of a closed tool.
    Reference,
    /// In the address book.
    Contact,
    /// A field of a record that the user's words point at, or that this conversation made.
    Record,
    /// The user's or the operator's words.
    User,
}

impl Trace {
    /// The word for it in explanations and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Untraced => "untraced",
            Self::Untrusted => "untrusted",
            Self::Source => "source",
            Self::Reference => "ref",
            Self::Contact => "contact",
            Self::Record => "record",
            Self::User => "user",
        }
    }

    /// Integrity of a value with that trace.
    #[must_use]
    pub const fn integrity(self) -> Integrity {
        match self {
            Self::User | Self::Record | Self::Contact | Self::Reference => Integrity::User,
            Self::Source | Self::Untrusted | Self::Untraced => Integrity::Untrusted,
        }
    }
}

/// Why a call does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The arguments are no JSON object.
    Malformed,
    /// The request does not offer the tool.
    UnknownTool,
    /// Two tools of one name are offered.
    AmbiguousTool,
    /// The policy says never.
    Forbidden,
    /// The policy says always ask.
    AlwaysAsk,
    /// An authority argument is not traced well enough.
    Authority,
    /// The user named another one of the same list.
    OtherNamed,
    /// The user's words give another quantity, choice or day.
    OtherSaid,
    /// The user asked for no act of this kind.
    NotAsked,
    /// The text would carry a new link or address.
    NewAddress,
    /// The text would carry a private value.
    PrivateValue,
    /// The text would carry encoded data.
    EncodedData,
    /// There is more than is looked at.
    TooLarge,
    /// More would have to be compared than one decision may.
    TooMuchWork,
    /// The same call was made too often in a row.
    Loop,
    /// The conversation has made all the calls that it may.
    TooMany,
    /// The command does more than a coding agent may do unasked.
    Impact,
    /// The command would install what nobody has looked at.
    Package,
}

impl Why {
    /// True for what stops a call even where nobody but user and operator has spoken.
    const fn is_anybodys(self) -> bool {
        matches!(self, Self::Forbidden | Self::AlwaysAsk | Self::TooLarge | Self::Loop | Self::TooMany)
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed-arguments",
            Self::UnknownTool => "unknown-tool",
            Self::AmbiguousTool => "ambiguous-tool",
            Self::Forbidden => "forbidden",
            Self::AlwaysAsk => "always-ask",
            Self::Authority => "authority",
            Self::OtherNamed => "other-named",
            Self::OtherSaid => "other-said",
            Self::NotAsked => "not-asked",
            Self::NewAddress => "new-address",
            Self::PrivateValue => "private-value",
            Self::EncodedData => "encoded-data",
            Self::TooLarge => "too-large",
            Self::TooMuchWork => "too-much-work",
            Self::Loop => "loop",
            Self::TooMany => "too-many-calls",
            Self::Impact => "impact",
            Self::Package => "package",
        }
    }
}

/// One reason. It names places, never content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What is wrong.
    pub why: Why,
    /// JSON Pointer to the argument; empty for the call.
    pub argument: String,
    /// What was found, and what is needed.
    pub text: String,
}

/// An argument value and where it came from: one edge of the argument → source graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// JSON Pointer to the value in the arguments.
    pub argument: String,
    /// What the argument is for.
    pub role: Role,
    /// How well it is traced.
    pub trace: Trace,
    /// Where it was found.
    pub origin: Option<Origin>,
    /// Its label.
    pub label: Label,
}

/// What is decided of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Allow, hold for an approval, or deny.
    pub verdict: Verdict,
    /// Why not allowed; empty where it is.
    pub reasons: Vec<Reason>,
    /// Every traced argument.
    pub arguments: Vec<Traced>,
}

/// A leaf of the arguments.
struct Arg<'a> {
    pointer: String,
    path: Vec<Option<&'a str>>,
    key: &'a str,
    value: Cow<'a, Value>,
}

impl History {
    /// Decides a call on what is in the history.
    #[must_use]
    pub fn decide(&self, call: &Call) -> Decision {
        self.decide_after(call, 0)
    }

    /// The same behind so many other calls of the same reply.
    #[must_use]
    pub fn decide_after(&self, call: &Call, others: usize) -> Decision {
        Decider::new(self).decide(call, others)
    }
}

impl<'a> Decider<'a> {
    pub(super) fn decide(&self, call: &Call, others: usize) -> Decision {
        let mut d = Decision { verdict: Verdict::Allow, reasons: Vec::new(), arguments: Vec::new() };
        let Some(fields) = call.args.as_object() else {
            d.stop(Verdict::Deny, Why::Malformed, "", "the arguments are no JSON object".to_owned());
            return d;
        };
        let Some(tool) = self.tools.get(&call.name) else {
            d.stop(Verdict::Deny, Why::UnknownTool, "", "the request does not offer this tool".to_owned());
            return d;
        };
        if self.twice.contains(&call.name) {
            d.stop(Verdict::Deny, Why::AmbiguousTool, "", "the request offers two tools of this name".to_owned());
            return d;
        }
        self.stop_at_bounds(call, others, &mut d);
        let mut args = Vec::new();
        for (name, value) in fields {
            collect(value, name, format!("/{}", escape(name)), &mut vec![Some(name.as_str())], &mut args);
        }
        if args.len() >= VALUES {
            d.stop(Verdict::Deny, Why::TooLarge, "", "more argument values than are looked at".to_owned());
        }
        let tool = tool.in_call(&call.args);
        let tool = tool.as_ref();
        let rule = self.rules.as_deref().map(|r| r.call(&call.name)).unwrap_or_default();
        if rule.whole.contains(&Need::Never) {
            d.stop(Verdict::Deny, Why::Forbidden, "", "the policy forbids this tool".to_owned());
        }
        if rule.whole.contains(&Need::Ask) {
            d.stop(Verdict::Hold, Why::AlwaysAsk, "", "the policy asks for an approval of each call".to_owned());
        }
        if let Some(coding) = self.coding.as_deref().filter(|_| rule.is_silent())
            && self.decide_work(coding, tool, &call.args, &mut d)
        {
            return d;
        }
        let mut addresses = HashSet::new();
        for arg in &args {
            let sure = (d.arguments.len(), d.reasons.len());
            self.argument(tool, &rule, arg, call, &mut d, &mut addresses);
            if self.is_spent() {
                // What was said of this one rests on less than there is.
                d.arguments.truncate(sure.0);
                d.reasons.truncate(sure.1);
                break;
            }
        }
        if self.tainted.is_none() {
            // Nobody but user and operator has spoken: what the model does is its own.
            d.reasons.retain(|r| r.why.is_anybodys());
            if d.reasons.is_empty() {
                d.verdict = Verdict::Allow;
            }
            return d;
        }
        if !rule.whole.contains(&Need::Any) && !self.is_spent() {
            let sure = d.reasons.len();
            self.act(tool, &rule.whole, &args, &mut d);
            self.content(tool, &rule, &args, &addresses, &mut d);
            if self.is_spent() {
                d.reasons.truncate(sure);
            }
        }
        if self.is_spent() {
            d.stop(
                Verdict::Hold,
                Why::TooMuchWork,
                "",
                "the values are too many to compare with all others".to_owned(),
            );
        }
        d
    }

    /// What an agent that runs in circles is stopped by.
    fn stop_at_bounds(&self, call: &Call, others: usize, d: &mut Decision) {
        let Bounds { calls, repeats } = self.bounds;
        if calls > 0 && self.called.saturating_add(others) >= calls {
            d.stop(Verdict::Deny, Why::TooMany, "", format!("{calls} calls were made"));
        }
        let again = |(last, _): &&(Call, usize)| (&last.name, &last.args) == (&call.name, &call.args);
        let times = self.last.as_ref().filter(again).map_or(0, |(_, times)| *times);
        if repeats > 0 && times >= repeats {
            d.stop(Verdict::Deny, Why::Loop, "", format!("the same call was made {times} times in a row"));
        }
    }

    /// One argument: its role, its trace, and whether that is enough.
    fn argument(
        &self,
        tool: &Tool,
        rule: &CallRule<'_>,
        arg: &Arg<'_>,
        call: &Call,
        d: &mut Decision,
        all: &mut HashSet<(Shape, String)>,
    ) {
        let own = rule.argument(arg.path.first().copied().flatten().unwrap_or_default(), arg.key);
        let role = tool.role(arg.key, &arg.path, &arg.value);
        let free = own.unwrap_or(&rule.whole).contains(&Need::Any) || tool.only_reads() || self.tainted.is_none();
        if !free && self.says_otherwise(tool, arg.key, &arg.path, &arg.value, call) {
            let text = "the user's words give another value".to_owned();
            d.stop(Verdict::Hold, Why::OtherSaid, &arg.pointer, text);
        }
        let text = match arg.value.as_ref() {
            Value::String(s) => s.clone(),
            Value::Number(n) => n.to_string(),
            _ => return,
        };
        if text.trim().is_empty() || own.is_none() && !role.is_authority() {
            return;
        }
        for piece in pieces(&text, role) {
            let seen = shape(piece);
            let asked = (arg.key.to_owned(), role, piece.to_owned());
            let (mut trace, place) = self.traces.ask(asked, || self.trace(tool, arg.key, role, piece, CHAIN));
            // A choice that the schema gives is the user's where they mention it and no other.
            if trace < Trace::User && self.is_users_choice(tool, &arg.path, piece) {
                trace = Trace::User;
            }
            if trace == Trace::Record
                && let Some((outcome, leaf)) = place.and_then(|place| self.at(place))
                && self.user.has_address_of(seen)
                && !outcome.made(leaf)
                && !place.is_some_and(|place| self.is_named_itself(place, leaf))
            {
                // The user has written down where to, and it is not here.
                trace = if outcome.contacts { Trace::Contact } else { Trace::Reference };
            }
            if trace >= Trace::Contact && matches!(seen, Shape::Email | Shape::Url | Shape::Iban | Shape::Phone) {
                all.insert((seen, key(piece, seen)));
            }
            let origin = match (trace, place) {
                (Trace::User, _) => {
                    Some(Origin::new(if self.holds(piece, seen) { Source::User } else { Source::System }))
                }
                (_, Some(place)) => Some(self.origin(place)),
                _ => None,
            };
            let label = match trace {
                Trace::Untraced => self.label(),
                trace => Label { integrity: trace.integrity(), readers: None },
            };
            let found = if trace == Trace::Untraced && self.holds(piece, seen) {
                "in the user's words, but not behind the name of its kind".to_owned()
            } else if trace == Trace::Untraced && !self.is_explaining() {
                "no field of a result".to_owned()
            } else {
                found(trace, origin.as_ref())
            };
            d.arguments.push(Traced { argument: arg.pointer.clone(), role, trace, origin, label });
            let needs: Vec<Need> = match own {
                Some(needs) => needs.to_vec(),
                None if tool.only_reads() && !leads_out(tool, role, seen, arg.key) => continue,
                None if rule.whole.contains(&Need::Any) => continue,
                None if rule.whole.iter().any(|n| n.is_trace()) => rule.whole.clone(),
                // The name of a host may be that of a service inside.
                None if tool.only_reads() && !tool.open && seen == Shape::Url && !piece.contains("://") => {
                    vec![Need::Source, Need::Ref]
                }
                None => vec![self.least(tool, role, seen, arg.key)],
            };
            if needs.contains(&Need::Any) {
                continue;
            }
            if needs.contains(&Need::Never) {
                d.stop(Verdict::Deny, Why::Forbidden, &arg.pointer, "the policy forbids this argument".to_owned());
            } else if !(needs.iter().any(|n| n.accepts(trace))
                // Who is in the address book stays so where the user names them.
                || trace == Trace::Record
                    && needs.contains(&Need::Contact)
                    && place.and_then(|place| self.at(place)).is_some_and(|(outcome, _)| outcome.contacts))
            {
                let wanted: Vec<&str> = needs.iter().map(|n| n.as_str()).collect();
                d.stop(Verdict::Hold, Why::Authority, &arg.pointer, format!("{found}; needs {}", wanted.join(" or ")));
            } else if trace == Trace::Reference
                && own.is_none()
                && let Some(place) = place
                && self.other_named(place, piece)
            {
                d.stop(
                    Verdict::Hold,
                    Why::OtherNamed,
                    &arg.pointer,
                    format!("{found}; the user named another of this list"),
                );
            }
        }
    }

    /// The least trace that an authority argument needs, where no policy says it.
    fn least(&self, tool: &Tool, role: Role, seen: Shape, key: &str) -> Need {
        let words = name_tokens(key);
        let handle = seen == Shape::Words && words.iter().any(|w| among(vocab::PARTY, w));
        match role {
            Role::Secret | Role::Command => Need::User,
            _ if tool.only_reads() && seen == Shape::Url => Need::Source,
            Role::Address if !handle => Need::Record,
            _ if tool.destructive || tool.act == Act::Pay => Need::Record,
            // What goes along with a message leaves.
            _ if tool.act == Act::Tell && words.iter().any(|w| among(vocab::DOCUMENTS, w)) => Need::Record,
            // Which of the things that are there is changed: an identifier tells a person nothing.
            _ if (tool.act == Act::Change || DECIDES.contains(&tool.verb.as_str()))
                && words.last().is_some_and(|w| matches!(w.as_str(), "id" | "no" | "number" | "ref" | "reference")) =>
            {
                Need::Record
            }
            _ => Need::Ref,
        }
    }

    /// Where a value comes from, and how far that may be believed.
    pub(super) fn trace(&self, tool: &Tool, name: &str, role: Role, value: &str, chain: u8) -> (Trace, Option<Place>) {
        if !self.spend_bytes(value.len()) {
            return (Trace::Untraced, None);
        }
        let seen = shape(value);
        if self.is_users(tool, name, role, value, seen) {
            return (Trace::User, None);
        }
        let mut best = (Trace::Untraced, None);
        let disguised = super::text::disguised(value);
        for place in self.index.get(&key(value, seen)).into_iter().flatten().take(256) {
            let Some((outcome, leaf)) = self.at(*place) else { continue };
            if disguised && leaf.value != value {
                continue;
            }
            if !self.spend(TRACED) {
                return (Trace::Untraced, None);
            }
            let trace = self.leaf_trace(tool, name, role, value, seen, *place, outcome, leaf, chain);
            if trace > best.0 || best.1.is_none() {
                best = (trace, Some(*place));
            }
            if trace == Trace::Record {
                break;
            }
        }
        if best.0 < Trace::Source
            && seen == Shape::Url
            && role == Role::Address
            && chain > 0
            && let Some(place) = self.stands_in_source(value)
        {
            return (Trace::Source, Some(place));
        }
        if best.0 == Trace::Untraced && self.is_explaining() {
            // For the explanation only.
            let wanted = fold(value);
            let holds = |l: &Leaf| {
                self.explains(16)
                    && l.value.len() >= value.len()
                    && self.explains(l.folded.len())
                    && l.folded.contains(&wanted)
            };
            let hit = self.outcomes.iter().enumerate().filter(|_| wanted.len() >= 3).find_map(|(i, o)| {
                let leaf = o.parts.leaves.iter().position(holds)?;
                Some(Place { outcome: i, leaf })
            });
            if let Some(place) = hit {
                return (Trace::Untrusted, Some(place));
            }
        }
        best
    }

    /// True where the user or the operator wrote the value. A short number is everywhere: where it says which thing, it
    /// counts only behind the name of its kind (`order 7`, `file #13`).
    fn is_users(&self, tool: &Tool, name: &str, role: Role, value: &str, seen: Shape) -> bool {
        let said = self.said(value, seen);
        let digits = value.chars().filter(char::is_ascii_digit).count();
        if !said {
            return false;
        }
        if seen == Shape::Number && !role.is_authority() {
            // How much is no choice among things.
            return true;
        }
        let postal = name_tokens(name).iter().any(|w| matches!(w.as_str(), "zip" | "zipcode" | "postcode" | "postal"));
        let weak = seen == Shape::Number && digits < if postal { 4 } else { 5 }
            || value.chars().filter(|c| c.is_alphanumeric()).count() < 2;
        if !weak {
            return true;
        }
        // Each place is looked for.
        if !self.spend_bytes(self.user.bytes() + self.operator.bytes()) {
            return false;
        }
        let kinds = kinds_of_argument(tool, name);
        self.user.before(value).iter().chain(&self.operator.before(value)).any(|words| {
            words
                .iter()
                .rev()
                .take(4)
                .filter(|w| !matches!(w.as_str(), "id" | "number" | "no" | "nr" | "with" | "the" | "num"))
                .take(1)
                .any(|w| same_kind(&kinds, &[stem(w)]))
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the value, where it was found, and what it is wanted for")]
    fn leaf_trace(
        &self,
        tool: &Tool,
        name: &str,
        role: Role,
        value: &str,
        seen: Shape,
        place: Place,
        outcome: &Outcome,
        leaf: &'a Leaf,
        chain: u8,
    ) -> Trace {
        let file = leaf.field == Field::Title && is_file_name(value);
        if outcome.open && !self.is_search_hit(outcome, leaf)
            || outcome.call.is_none()
            || leaf.field == Field::Outside
            || leaf.field == Field::Title && !file && !leaf.vouched
        {
            return Trace::Untrusted;
        }
        if outcome.open {
            return if role == Role::Address && tool.only_reads() { Trace::Source } else { Trace::Untrusted };
        }
        if role == Role::Secret || role == Role::Command {
            return Trace::Untrusted;
        }
        if !self.type_fits(tool, name, seen, value, outcome, leaf) {
            return Trace::Untrusted;
        }
        let pointed =
            self.meant(leaf) && (outcome.made(leaf) || self.pointed(place, chain) && !self.contested(place, leaf));
        if pointed {
            return Trace::Record;
        }
        if outcome.contacts && !outcome.parts.textual {
            return Trace::Contact;
        }
        let harmless = !tool.destructive && tool.act != Act::Pay;
        if seen == Shape::Email && self.named_by_address(value)
            || harmless && self.only_hit(place.outcome, leaf)
            || self.is_spoken_of(place.outcome, leaf, if harmless { 1 } else { 2 })
            || self.all_are_meant(tool, place.outcome, leaf, chain)
        {
            return Trace::Record;
        }
        // In a text anybody who is quoted there may have written a row.
        if outcome.parts.textual { Trace::Untrusted } else { Trace::Reference }
    }

    /// True where a leaf is of the record that [`Self::spoken_of`] finds, by so many words.
    fn is_spoken_of(&self, at: usize, leaf: &'a Leaf, least: usize) -> bool {
        !matches!(leaf.shape, Shape::Email | Shape::Url | Shape::Iban | Shape::Phone)
            && self.spoken_of(at, leaf).is_some_and(|(record, words)| record == leaf.record && words >= least)
    }

    /// The one record of a leaf's list of which the user's words hold a word that stands in no other, and how many they
    /// hold: "the laptop request" among pallet jacks and laptops.
    fn spoken_of(&self, at: usize, leaf: &'a Leaf) -> Option<(usize, usize)> {
        let (list, _) = leaf.family.split_once('*')?;
        let sight = self.sight(at)?;
        sight.spoken_of.ask(list, || self.spoken_of_in(self.outcomes.get(at)?, list))
    }

    fn spoken_of_in(&self, outcome: &Outcome, list: &str) -> Option<(usize, usize)> {
        const MOST: usize = 512;
        let says = |l: &&Leaf| {
            l.family.starts_with(list)
                && l.field != Field::Outside
                && l.value.len() <= 96
                // `ann.lee` has the form of a host.
                && matches!(l.shape, Shape::Words | Shape::Url)
                && !l.value.contains('/')
        };
        let is_idle = |token: &str, stemmed: &str| {
            token.chars().count() < 3
                || !token.chars().all(char::is_alphabetic)
                || vocab::is_common(token)
                || vocab::IDLE_WORDS.contains(&token)
                // The name of a kind is no name of one: "run the tests" says nothing of `tests/a.py`.
                || self.spend(self.tools.len()) && self.tools.values().any(|tool| tool.nouns.iter().any(|noun| noun == stemmed))
        };
        let apart = |stemmed: &str, title: &str| {
            let places = self.user.places(stemmed);
            let words = places.iter().filter_map(|at| self.user.sequence().get(*at));
            self.spend(places.len()) && words.into_iter().any(|word| self.says_apart(word, title))
        };
        // Words that the user's hold, and the record in which each stands, where it is one.
        let mut found: HashMap<String, Option<usize>> = HashMap::new();
        for l in outcome.parts.leaves.iter().take(MOST).filter(says) {
            for token in tokens(&l.value).filter(|t| self.spend(1) && self.user.has(t)) {
                let stemmed = stem(&token);
                if !is_idle(&token, &stemmed) && apart(&stemmed, &l.folded) {
                    let once = found.entry(stemmed).or_insert(Some(l.record));
                    *once = once.filter(|record| *record == l.record);
                }
            }
        }
        let mut records = found.values().copied().flatten();
        let first = records.next()?;
        let words = records.clone().count() + 1;
        records.all(|record| record == first).then_some((first, words))
    }

    /// True for the records of a list that the user's words chose, where they speak of all of them: "throw those
    /// samples away" behind a search for the samples of a project.
    fn all_are_meant(&self, tool: &Tool, at: usize, leaf: &Leaf, chain: u8) -> bool {
        const ALL: &[&str] = &["all", "every", "each", "everything", "everyone", "everybody", "those", "these", "both"];
        /// "All received RIVER-7 samples."
        const NEAR: usize = 5;
        let (Some(outcome), Some(sight)) = (self.outcomes.get(at), self.sight(at)) else { return false };
        let said = || {
            let said = self.user.sequence();
            self.spend(said.len())
                && said.iter().enumerate().filter(|(_, w)| ALL.contains(&w.as_str())).any(|(at, _)| {
                    said.iter().skip(at).take(NEAR).any(|w| outcome.nouns.iter().any(|noun| *noun == stem(w)))
                })
        };
        chain > 0
            && !(outcome.parts.textual && tool.destructive)
            && leaf.family.matches('*').count() == 1
            && matches!(leaf.field, Field::System)
            && *sight.all_meant.get_or_init(said)
            && outcome.call.as_ref().is_some_and(|c| c.args.as_object().is_some_and(|a| !a.is_empty()))
            && self.looked_up(at, chain - 1)
    }

    /// True for the one record of a lookup by the user's words of which the title shares a word with them, if only in
    /// part: `Dentist Appointment` for "my dental check-up".
    fn only_hit(&self, at: usize, leaf: &Leaf) -> bool {
        if matches!(leaf.shape, Shape::Email | Shape::Url | Shape::Iban | Shape::Phone) {
            return false;
        }
        let Some(sight) = self.sight(at) else { return false };
        *sight.hit.get_or_init(|| self.hit(self.outcomes.get(at)?)) == Some(leaf.record)
    }

    /// The one record of a lookup of which the title is like the user's words.
    fn hit(&self, outcome: &Outcome) -> Option<usize> {
        let args = outcome.call.as_ref()?.args.as_object()?;
        let mut given = args.values().filter_map(Value::as_str).filter(|v| !v.is_empty()).peekable();
        if given.peek().is_none() || !given.all(|v| self.holds(v, shape(v))) {
            return None;
        }
        let near = |title: &str| tokens(title).any(|t| !vocab::IDLE_WORDS.contains(&t.as_str()) && self.has_like(&t));
        let titles = outcome.parts.leaves.iter().filter(|l| l.field == Field::Title && near(&l.value));
        let mut hits: Vec<usize> = titles.map(|l| l.record).collect();
        hits.dedup();
        match hits.as_slice() {
            [hit] => Some(*hit),
            _ => None,
        }
    }

    /// A record has many people in it. One in a relation to it (participant, owner, sender) is meant only where the user's
    /// words name the relation.
    fn meant(&self, leaf: &Leaf) -> bool {
        if !matches!(leaf.shape, Shape::Email | Shape::Url | Shape::Iban | Shape::Phone) {
            return true;
        }
        self.relations(leaf).iter().all(|said| *said)
    }

    /// The relations that a field is named by, and whether the user's words name each.
    fn relations(&self, leaf: &Leaf) -> Vec<bool> {
        let above = name_tokens(leaf.pointer.rsplit('/').nth(1).unwrap_or_default());
        let words: Vec<&String> = leaf.key.iter().chain(&above).collect();
        let named = vocab::RELATIONS.iter().filter(|(fields, _)| words.iter().any(|w| among(fields, w)));
        named.map(|(fields, said)| fields.iter().chain(*said).any(|w| self.user.has(w))).collect()
    }

    /// True where the user's words speak of whoever has an address: by name, or by a relation.
    fn is_named_itself(&self, place: Place, leaf: &Leaf) -> bool {
        let relations = self.relations(leaf);
        let Some(sight) = self.sight(place.outcome) else { return false };
        !relations.is_empty() && relations.iter().all(|said| *said)
            || leaf.shape == Shape::Email && self.named_by_address(&leaf.value)
            || sight.of_record(leaf.record).any(|(_, l)| {
                self.spend(LEAF)
                    && l.field != Field::Outside
                    && l.key.iter().any(|w| among(vocab::NAME, w))
                    && !matches!(l.shape, Shape::Email | Shape::Url | Shape::Iban | Shape::Phone)
                    && self.named(sight, l)
            })
    }

    /// An identifier counts only for the kind of thing that it identifies: event 13 is not file 13.
    fn type_fits(&self, tool: &Tool, name: &str, seen: Shape, value: &str, outcome: &Outcome, leaf: &Leaf) -> bool {
        let id = |words: &[String]| {
            words.last().is_some_and(|w| {
                matches!(w.as_str(), "id" | "ids" | "number" | "no" | "code" | "key" | "uuid" | "ref" | "reference")
            })
        };
        let wanted = name_tokens(name);
        let strong = value.len() >= 8
            && value.bytes().any(|b| b.is_ascii_digit())
            && value.bytes().any(|b| b.is_ascii_alphabetic());
        if !(id(&wanted) || seen == Shape::Number) || matches!(seen, Shape::Email | Shape::Url | Shape::Iban) {
            return true;
        }
        let kinds = kinds_of_argument(tool, name);
        let mut is: Vec<String> =
            leaf.key.iter().filter(|w| !vocab::IDLE_NOUNS.contains(&w.as_str())).map(|w| stem(w)).collect();
        if is.is_empty() || is.iter().all(|w| matches!(w.as_str(), "cod" | "ref" | "referenc" | "uuid")) {
            if seen == Shape::Number && !id(&leaf.key) && !leaf.key.is_empty() {
                return false;
            }
            let parent = leaf.family.rsplit('/').skip(1).find(|s| !s.is_empty() && *s != "*").unwrap_or_default();
            is.extend(name_tokens(parent).iter().map(|w| stem(w)));
            if parent.is_empty() {
                is.extend(outcome.nouns.iter().cloned());
            }
        } else if seen == Shape::Number && !id(&leaf.key) && is.iter().all(|w| !kinds.contains(w)) {
            return false;
        }
        same_kind(&kinds, &is) || strong && (kinds.is_empty() || is.is_empty()) || **leaf.key == *wanted
    }

    /// True where the user's words point at the record of a leaf: by its title, by a name in it that only it has, by an
    /// address or long identifier in it, or because it was looked up by such a value.
    pub(super) fn pointed(&self, place: Place, chain: u8) -> bool {
        let (Some((outcome, leaf)), Some(sight)) = (self.at(place), self.sight(place.outcome)) else { return false };
        if chain > 0
            && (outcome.is_its_own(leaf) || self.is_sole(outcome, sight, leaf))
            && self.looked_up(place.outcome, chain - 1)
        {
            return true;
        }
        match sight.pointed.ask(leaf.record, || self.points_at(sight, leaf.record)) {
            Pointed::No => false,
            Pointed::By(at) => at != place.leaf,
            Pointed::Yes => true,
        }
    }

    /// True where a leaf is of the only record of its list and nobody writes free text there: the one payment of an
    /// order is the order's, as the one review is not.
    fn is_sole(&self, outcome: &'a Outcome, sight: &Sight<'a>, leaf: &'a Leaf) -> bool {
        let Some((list, rest)) = leaf.family.split_once('*') else { return false };
        outcome.single
            && list != "/"
            && !rest.contains('*')
            && sight.sole.ask(list, || {
                let leaves = &outcome.parts.leaves;
                let mut beside = leaves.iter().filter(|l| l.family.starts_with(list));
                self.spend(leaves.len()) && beside.all(|l| l.record == leaf.record && l.field != Field::Outside)
            })
    }

    /// Whether the user's words point at a record, and by what.
    fn points_at(&self, sight: &Sight<'a>, record: usize) -> Pointed {
        let idle = |w: &str| vocab::IDLE_WORDS.contains(&w) || w.chars().count() < 2;
        let mut by = Pointed::No;
        for (at, l) in sight.of_record(record) {
            if !self.spend(LEAF) {
                return Pointed::No;
            }
            let seen = l.shape;
            let last = l.key.last().map(String::as_str).unwrap_or_default();
            let points = match l.field {
                Field::Outside => false,
                Field::Title => l.value.chars().any(char::is_alphabetic) && covered(&l.value, &self.user, idle),
                _ if matches!(seen, Shape::Email | Shape::Url | Shape::Iban | Shape::Phone) => {
                    // An address picks a record out where nobody else's record has it; a sender writes many.
                    let writer = l.key.iter().any(|w| matches!(w.as_str(), "sender" | "from" | "author"));
                    if self.holds(&l.value, seen) && (writer || sight.is_alone(l)) {
                        match by {
                            Pointed::No => by = Pointed::By(at),
                            _ => return Pointed::Yes,
                        }
                    }
                    false
                }
                _ if l.key.iter().any(|w| among(vocab::NAME, w)) || l.family.ends_with("#key") => {
                    self.named(sight, l) || is_file_name(&l.value) && covered(&l.value, &self.user, idle)
                }
                _ => {
                    let digits = l.value.bytes().filter(u8::is_ascii_digit).count();
                    (digits >= 5 || digits >= 3 && l.value.len() >= 5)
                        && seen != Shape::Moment
                        && (matches!(last, "id" | "number" | "code" | "key" | "no" | "reference" | "sku")
                            || l.key.is_empty())
                        && self.holds(&l.value, seen)
                        || seen == Shape::Words && self.is_only_one(sight, l)
                }
            };
            if points {
                return Pointed::Yes;
            }
        }
        by
    }

    /// True where the user's words hold all of a value that only one of several records has: the drug of a prescription,
    /// the symbol of an order.
    fn is_only_one(&self, sight: &Sight<'a>, leaf: &Leaf) -> bool {
        let words: Vec<String> = tokens(&leaf.value).take(5).collect();
        leaf.value.chars().filter(|c| c.is_alphabetic()).count() >= 3
            && words.len() <= 4
            && words.iter().all(|w| self.user.has(w) && self.says_apart(w, &leaf.folded))
            && words.iter().any(|w| self.user.has_name(w))
            && sight.is_alone_in_family(leaf)
    }

    /// True where the user's words hold a part of a name that no other name of the list holds.
    fn named(&self, sight: &Sight<'a>, leaf: &'a Leaf) -> bool {
        let words: Vec<String> =
            tokens(&leaf.value).filter(|w| !vocab::IDLE_WORDS.contains(&w.as_str())).take(12).collect();
        if words.is_empty() || words.len() > 8 {
            return false;
        }
        let all = words.iter().all(|w| self.user.has(w));
        if !words.iter().any(|w| self.says_apart(w, &leaf.folded)) {
            return false;
        }
        all || words.iter().any(|w| {
            w.chars().count() >= 3
                && !w.bytes().all(|b| b.is_ascii_digit())
                && self.user.has_name(w)
                && self.says_apart(w, &leaf.folded)
                && sight.is_only_with(leaf, w)
        })
    }

    /// True where the user's words hold a name out of the address, and no other address read so far has that name.
    fn named_by_address(&self, value: &str) -> bool {
        let own = fold(value);
        let local = value.rsplit_once('@').map(|(local, _)| local).unwrap_or_default();
        tokens(local)
            .filter(|t| {
                t.chars().count() >= 3 && t.chars().all(char::is_alphabetic) && !vocab::ROLES.contains(&t.as_str())
            })
            .any(|token| self.user.has_name(&token) && self.is_only_mailbox(&token, &own))
    }

    /// True where another record that the user's words point at gives another value for the same field, and outsiders
    /// choose that value: one of the two may have been made to be found.
    fn contested(&self, place: Place, leaf: &'a Leaf) -> bool {
        let (Some((outcome, _)), Some(sight)) = (self.at(place), self.sight(place.outcome)) else { return false };
        if leaf.field != Field::Party && !outcome.parts.textual {
            return false;
        }
        let found = || {
            let pointed = |at: usize, _: &Leaf| self.pointed(Place { leaf: at, ..place }, 0).then_some(false);
            self.chosen(sight.of_family(&leaf.family), pointed)
        };
        let others = sight.contesting.ask(&leaf.family, found);
        self.spend(1) && others.iter().any(|o| o.record != leaf.record && o.folded != leaf.folded)
    }

    /// True where a result is about one thing that was looked up by what the user gave, or about the user.
    fn looked_up(&self, at: usize, chain: u8) -> bool {
        let (Some(outcome), Some(sight)) = (self.outcomes.get(at), self.sight(at)) else { return false };
        sight.looked_up.ask(chain, || self.is_looked_up(outcome, chain))
    }

    fn is_looked_up(&self, outcome: &Outcome, chain: u8) -> bool {
        let Some(call) = &outcome.call else { return false };
        let Some(tool) = self.tools.get(&call.name) else { return false };
        let mut args = Vec::new();
        for (name, value) in call.args.as_object().into_iter().flatten() {
            collect(value, name, String::new(), &mut vec![Some(name.as_str())], &mut args);
        }
        let mut given = args.iter().filter(|a| a.value.is_string() || a.value.is_number()).peekable();
        if given.peek().is_none() {
            let own = ["user", "account", "profile", "me", "self", "my", "whoami"];
            return outcome.nouns.iter().any(|n| own.contains(&n.as_str())) && tool.only_reads();
        }
        given.all(|a| {
            let text = a.value.as_str().map_or_else(|| a.value.to_string(), str::to_owned);
            let role = tool.role(a.key, &a.path, &a.value).max(Role::Which);
            !role.is_authority() || self.trace(tool, a.key, role, &text, chain).0 >= Trace::Record
        })
    }

    /// True where the user named where to look: a closed result of a call with the user's words, that holds the address.
    fn stands_in_source(&self, url: &str) -> Option<Place> {
        let wanted = (Shape::Url, key(url, Shape::Url));
        let host = wanted.1.split('/').next().unwrap_or_default().to_owned();
        // An address that carries a query carries data; and the user must want what is linked.
        if url.len() > 128 || url.contains(['?', '#', '@', '%']) || !vocab::LINKED.iter().any(|w| self.user.has(w)) {
            return None;
        }
        self.outcomes.iter().enumerate().find_map(|(i, outcome)| {
            let call = outcome.call.as_ref().filter(|_| !outcome.open)?;
            let holds = |l: &Leaf| {
                self.spend_bytes(l.folded.len())
                    && l.folded.contains(&host)
                    && self.spend(l.value.len())
                    && addresses(&l.value).contains(&wanted)
            };
            let leaf = outcome.parts.leaves.iter().position(holds)?;
            let place = Place { outcome: i, leaf };
            let named = call
                .args
                .as_object()
                .into_iter()
                .flatten()
                .any(|(_, v)| v.as_str().is_some_and(|s| s.chars().count() >= 3 && self.holds(s, shape(s))));
            (named || self.pointed(place, 0)).then_some(place)
        })
    }

    /// True for the address of a hit of a search on the open web that the user's words asked for.
    fn is_search_hit(&self, outcome: &Outcome, leaf: &Leaf) -> bool {
        let link = leaf.key.last().is_some_and(|w| matches!(w.as_str(), "url" | "link" | "href"));
        let Some(call) = outcome.call.as_ref().filter(|_| link && outcome.act == Act::Read) else { return false };
        name_tokens(&call.name).iter().any(|w| w == "search")
            && call.args.as_object().into_iter().flatten().filter_map(|(_, v)| v.as_str()).any(|query| {
                let words: Vec<String> = tokens(query).filter(|w| w.len() > 2).collect();
                let known = words.iter().filter(|w| self.user.has(w)).count();
                !words.is_empty() && known * 2 >= words.len()
            })
    }

    /// True where the user's words name a value of the same list, and it is another one.
    fn other_named(&self, place: Place, value: &str) -> bool {
        const MOST: usize = 2000;
        let (Some((_, leaf)), Some(sight)) = (self.at(place), self.sight(place.outcome)) else { return false };
        let own = fold(value);
        // Part of the name may be the user's too: "the channel starting with External".
        let hinted = tokens(value).any(|t| t.chars().count() >= 3 && self.user.has_name(&t));
        let found = || {
            let strong =
                |l: &Leaf| l.value.chars().filter(|c| c.is_alphabetic()).count() >= 3 && self.holds(&l.value, l.shape);
            self.chosen(sight.of_family(&leaf.family).take_while(|(at, _)| *at < MOST), |at, l| {
                if strong(l) { Some(true) } else { self.pointed(Place { leaf: at, ..place }, 0).then_some(false) }
            })
        };
        self.user.has_another_like(value)
            || !hinted
                && (self.spoken_of(place.outcome, leaf).is_some_and(|(record, _)| record != leaf.record)
                    || sight.rivals.ask(&leaf.family, found).iter().any(|other| {
                        self.spend(1) && other.folded != own && (other.said || other.record != leaf.record)
                    }))
    }

    /// The act itself: after something untrusted was read, the user must have asked for an act of this kind.
    fn act(&self, tool: &Tool, whole: &[Need], args: &[Arg<'_>], d: &mut Decision) {
        // Where the words of a user are all there could be and none of them is one's own, nobody has asked for anything.
        let nobody = self.user.is_empty() && !self.oddities.contains(&Oddity::Returned);
        if tool.only_reads() || whole.contains(&Need::Unasked) || nobody {
            return;
        }
        let asked = |words: &[&str]| words.iter().any(|w| self.asks(w));
        if tool.memory {
            // What is kept speaks in conversations that nobody sees yet.
            if !asked(vocab::KEEP) {
                let text = "the user's words do not ask to keep anything".to_owned();
                d.stop(Verdict::Hold, Why::NotAsked, "", text);
            }
            return;
        }
        if self.delegates && !tool.destructive {
            return;
        }
        if !self.asks_for(tool) && !args.iter().any(|a| tool.chosen(&a.path, &a.value).is_some_and(|w| self.asks(w))) {
            let text = format!("the user's words ask for nothing like `{}`", tool.verb);
            d.stop(Verdict::Hold, Why::NotAsked, "", text);
            return;
        }
        // Where no argument says whom or what, an act of the same kind is no more than a word. An argument that waits
        // for a person says it once it is endorsed.
        if !d.reasons.iter().any(|r| matches!(r.why, Why::Authority | Why::OtherNamed))
            && !d.arguments.iter().any(|a| a.trace >= Trace::Reference)
            && !self.speaks_of(tool)
            && !self.dictates(tool, args)
        {
            let text = format!("the user's words name nothing that `{}` is about", tool.name);
            d.stop(Verdict::Hold, Why::NotAsked, "", text);
        }
    }

    /// True where the user's words ask for what a tool does: by one of its own words, by another word for the same, or by
    /// a verb of the same kind that is not its opposite.
    fn asks_for(&self, tool: &Tool) -> bool {
        let asked = |word: &str| self.asks(word);
        if self.calls_for(tool) {
            return true;
        }
        let verb = tool.verb.as_str();
        let undone = ["un", "dis", "de"].iter().filter_map(|p| verb.strip_prefix(p)).any(|w| w.len() > 2 && asked(w))
            || ["un", "dis", "de"].iter().any(|p| asked(&format!("{p}{verb}")))
            || vocab::OPPOSITES.iter().any(|(a, b)| *a == verb && asked(b) || *b == verb && asked(a));
        let also = vocab::ALSO.iter().filter(|(word, _)| *word == verb).map(|(_, act)| *act);
        let acts: Vec<Act> = also.chain([tool.act]).collect();
        let listed = |table: &'static [(Act, &[&'static str])]| {
            table.iter().filter(|(act, _)| acts.contains(act)).flat_map(|(_, words)| words.iter().copied())
        };
        // Who verifies or monitors mostly looks, whatever else tools of that name do.
        let looks = |word: &str| vocab::READS_WITH.iter().any(|(verb, _)| *verb == word);
        // A description tells what a tool does, not which words ask for it.
        tool.named && !undone && (listed(vocab::VERBS).any(|w| !looks(w) && asked(w)) || listed(vocab::ASKS).any(asked))
    }

    /// True where the user's words hold one of a tool's own verbs, or another word for the same.
    fn calls_for(&self, tool: &Tool) -> bool {
        let asked = |word: &str| self.asks(word);
        let same = |own: &str| {
            vocab::SAME.iter().filter(|words| words.contains(&own)).any(|words| words.iter().any(|w| asked(w)))
        };
        // "Recalibrate" asks for `set_calibration`.
        let makes = |word: &str, thing: &str| {
            let word = word.strip_prefix("re").unwrap_or(word);
            let shared = word.bytes().zip(thing.bytes()).take_while(|(a, b)| a == b).count();
            word.len() >= 7 && word.ends_with("ate") && shared + 1 >= word.len()
        };
        tool.says.iter().any(|w| asked(w) || same(w))
            || self.user.sequence().iter().any(|word| tool.things.iter().any(|thing| makes(word, thing)))
    }

    /// True where every text in the call is the user's.
    fn dictates(&self, tool: &Tool, args: &[Arg<'_>]) -> bool {
        let texts = args.iter().filter(|a| tool.role(a.key, &a.path, &a.value) == Role::Content);
        let mut texts = texts.filter_map(|a| a.value.as_str()).peekable();
        texts.peek().is_some() && texts.all(|t| t.chars().count() >= 5 && self.holds(t, shape(t)))
    }

    /// True where the user's words name one of the things that a tool is about.
    fn speaks_of(&self, tool: &Tool) -> bool {
        // A message is what telling makes: who asks for that need not name it.
        let named = vocab::THINGS.iter().filter(|(act, _)| *act == tool.act);
        let implied: Vec<String> = named.flat_map(|(_, things)| things.iter().map(|t| stem(t))).collect();
        let things: Vec<&String> = tool.things.iter().filter(|t| !implied.contains(t)).collect();
        let kin = |thing: &str| {
            let kinds = vocab::kinds(thing).iter().filter_map(|at| vocab::KINDS.get(*at));
            kinds.flat_map(|kinds| kinds.iter()).any(|k| self.user.has(k))
        };
        if things.is_empty() {
            return self.calls_for(tool);
        }
        things.into_iter().any(|thing| self.user.has(thing) || kin(thing))
    }

    /// What the texts of the call would carry out.
    fn content(
        &self,
        tool: &Tool,
        rule: &CallRule<'_>,
        args: &[Arg<'_>],
        known: &HashSet<(Shape, String)>,
        d: &mut Decision,
    ) {
        let outward = matches!(tool.act, Act::Tell | Act::Admit) || tool.open || !known.is_empty();
        if !outward {
            return;
        }
        for arg in args {
            let Some(text) = arg.value.as_str() else { continue };
            if !self.spend_bytes(text.len()) {
                return;
            }
            let role = tool.role(arg.key, &arg.path, &arg.value);
            let own = rule.argument(arg.path.first().copied().flatten().unwrap_or_default(), arg.key);
            if role.is_authority() || own.is_some_and(|n| n.contains(&Need::Any)) {
                continue;
            }
            if !tool.only_reads() {
                let fresh = addresses(text)
                    .into_iter()
                    .any(|(seen, k)| !known.contains(&(seen, k.clone())) && !self.may_carry(seen, &k));
                if fresh {
                    d.stop(
                        Verdict::Hold,
                        Why::NewAddress,
                        &arg.pointer,
                        "holds a link or address that neither the user nor a trusted field gave".to_owned(),
                    );
                }
            }
            if let Some(kind) = self.carries_private(text) {
                d.stop(
                    Verdict::Hold,
                    Why::PrivateValue,
                    &arg.pointer,
                    format!("holds a value that was read as `{kind}`"),
                );
            }
            if self.carries_code(text) {
                d.stop(
                    Verdict::Hold,
                    Why::EncodedData,
                    &arg.pointer,
                    "holds encoded data that the user did not write".to_owned(),
                );
            }
        }
    }

    /// True where an address may stand in a text: the user's, the operator's, or of a record that the user points at.
    fn may_carry(&self, seen: Shape, wanted: &str) -> bool {
        if !self.spend(LEAF) {
            return false;
        }
        let said = |w: &super::text::Words| w.has_address(seen, wanted);
        said(&self.user)
            || said(&self.operator)
            || self.index.get(wanted).into_iter().flatten().take(64).any(|place| {
                self.at(*place).is_some_and(|(outcome, leaf)| {
                    !outcome.open
                        && outcome.call.is_some()
                        && matches!(leaf.field, Field::System | Field::Party)
                        && (outcome.made(leaf) || self.pointed(*place, CHAIN))
                })
            })
    }

    fn carries_private(&self, text: &str) -> Option<String> {
        if self.private.is_empty() {
            return None;
        }
        // Every value is searched for, as it is and without what parts it.
        if !self.spend((text.len() / 64 + 2).saturating_mul(self.private.len())) {
            return None;
        }
        let folded = fold(text);
        let bare: String = folded.chars().filter(|c| c.is_alphanumeric()).collect();
        self.private
            .iter()
            .filter(|(value, (kind, _))| {
                let compact: String = value.chars().filter(|c| c.is_alphanumeric()).collect();
                let inside = folded.contains(value.as_str()) || compact.len() >= 6 && bare.contains(&compact);
                let last = kind.rsplit(' ').next().unwrap_or(kind);
                inside
                    && !self.holds(value, shape(value))
                    && !(self.user.has(last) && self.user.has(kind.split(' ').next().unwrap_or(kind)))
            })
            .map(|(_, (kind, _))| kind.clone())
            .min()
    }

    fn carries_code(&self, text: &str) -> bool {
        text.split(|c: char| c.is_whitespace() || "\"'`<>()[],;".contains(c)).any(|word| {
            word.len() >= 40
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(&b))
                && word.bytes().any(|b| b.is_ascii_digit())
                && word.bytes().filter(|b| matches!(b, b'-' | b'_')).count() < 4
                && !self.holds(word, Shape::Words)
        })
    }
}

impl Decision {
    pub(super) fn stop(&mut self, verdict: Verdict, why: Why, argument: &str, text: String) {
        self.verdict = self.verdict.max(verdict);
        self.reasons.push(Reason { why, argument: argument.to_owned(), text });
    }

    /// The labels of all traced arguments, joined.
    #[must_use]
    pub fn label(&self) -> Label {
        let start = Label { integrity: Integrity::Operator, readers: None };
        self.arguments.iter().fold(start, |label, a| label.join(&a.label))
    }
}

fn found(trace: Trace, origin: Option<&Origin>) -> String {
    let place = origin
        .map(|o| format!(" `{}` at `{}`", o.tool.as_deref().unwrap_or("?"), o.field.as_deref().unwrap_or("")))
        .unwrap_or_default();
    match trace {
        Trace::Untraced => "found nowhere".to_owned(),
        Trace::Untrusted => format!("found only in text that anybody may have written,{place}"),
        Trace::Source => format!("stands in a source that the user named,{place}"),
        Trace::Reference => format!("a field of a result,{place}"),
        Trace::Contact => format!("in the address book,{place}"),
        Trace::Record => format!("a field of a record that the user points at,{place}"),
        Trace::User => "the user's words".to_owned(),
    }
}

/// True where an argument of a read takes data out: it is a web address, or says where the result goes.
fn leads_out(tool: &Tool, role: Role, seen: Shape, key: &str) -> bool {
    let words = name_tokens(key);
    // What a closed search is given is what it looks for.
    let search = matches!(tool.verb.as_str(), "search" | "find" | "list" | "filter" | "query" | "count");
    let filter = search && !tool.open && words.len() == 1;
    if seen == Shape::Url {
        return role == Role::Address && !filter;
    }
    words.iter().any(|w| among(vocab::SENT_TO, w))
        && !filter
        && (role == Role::Address || matches!(seen, Shape::Email | Shape::Iban | Shape::Phone))
}

/// Several addresses in one string are traced one by one.
fn pieces(text: &str, role: Role) -> Vec<&str> {
    if role == Role::Address && text.contains([',', ';']) {
        let parts: Vec<&str> = text.split([',', ';']).map(str::trim).filter(|p| !p.is_empty()).collect();
        if parts.len() <= 256 && parts.iter().all(|p| shape(p) == Shape::Email) {
            return parts;
        }
    }
    vec![text]
}

/// The kinds of things that an argument means: from its name, else from the tool's.
fn kinds_of_argument(tool: &Tool, name: &str) -> Vec<String> {
    let own: Vec<String> =
        name_tokens(name).iter().filter(|w| !vocab::IDLE_NOUNS.contains(&w.as_str())).map(|w| stem(w)).collect();
    if own.is_empty()
        || own.iter().all(|w| matches!(w.as_str(), "cod" | "ref" | "uuid" | "target" | "parent" | "child"))
    {
        tool.nouns.clone()
    } else {
        own
    }
}

fn same_kind(a: &[String], b: &[String]) -> bool {
    a.iter().any(|x| b.iter().any(|y| x == y || vocab::kinds(x).iter().any(|kind| vocab::kinds(y).contains(kind))))
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn collect<'a>(
    value: &'a Value,
    key: &'a str,
    pointer: String,
    path: &mut Vec<Option<&'a str>>,
    out: &mut Vec<Arg<'a>>,
) {
    let too_far = path.len() > DEPTH || pointer.len() > POINTER;
    if out.len() >= VALUES || too_far {
        // Filling up makes the call too large to pass.
        while too_far && out.len() < VALUES {
            out.push(Arg { pointer: String::new(), path: Vec::new(), key: "", value: Cow::Owned(Value::Null) });
        }
        return;
    }
    match value {
        Value::Array(items) => {
            path.push(None);
            for (i, item) in items.iter().enumerate() {
                collect(item, key, format!("{pointer}/{i}"), path, out);
            }
            path.pop();
        }
        Value::Object(fields) => {
            for (name, item) in fields {
                // A key may be data: `{"someone@example.com": "write"}`.
                if matches!(shape(name), Shape::Email | Shape::Url | Shape::Iban | Shape::Phone) {
                    out.push(Arg {
                        pointer: format!("{pointer}/{}", escape(name)),
                        path: path.clone(),
                        key,
                        value: Cow::Owned(Value::String(name.clone())),
                    });
                }
                path.push(Some(name));
                collect(item, name, format!("{pointer}/{}", escape(name)), path, out);
                path.pop();
            }
        }
        _ => out.push(Arg { pointer, path: path.clone(), key, value: Cow::Borrowed(value) }),
    }
}

/// Names of the oddities and the taint, for an explanation.
impl History {
    /// Why the history counts as tainted: the origin of the first untrusted text.
    #[must_use]
    pub fn taint(&self) -> Option<Origin> {
        match self.tainted.as_ref()? {
            Taint::Result(at) => self.outcomes.get(*at).map(|o| Origin::tool(&o.tool)),
            Taint::Text => Some(Origin::new(Source::Document)),
            Taint::Unseen => Some(Origin::new(Source::Model)),
        }
    }
}
