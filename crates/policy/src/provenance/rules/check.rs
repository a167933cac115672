//! What in a policy never counts, or says two things, and what does not fit the tools that it is for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{CallEntry, Need, Pattern, Place, PolicyFault, Rules, fault};
use crate::provenance::decide::Trace;
use crate::provenance::tool::{Tool, properties};

/// Deepest nesting of a schema that is entered.
const DEPTH: usize = 4;

/// Every trace that a value may have.
const TRACES: [Trace; 7] =
    [Trace::Untraced, Trace::Untrusted, Trace::Source, Trace::Reference, Trace::Contact, Trace::Record, Trace::User];

impl Rules {
    /// Compares the policy with the tools that it is for: arguments that no such tool has (which make it unusable), and
    /// what never counts or says two things (which is only said).
    #[must_use]
    pub fn check(&self, tools: &[Tool]) -> Vec<PolicyFault> {
        let mut found = Found::default();
        self.idle(tools, &mut found);
        self.unknown_arguments(tools, &mut found);
        self.unknown_fields(tools, &mut found);
        self.alone(&mut found);
        let applied: Vec<Tool> = tools
            .iter()
            .cloned()
            .map(|mut tool| {
                self.apply(&mut tool);
                tool
            })
            .collect();
        self.covered_lists(tools, &mut found);
        self.contradictions(&applied, &mut found);
        self.shadowed(tools, &mut found);
        self.without_effect(&applied, &mut found);
        found.sorted()
    }

    /// What is wrong with it whatever tools there are.
    #[must_use]
    pub fn check_alone(&self) -> Vec<PolicyFault> {
        let mut found = Found::default();
        self.alone(&mut found);
        found.sorted()
    }

    fn alone(&self, found: &mut Found) {
        for (i, later) in self.calls.iter().enumerate() {
            if let Some(earlier) = self.calls.iter().take(i).find(|e| e.tools == later.tools) {
                let text = format!("says again what line {} says of `{}`", earlier.at.line, later.tools);
                found.say(later.at, text);
            }
        }
        for list in self.lists() {
            for (i, (pattern, at)) in list.iter().enumerate() {
                if let Some((_, first)) = list.iter().take(i).find(|(p, _)| p == pattern) {
                    found.say(*at, format!("`{pattern}` is in this list already, at line {}", first.line));
                }
            }
        }
        for entry in &self.calls {
            redundant(&entry.whole, entry.at, found);
            entry.arguments.iter().for_each(|(_, needs, at)| redundant(needs, *at, found));
        }
    }

    fn lists(&self) -> [&Vec<(Pattern, Place)>; 6] {
        [&self.contacts, &self.open, &self.closed, &self.reads, &self.writes, &self.destructive]
    }

    fn idle(&self, tools: &[Tool], found: &mut Found) {
        let patterns = self.lists().into_iter().flatten().map(|(p, at)| (p, *at));
        let patterns = patterns
            .chain(self.refs.iter().map(|f| (&f.tools, f.at)))
            .chain(self.calls.iter().map(|c| (&c.tools, c.at)));
        for (pattern, at) in patterns {
            if fitting(pattern, tools).next().is_none() {
                found.say(at, format!("`{pattern}` fits no tool"));
            }
        }
    }

    fn unknown_arguments(&self, tools: &[Tool], found: &mut Found) {
        for entry in &self.calls {
            let tools: Vec<&Tool> = fitting(&entry.tools, tools).collect();
            for (name, _, at) in &entry.arguments {
                let known = tools.iter().any(|t| has_argument(&t.schema, name, 0));
                if !tools.is_empty() && !known {
                    let mut all: Vec<&str> = tools.iter().flat_map(|t| properties(&t.schema)).map(|(k, _)| k).collect();
                    all.sort_unstable();
                    all.dedup();
                    let text = format!(
                        "no tool that fits `{}` has an argument `{name}`; there are {}",
                        entry.tools,
                        all.join(", ")
                    );
                    found.0.push(fault(*at, text));
                }
            }
        }
    }

    /// Fields of results, where all tools that are meant say what their results hold.
    fn unknown_fields(&self, tools: &[Tool], found: &mut Found) {
        for fields in &self.refs {
            let tools: Vec<&Tool> = fitting(&fields.tools, tools).collect();
            if tools.is_empty() || tools.iter().any(|t| t.returns.is_null()) {
                continue;
            }
            for (name, at) in &fields.names {
                let known = |part: &str| {
                    let key = part.rsplit('.').next().unwrap_or(part);
                    let pattern = Pattern::new(key);
                    matches!(part, "*" | "items") || tools.iter().any(|t| has_argument(&t.returns, &pattern, 0))
                };
                if !name.0.iter().any(|part| known(part)) {
                    found.say(*at, format!("no result of `{}` has a field `{name}`", fields.tools));
                }
            }
        }
    }

