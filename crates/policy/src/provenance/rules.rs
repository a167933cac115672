//! Short policies: which fields a tool set's system fills, which results are open, what an argument needs.
//!
//! ```toml
//! contacts = ["search_contacts_*"]
//! open     = ["get_webpage"]
//!
//! [refs]
//! "*email*" = ["id_", "sender", "recipients"]
//!
//! [calls]
//! send_email = { recipients = "contact", attachments = "record" }
//! "delete_*" = "record"
//! ```

mod check;

pub(crate) use check::has_argument;

use std::fmt;

use super::decide::Trace;
use super::tool::Tool;
use super::tree::{self, Node, Place, Tree};
use super::vocab::Act;

/// What an argument, or a whole call, needs to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Nothing.
    Any,
    /// To stand as it is in a closed source that the user named, or better.
    Source,
    /// To be a field that the system set, or better.
    Ref,
    /// To be in the address book, or the user's words.
    Contact,
    /// To be a field of a record that the user's words point at, or the user's words.
    Record,
    /// To be the user's words.
    User,
    /// An approval each time (whole calls only).
    Ask,
    /// May be called though the user asked for no such act (whole calls only).
    Unasked,
    /// Never.
    Never,
}

impl Need {
    const ALL: [Self; 9] = [
        Self::Any,
        Self::Source,
        Self::Ref,
        Self::Contact,
        Self::Record,
        Self::User,
        Self::Ask,
        Self::Unasked,
        Self::Never,
    ];

    /// The word for it in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Source => "source",
            Self::Ref => "ref",
            Self::Contact => "contact",
            Self::Record => "record",
            Self::User => "user",
            Self::Ask => "ask",
            Self::Unasked => "unasked",
            Self::Never => "never",
        }
    }

    /// True where it speaks of where a value comes from.
    pub(crate) const fn is_trace(self) -> bool {
        matches!(self, Self::Source | Self::Ref | Self::Contact | Self::Record | Self::User)
    }

    /// True where a trace is enough.
    pub(crate) fn accepts(self, trace: Trace) -> bool {
        match self {
            Self::Any | Self::Unasked => true,
            Self::Source => matches!(trace, Trace::Source | Trace::Record | Trace::User),
            Self::Ref => trace >= Trace::Reference,
            Self::Contact => matches!(trace, Trace::Contact | Trace::User),
            Self::Record => trace >= Trace::Record,
            Self::User => trace == Trace::User,
            Self::Ask | Self::Never => false,
        }
    }
}

/// A fault in a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {text}")]
pub struct PolicyFault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub text: String,
    /// False where the policy can be used all the same: something in it never counts.
    pub fatal: bool,
}

/// A pattern of names: `*` stands for any characters, `|` parts alternatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<String>);

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.split('|').map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect())
    }

    /// How many characters say something, of the longest alternative that fits. `None` where none does.
    fn fits(&self, name: &str) -> Option<usize> {
        self.0.iter().filter(|p| glob(p, name)).map(|p| if p.contains('*') { p.len() } else { usize::MAX }).max()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("|"))
    }
}

/// Matches in linear time for each `*`: the first place is always as good as any.
fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|p| name.strip_prefix(p)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[derive(Clone, Debug)]
struct Fields {
    tools: Pattern,
    names: Vec<(Pattern, Place)>,
    at: Place,
}

/// What a policy says of the fields of one tool's results.
pub(crate) struct FieldRule<'a>(Vec<&'a Fields>);

impl FieldRule<'_> {
    /// True where the policy names the field: by its key, by any key above it, or by its path with dots.
    pub(crate) fn holds(&self, _key: &[String], pointer: &str) -> bool {
        let steps: Vec<&str> = pointer.split('/').skip(1).filter(|s| !s.bytes().all(|b| b.is_ascii_digit())).collect();
        let path = steps.join(".");
        let last = steps.last().copied().unwrap_or("*");
        self.0.iter().flat_map(|f| &f.names).any(|(p, _)| {
            p.fits(last).is_some()
                || p.fits(&path).is_some()
                || p.0.iter().any(|p| p == "*" || p == "items" && steps.is_empty())
        })
    }
}

#[derive(Clone, Debug)]
struct CallEntry {
    tools: Pattern,
    whole: Vec<Need>,
    arguments: Vec<(Pattern, Vec<Need>, Place)>,
    at: Place,
}

/// What a policy says of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallRule<'a> {
    pub(crate) whole: Vec<Need>,
    /// Most exact first.
    entries: Vec<&'a CallEntry>,
}