    /// Patterns of a list of which another pattern of it fits all tools.
    fn covered_lists(&self, tools: &[Tool], found: &mut Found) {
        for list in self.lists() {
            let sets: Vec<BTreeSet<&str>> =
                list.iter().map(|(p, _)| fitting(p, tools).map(|t| t.name.as_str()).collect()).collect();
            for (i, ((pattern, at), own)) in list.iter().zip(&sets).enumerate() {
                let wider = list.iter().zip(&sets).enumerate().find(|(j, ((other, _), set))| {
                    *j != i && other != pattern && own.is_subset(set) && (set.len() > own.len() || *j < i)
                });
                if let (false, Some((_, ((other, first), _)))) = (own.is_empty(), wider) {
                    found.say(*at, format!("adds nothing: `{other}` at line {} fits the same tools", first.line));
                }
            }
        }
    }

    fn contradictions(&self, tools: &[Tool], found: &mut Found) {
        for (pattern, at) in &self.closed {
            if let Some((tool, other)) = both(pattern, &self.open, tools) {
                found.say(*at, format!("`{tool}` is in `open` too, at line {}, and counts as open", other.line));
            }
        }
        for (pattern, at) in &self.reads {
            if let Some((tool, other)) = both(pattern, &self.writes, tools) {
                found.say(*at, format!("`{tool}` is in `writes` too, at line {}, and counts as a write", other.line));
            }
        }
        for (pattern, at) in &self.destructive {
            if let Some((tool, other)) = both(pattern, &self.reads, tools) {
                found.say(*at, format!("`{tool}` is in `reads` too, at line {}, and counts as a read", other.line));
            }
        }
        let trusting = self.contacts.iter().map(|(p, at)| (p, *at, "contacts"));
        let trusting = trusting.chain(self.refs.iter().map(|f| (&f.tools, f.at, "refs")));
        for (pattern, at, key) in trusting {
            let mut fit = fitting(pattern, tools).peekable();
            if let Some(tool) = fit.peek().map(|t| t.name.clone())
                && fit.all(|t| t.open)
            {
                let text = format!(
                    "never counts: anybody writes what `{tool}` returns, so no field of it is trusted; if that is not so, \
                     put it in `closed` before `{key}`"
                );
                found.say(at, text);
            }
        }
        for entry in &self.calls {
            // Another line of the policy forbids what this one rules.
            let mut fit = fitting(&entry.tools, tools).peekable();
            let forbids = |tool: &Tool| {
                let (at, whole) = self.whole_of(&tool.name)?;
                (at != entry.at && whole.contains(&Need::Never)).then_some(at)
            };
            let first = fit.peek().copied().and_then(forbids);
            if let Some(line) = first
                && fit.all(|t| forbids(t).is_some())
                && !entry.arguments.is_empty()
            {
                found.say(entry.at, format!("never counts: line {} forbids `{}`", line.line, entry.tools));
            }
        }
    }

    /// The entry that speaks for the whole of a call, and what it says.
    fn whole_of(&self, tool: &str) -> Option<(Place, &[Need])> {
        self.by_exactness(tool).into_iter().find(|e| !e.whole.is_empty()).map(|e| (e.at, e.whole.as_slice()))
    }

    /// Entries that fit a tool, most exact first: as decisions look at them.
    fn by_exactness(&self, tool: &str) -> Vec<&CallEntry> {
        self.call(tool).entries
    }

    /// Lines of which more exact ones take all that they fit.
    fn shadowed(&self, tools: &[Tool], found: &mut Found) {
        for entry in &self.calls {
            let fit: Vec<&Tool> = fitting(&entry.tools, tools).collect();
            if fit.is_empty() || self.calls.iter().any(|e| e.at != entry.at && e.tools == entry.tools) {
                continue;
            }
            if !entry.whole.is_empty() {
                let winners: Vec<Place> = fit.iter().filter_map(|t| self.whole_of(&t.name)).map(|(at, _)| at).collect();
                if let (false, Some(first)) = (winners.contains(&entry.at), winners.first()) {
                    let text = format!("never counts: line {} is more exact for all that fits", first.line);
                    found.say(entry.at, text);
                }
            }
            for (name, _, at) in &entry.arguments {
                let pairs = fit.iter().flat_map(|t| argument_names(&t.schema).into_iter().map(move |k| (*t, k)));
                let pairs: Vec<(&Tool, String)> = pairs.filter(|(_, key)| name.fits(key).is_some()).collect();
                let winners: Vec<Place> = pairs.iter().filter_map(|(t, key)| self.argument_of(&t.name, key)).collect();
                if let (false, Some(first)) = (winners.contains(at), winners.first()) {
                    let text = format!("never counts: line {} is more exact for all that `{name}` fits", first.line);
                    found.say(*at, text);
                }
            }
        }
    }

    /// Where the policy says what counts for an argument.
    fn argument_of(&self, tool: &str, key: &str) -> Option<Place> {
        self.by_exactness(tool).into_iter().find_map(|e| {
            let fits = e.arguments.iter().filter_map(|(p, _, at)| Some((p.fits(key)?, *at)));
            fits.max_by_key(|(exact, _)| *exact).map(|(_, at)| at)
        })
    }