impl CallRule<'_> {
    /// True where the policy says nothing of the tool.
    pub(crate) const fn is_silent(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the policy says of an argument, by its name at the top or the key right above the value.
    pub(crate) fn argument(&self, top: &str, key: &str) -> Option<&[Need]> {
        self.entries.iter().find_map(|e| {
            e.arguments
                .iter()
                .filter_map(|(p, needs, _)| p.fits(key).max(p.fits(top)).map(|n| (n, needs)))
                .max_by_key(|(n, _)| *n)
                .map(|(_, needs)| needs.as_slice())
        })
    }
}

/// A policy for a tool set.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    contacts: Vec<(Pattern, Place)>,
    open: Vec<(Pattern, Place)>,
    closed: Vec<(Pattern, Place)>,
    reads: Vec<(Pattern, Place)>,
    writes: Vec<(Pattern, Place)>,
    destructive: Vec<(Pattern, Place)>,
    refs: Vec<Fields>,
    calls: Vec<CallEntry>,
}

/// How a policy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

impl Syntax {
    /// By the ending of a file's name: `.yaml` and `.yml` are YAML, everything else TOML.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let ending = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        if matches!(ending.as_str(), "yaml" | "yml") { Self::Yaml } else { Self::Toml }
    }
}

impl Rules {
    /// Reads a policy.
    ///
    /// # Errors
    /// Says each fault with its line and column.
    pub fn parse(text: &str, syntax: Syntax) -> Result<Self, Vec<PolicyFault>> {
        let root = tree::read(text, syntax).map_err(|fault| vec![fault])?;
        let mut rules = Self::default();
        let mut faults = Vec::new();
        let Tree::Map(members) = &root.tree else {
            return Err(vec![fault(
                root.at,
                "a policy is a table of `contacts`, `open`, `closed`, `reads`, `writes`, `destructive`, `refs` and `calls`"
                    .to_owned(),
            )]);
        };
        for (key, node) in members {
            match key.as_str() {
                "contacts" => names(node, &mut rules.contacts, &mut faults),
                "open" => names(node, &mut rules.open, &mut faults),
                "closed" => names(node, &mut rules.closed, &mut faults),
                "reads" => names(node, &mut rules.reads, &mut faults),
                "writes" => names(node, &mut rules.writes, &mut faults),
                "destructive" => names(node, &mut rules.destructive, &mut faults),
                "refs" => rules.read_refs(node, &mut faults),
                "calls" => rules.read_calls(node, &mut faults),
                other => faults.push(fault(
                    node.at,
                    format!("unknown key `{other}`; known are contacts, open, closed, reads, writes, destructive, refs, calls"),
                )),
            }
        }
        if faults.is_empty() { Ok(rules) } else { Err(faults) }
    }

    fn read_refs(&mut self, node: &Node, faults: &mut Vec<PolicyFault>) {
        let Tree::Map(members) = &node.tree else {
            faults.push(fault(node.at, "`refs` is a table of tool pattern = list of fields".to_owned()));
            return;
        };
        for (tools, node) in members {
            let mut list = Vec::new();
            names(node, &mut list, faults);
            self.refs.push(Fields { tools: Pattern::new(tools), names: list, at: node.at });
        }
    }

    fn read_calls(&mut self, node: &Node, faults: &mut Vec<PolicyFault>) {
        let Tree::Map(members) = &node.tree else {
            faults.push(fault(node.at, "`calls` is a table of tool pattern = need, or of argument = need".to_owned()));
            return;
        };
        for (tools, node) in members {
            let mut entry =
                CallEntry { tools: Pattern::new(tools), whole: Vec::new(), arguments: Vec::new(), at: node.at };
            if let Tree::Map(arguments) = &node.tree {
                for (name, node) in arguments {
                    let needs = needs(node, faults);
                    if let Some(need) = needs.iter().find(|n| matches!(n, Need::Ask | Need::Unasked)) {
                        faults.push(fault(
                            node.at,
                            format!("`{}` is said of a whole call: write it beside the tool", need.as_str()),
                        ));
                    }
                    entry.arguments.push((Pattern::new(name), needs, node.at));
                }
            } else {
                entry.whole = needs(node, faults);
            }
            self.calls.push(entry);
        }
    }