    /// Lines that change nothing for the tools that they fit.
    fn without_effect(&self, tools: &[Tool], found: &mut Found) {
        let contacts = tools.iter().any(|t| self.is_contacts(&t.name) && !t.open);
        for entry in &self.calls {
            let fit: Vec<&Tool> = fitting(&entry.tools, tools).collect();
            if fit.is_empty() {
                continue;
            }
            let quiet = fit.iter().all(|t| t.only_reads() && !t.open);
            if quiet && !entry.whole.is_empty() && entry.whole.iter().all(|n| n.is_trace() || *n == Need::Unasked) {
                let text = format!("never counts: `{}` only reads; name the arguments that need it", entry.tools);
                found.say(entry.at, text);
            }
            for (name, needs, at) in &entry.arguments {
                let truth = fit.iter().flat_map(|t| properties(&t.schema)).filter(|(key, _)| name.fits(key).is_some());
                let truth: Vec<&Value> = truth.map(|(_, schema)| schema).collect();
                if !truth.is_empty() && truth.iter().all(|s| s.get("type").and_then(Value::as_str) == Some("boolean")) {
                    let text = format!("never counts: `{name}` is true or false, which is traced to nothing");
                    found.say(*at, text);
                }
                self.contact_of_nobody(needs, *at, contacts, found);
            }
            self.contact_of_nobody(&entry.whole, entry.at, contacts, found);
        }
    }

    fn contact_of_nobody(&self, needs: &[Need], at: Place, contacts: bool, found: &mut Found) {
        if needs.contains(&Need::Contact) && !contacts {
            let text = if self.contacts.is_empty() { "is empty" } else { "fits none of these tools" };
            found.say(at, format!("`contact` never counts: `contacts` {text}; only the user's words pass"));
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Found(Vec<PolicyFault>);

impl Found {
    /// Something that never counts: the policy can be used all the same.
    fn say(&mut self, at: Place, text: String) {
        self.0.push(PolicyFault { fatal: false, ..fault(at, text) });
    }

    fn sorted(mut self) -> Vec<PolicyFault> {
        self.0.sort_by(|a, b| (a.line, a.column, &a.text).cmp(&(b.line, b.column, &b.text)));
        self.0.dedup();
        self.0
    }
}

/// Needs of one place of which some say nothing beside the others.
fn redundant(needs: &[Need], at: Place, found: &mut Found) {
    if needs.len() > 1
        && let Some(whole) = [Need::Never, Need::Any].into_iter().find(|n| needs.contains(n))
    {
        found.say(at, format!("beside `{whole}` nothing else counts"));
        return;
    }
    for (i, need) in needs.iter().enumerate().filter(|(_, n)| n.is_trace()) {
        let takes = |other: &Need| TRACES.iter().all(|t| !need.accepts(*t) || other.accepts(*t));
        let wider = needs
            .iter()
            .enumerate()
            .find(|(j, other)| *j != i && other.is_trace() && takes(other) && (*other != need || *j < i));
        if let Some((_, other)) = wider {
            found.say(at, format!("`{need}` adds nothing to `{other}`"));
        }
    }
}

fn fitting<'a>(pattern: &Pattern, tools: &'a [Tool]) -> impl Iterator<Item = &'a Tool> {
    tools.iter().filter(move |t| pattern.fits(&t.name).is_some())
}

/// The first tool that fits a pattern and one of a list, and where that stands.
fn both(pattern: &Pattern, list: &[(Pattern, Place)], tools: &[Tool]) -> Option<(String, Place)> {
    fitting(pattern, tools).find_map(|tool| {
        let (_, at) = list.iter().find(|(p, _)| p.fits(&tool.name).is_some())?;
        Some((tool.name.clone(), *at))
    })
}

/// True where a schema has a property of that name at the top or in an object or list below.
pub(crate) fn has_argument(schema: &Value, name: &Pattern, depth: usize) -> bool {
    // Schemas without properties say nothing of the names below them.
    let open = |v: &Value| {
        v.get("additionalProperties").is_some_and(|a| a.as_bool() != Some(false)) || v.get("$ref").is_some()
    };
    let listed = depth == 0 && schema.get("items").is_some_and(|items| has_argument(items, name, 1));
    listed
        || properties(schema).any(|(key, below)| {
            name.fits(key).is_some()
                || depth < DEPTH
                    && ([Some(below), below.get("items")]
                        .into_iter()
                        .flatten()
                        .any(|s| has_argument(s, name, depth + 1) || depth > 0 && open(s)))
        })
}

/// Names of the properties of a schema, at the top and below.
fn argument_names(schema: &Value) -> BTreeSet<String> {
    fn collect(schema: &Value, depth: usize, out: &mut BTreeSet<String>) {
        for (key, below) in properties(schema) {
            out.insert(key.to_owned());
            if depth < DEPTH {
                [Some(below), below.get("items")].into_iter().flatten().for_each(|s| collect(s, depth + 1, out));
            }
        }
    }
    let mut all = BTreeSet::new();
    collect(schema, 0, &mut all);
    all
}