    /// The policy without the places of its parts.
    #[cfg(test)]
    pub(crate) fn plain(mut self) -> Self {
        let nowhere = Place::default();
        for list in [
            &mut self.contacts,
            &mut self.open,
            &mut self.closed,
            &mut self.reads,
            &mut self.writes,
            &mut self.destructive,
        ] {
            list.iter_mut().for_each(|(_, at)| *at = nowhere);
        }
        for fields in &mut self.refs {
            fields.at = nowhere;
            fields.names.iter_mut().for_each(|(_, at)| *at = nowhere);
        }
        for call in &mut self.calls {
            call.at = nowhere;
            call.arguments.iter_mut().for_each(|(.., at)| *at = nowhere);
        }
        self
    }

    /// What this policy says and what another says: lists and tables one after the other.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.contacts.extend(other.contacts.iter().cloned());
        all.open.extend(other.open.iter().cloned());
        all.closed.extend(other.closed.iter().cloned());
        all.reads.extend(other.reads.iter().cloned());
        all.writes.extend(other.writes.iter().cloned());
        all.destructive.extend(other.destructive.iter().cloned());
        all.refs.extend(other.refs.iter().cloned());
        all.calls.extend(other.calls.iter().cloned());
        all
    }

    pub(crate) fn apply(&self, tool: &mut Tool) {
        let fits = |list: &[(Pattern, Place)]| list.iter().any(|(p, _)| p.fits(&tool.name).is_some());
        let (open, closed, reads, destructive) =
            (fits(&self.open), fits(&self.closed), fits(&self.reads), fits(&self.destructive));
        tool.open = open || tool.open && !closed;
        if reads {
            tool.act = Act::Read;
            tool.destructive = false;
        }
        // The policy wins over the name, and of two lines of it the one that asks for more.
        if fits(&self.writes) && tool.only_reads() {
            tool.act = Act::Unknown;
            tool.destructive = true;
        }
        tool.destructive |= destructive;
    }

    /// True where it says something of a tool's calls or results.
    pub(crate) fn speaks_of(&self, tool: &str) -> bool {
        let lists = [&self.contacts, &self.open, &self.closed, &self.reads, &self.writes, &self.destructive];
        let listed = lists.into_iter().flatten().any(|(p, _)| p.fits(tool).is_some());
        listed || self.fields(tool).is_some() || !self.call(tool).is_silent()
    }

    pub(crate) fn is_contacts(&self, tool: &str) -> bool {
        self.contacts.iter().any(|(p, _)| p.fits(tool).is_some())
    }

    pub(crate) fn fields(&self, tool: &str) -> Option<FieldRule<'_>> {
        let all: Vec<&Fields> = self.refs.iter().filter(|f| f.tools.fits(tool).is_some()).collect();
        (!all.is_empty()).then_some(FieldRule(all))
    }

    pub(crate) fn call(&self, tool: &str) -> CallRule<'_> {
        let mut entries: Vec<(usize, &CallEntry)> =
            self.calls.iter().filter_map(|c| Some((c.tools.fits(tool)?, c))).collect();
        entries.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
        let whole = entries.iter().find(|(_, e)| !e.whole.is_empty()).map(|(_, e)| e.whole.clone()).unwrap_or_default();
        CallRule { whole, entries: entries.into_iter().map(|(_, e)| e).collect() }
    }
}

fn names(node: &Node, out: &mut Vec<(Pattern, Place)>, faults: &mut Vec<PolicyFault>) {
    let mut one = |node: &Node| match &node.tree {
        Tree::Text(text) if !text.trim().is_empty() => out.push((Pattern::new(text), node.at)),
        _ => faults.push(fault(node.at, "a name or a pattern such as `get_*` in quotes is needed here".to_owned())),
    };
    match &node.tree {
        Tree::List(items) => items.iter().for_each(&mut one),
        _ => one(node),
    }
}

fn needs(node: &Node, faults: &mut Vec<PolicyFault>) -> Vec<Need> {
    let items: Vec<&Node> = if let Tree::List(items) = &node.tree { items.iter().collect() } else { vec![node] };
    let mut all = Vec::new();
    for item in items {
        let Tree::Text(text) = &item.tree else {
            faults.push(fault(item.at, "a need in quotes is needed here, such as \"record\"".to_owned()));
            continue;
        };
        for word in text.split('|').map(str::trim) {
            match Need::ALL.into_iter().find(|n| n.as_str() == word) {
                Some(need) => all.push(need),
                None => {
                    let known: Vec<&str> = Need::ALL.iter().map(|n| n.as_str()).collect();
                    faults.push(fault(item.at, format!("unknown need `{word}`; known are {}", known.join(", "))));
                }
            }
        }
    }
    all
}

pub(super) fn fault(at: Place, text: String) -> PolicyFault {
    PolicyFault { line: at.line, column: at.column, text, fatal: true }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
