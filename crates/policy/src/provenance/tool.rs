//! What a tool does and what its arguments are for, read from its name, schema, description and annotations.
//!
//! A tool's definition comes from the tool. What it says of itself may only tighten: an annotation never makes a write a
//! read. What cannot be told is taken for the worse.

use std::borrow::Cow;

use serde_json::Value;

use super::sql;
use super::text::{Shape, name_tokens, shape, stem, tokens};
use super::vocab::{self, Act, among};

/// Most references that are followed in a schema, and the deepest that one is entered.
const STEPS: usize = 64;

/// What an argument is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// How, how much or when: nobody's authority.
    Neutral,
    /// Text for people.
    Content,
    /// Which thing or who inside the system.
    Which,
    /// Who or where outside.
    Address,
    /// A secret that opens something.
    Secret,
    /// Code.
    Command,
}

impl Role {
    /// True where the value decides whom or what the call acts on.
    #[must_use]
    pub const fn is_authority(self) -> bool {
        !matches!(self, Self::Neutral | Self::Content)
    }
}

/// A tool as the gateway sees it.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// JSON Schema of the arguments.
    pub schema: Value,
    pub(crate) act: Act,
    /// The word that told what it does.
    pub(crate) verb: String,
    /// Its name says what kind of act it is, not only its description.
    pub(crate) named: bool,
    /// Verbs by which its name and description call what it does.
    pub(crate) says: Vec<String>,
    /// Stems of the things in its name.
    pub(crate) things: Vec<String>,
    /// It reaches what anybody may have written, or strangers may read.
    pub(crate) open: bool,
    /// What it does cannot be undone.
    pub(crate) destructive: bool,
    /// What it returns is the content of a document, whatever form that has.
    pub(crate) raw: bool,
    /// It keeps something for later conversations, or brings it back.
    pub(crate) memory: bool,
    /// Kinds of things that it is about.
    pub(crate) nouns: Vec<String>,
    /// It takes a text, and no JSON.
    pub(crate) freeform: bool,
    /// JSON Schema of its results; null where it declares none.
    pub(crate) returns: Value,
}

impl Tool {
    /// Reads a definition as OpenAI (`{"type":"function","function":{…}}` or flat), Anthropic (`input_schema`) or MCP
    /// (`inputSchema`) write it. `None` where it has no name.
    #[must_use]
    pub fn read(definition: &Value) -> Option<Self> {
        let object = |key: &str| definition.get(key).filter(|f| f.is_object());
        let inner =
            object("function").or_else(|| object("custom")).or_else(|| object("toolSpec")).unwrap_or(definition);
        let kind = definition.get("type").and_then(Value::as_str).unwrap_or_default();
        // Tools that models know by their type run at the client too: `local_shell`, `computer_use_preview`.
        let by_type =
            || kind.split("_use").next().filter(|k| ["local_shell", "shell", "apply_patch", "computer"].contains(k));
        let name = inner.get("name").and_then(Value::as_str).or_else(by_type)?;
        let schema = ["parameters", "parametersJsonSchema", "parameters_json_schema", "input_schema", "inputSchema"]
            .iter()
            .find_map(|k| inner.get(*k))
            .map(|schema| schema.get("json").filter(|_| object("toolSpec").is_some()).unwrap_or(schema))
            .cloned()
            .unwrap_or(Value::Null);
        let freeform = kind == "custom" && schema.is_null();
        let description = inner.get("description").and_then(Value::as_str).unwrap_or_default();
        let hints = inner.get("annotations").or_else(|| definition.get("annotations")).unwrap_or(&Value::Null);
        let returns = inner.get("outputSchema").or_else(|| inner.get("output_schema")).cloned().unwrap_or_default();
        Some(Self { freeform, returns, ..Self::new(name, description, schema, hints) })
    }

    /// A tool that was not offered: nothing is known of it but its name, so it counts as changing things for good.
    #[must_use]
    pub fn unknown(name: &str) -> Self {
        Self { destructive: true, ..Self::new(name, "", Value::Null, &Value::Null) }
    }

    fn new(name: &str, description: &str, schema: Value, hints: &Value) -> Self {
        let own = name.rsplit(['.', '/', ':']).next().unwrap_or(name);
        let own = own.rsplit("__").next().unwrap_or(own);
        let words = name_tokens(own);
        let all = name_tokens(name);
        let Deed { mut act, verb, named } = act_of(&words, &all, description);
        let keys: Vec<String> = properties(&schema).map(|(k, _)| k.to_owned()).collect();
        let says = |key: &str| hints.get(key).and_then(Value::as_bool);
        let has =
            |list: &[&str]| keys.iter().any(|k| name_tokens(k).last().is_some_and(|t| list.contains(&t.as_str())));
        let fetches = has(&["url", "uri", "href", "link", "website", "endpoint"]);
        if act == Act::Read && fetches && has(&["body", "data", "payload", "method", "content"]) {
            act = Act::Tell;
        }
        let coded = keys.iter().any(|k| is_code(&name_tokens(k)));
        if act == Act::Read && (says("readOnlyHint") == Some(false) || coded) {
            act = Act::Run;
        }
        let open =
            says("openWorldHint") == Some(true) || fetches || all.iter().any(|w| vocab::OPEN.contains(&w.as_str()));
        let destructive = matches!(act, Act::Remove | Act::Run | Act::Unknown)
            || says("destructiveHint") == Some(true) && act != Act::Read;
        // A batch of goods is recalled too.
        let memory = all.iter().any(|w| vocab::MEMORY.contains(&w.as_str()) && (w != "recall" || act == Act::Read));
        let document =
            matches!(verb.as_str(), "read" | "cat" | "head" | "tail" | "load" | "extract" | "parse" | "download")
                && all.iter().any(|w| among(vocab::DOCUMENTS, w));
        // What a memory holds was once written by whoever had the model's ear.
        let raw = act == Act::Read && (document || memory);
        let nouns =
            all.iter().filter(|w| !vocab::IDLE_NOUNS.contains(&w.as_str()) && **w != verb).map(|w| stem(w)).collect();
        let said = says_of(&words, &verb, description);
        let things = words
            .iter()
            .filter(|w| **w != verb && !vocab::IDLE_NOUNS.contains(&w.as_str()))
            .filter(|w| act_named(w).is_none() || vocab::NOUNS_TOO.contains(&w.as_str()))
            .map(|w| stem(w))
            .collect();
        Self {
            name: name.to_owned(),
            schema,
            act,
            verb,
            named,
            says: said,
            things,
            open,
            destructive,
            raw,
            memory,
            nouns,
            freeform: false,
            returns: Value::Null,
        }
    }

    /// True where a call changes nothing and tells nobody.
    #[must_use]
    pub const fn only_reads(&self) -> bool {
        matches!(self.act, Act::Read)
    }

    /// The tool as one call uses it: a query in SQL may read, and it may change everything.
    pub(crate) fn in_call(&self, args: &Value) -> Cow<'_, Self> {
        let asks = name_tokens(&self.name).iter().any(|w| matches!(w.as_str(), "query" | "select" | "sql"));
        if self.act != Act::Read && !asks {
            return Cow::Borrowed(self);
        }
        let database = name_tokens(&self.name).iter().any(|w| vocab::DATABASES.contains(&w.as_str()));
        let queries = args.as_object().into_iter().flatten().filter_map(|(key, value)| {
            let sql = name_tokens(key).iter().any(|w| w == "sql" || w == "statement");
            let query = sql || name_tokens(key).iter().any(|w| matches!(w.as_str(), "query" | "queries" | "cypher"));
            query.then_some((sql || database, value))
        });
        let effects: Vec<sql::Effect> = queries.map(|(strict, value)| sql::effect(value, strict)).collect();
        let other = args.as_object().into_iter().flatten().any(|(key, _)| {
            name_tokens(key).iter().any(|w| vocab::COMMAND.contains(&w.as_str()) && w != "sql" && w != "statement")
        });
        if effects.contains(&sql::Effect::Changes) {
            Cow::Owned(Self { act: Act::Run, destructive: true, ..self.clone() })
        } else if self.act == Act::Run
            && !other
            && !effects.is_empty()
            && effects.iter().all(|e| *e == sql::Effect::Reads)
        {
            Cow::Owned(Self { act: Act::Read, destructive: false, ..self.clone() })
        } else {
            Cow::Borrowed(self)
        }
    }

    /// Verbs among the values that an argument of the call can have: what `respond(response = "decline")` does.
    pub(crate) fn chosen<'a>(&'a self, path: &[Option<&str>], value: &'a Value) -> Option<&'a str> {
        let text = value.as_str()?;
        let listed = self.schema_at(path).is_some_and(|s| alternatives(s).any(|s| s.get("enum").is_some()));
        (listed && act_named(text).is_some_and(|a| a != Act::Read) && !vocab::NOUNS_TOO.contains(&text)).then_some(text)
    }

    /// Schema of the value at a path of object keys (`None` for a list element).
    pub(crate) fn schema_at(&self, path: &[Option<&str>]) -> Option<&Value> {
        let mut at = resolve(&self.schema, &self.schema, STEPS)?;
        for step in path.iter().take(STEPS) {
            at = match step {
                Some(key) => {
                    alternatives(at).find_map(|s| resolve(&self.schema, s, STEPS)?.get("properties")?.get(*key))?
                }
                None => alternatives(at).find_map(|s| resolve(&self.schema, s, STEPS)?.get("items"))?,
            };
            at = resolve(&self.schema, at, STEPS)?;
        }
        Some(at)
    }

    /// What an argument is for. `key` is the nearest object key above the value.
    pub(crate) fn role(&self, key: &str, path: &[Option<&str>], value: &Value) -> Role {
        let schema = self.schema_at(path);
        let words = name_tokens(key);
        let text = value.as_str().unwrap_or_default();
        let seen = shape(text);
        let outside = matches!(seen, Shape::Email | Shape::Url | Shape::Iban | Shape::Phone);
        let named = role_by_words(&words);
        if value.is_boolean() || value.is_null() {
            return Role::Neutral;
        }
        if self.freeform {
            return Role::Command;
        }
        if schema.is_some_and(|s| alternatives(s).any(|s| s.get("enum").is_some() || s.get("const").is_some()))
            && named < Some(Role::Secret)
        {
            return Role::Neutral;
        }
        let format = schema.and_then(|s| alternatives(s).find_map(|s| s.get("format")?.as_str())).unwrap_or_default();
        let by_format = match format {
            "email" | "idn-email" | "uri" | "url" | "uri-reference" | "iri" | "hostname" | "ipv4" | "ipv6" => {
                Some(Role::Address)
            }
            "uuid" => Some(Role::Which),
            "date" | "date-time" | "time" | "duration" if !outside => Some(Role::Neutral),
            "password" => Some(Role::Secret),
            _ => None,
        };
        // A name of its own for a new thing is no choice among things that are there.
        let fresh = self.act == Act::Make
            && matches!(
                self.verb.as_str(),
                "create" | "make" | "new" | "add" | "draft" | "generate" | "compose" | "schedule" | "register"
            )
            && words.last().is_some_and(|w| matches!(w.as_str(), "name" | "title" | "filename" | "label"))
            && words.len() <= 2
            && !words.iter().any(|w| matches!(w.as_str(), "user" | "channel" | "recipient" | "contact"));
        let role = match (by_format, named) {
            (Some(f), Some(n)) => f.max(n),
            (Some(f), None) => f,
            (None, Some(n)) => n,
            (None, None) => by_description(schema, &words, value),
        };
        match role {
            Role::Which if fresh && !outside => Role::Content,
            // Whatever an argument is called, an address alone in it says where.
            Role::Neutral | Role::Which if outside => Role::Address,
            Role::Content if outside && self.act != Act::Tell => Role::Address,
            Role::Neutral if seen == Shape::Words && text.len() > 64 => Role::Content,
            role => role,
        }
    }
}

/// True where the last word of a name says that the value is code. The code of a course is none.
fn is_code(words: &[String]) -> bool {
    const LANGUAGES: &[&str] = &["source", "python", "js", "javascript", "script", "shell", "bash", "program", "sql"];
    words.last().is_some_and(|last| {
        vocab::COMMAND.contains(&last.as_str())
            && (last != "code" || words.len() == 1 || words.iter().any(|w| LANGUAGES.contains(&w.as_str())))
    })
}

fn role_by_words(words: &[String]) -> Option<Role> {
    let one = |w: &str| {
        if among(vocab::SECRET, w) {
            Some(Role::Secret)
        } else if vocab::COMMAND.contains(&w) && !(w == "code" && words.len() > 1) {
            Some(Role::Command)
        } else if among(vocab::NEUTRAL, w) {
            Some(Role::Neutral)
        } else if among(vocab::CONTENT, w) {
            Some(Role::Content)
        } else if among(vocab::ADDRESS, w) {
            Some(Role::Address)
        } else if among(vocab::WHICH, w) {
            Some(Role::Which)
        } else {
            None
        }
    };
    let last = words.last().map(String::as_str).unwrap_or_default();
    // `user_email`, `recipient_name`, `email_id`: the last word says most, but an address stays one by any other name.
    // What is `old` or `new` says only the word behind it.
    let telling = |w: &&String| words.len() == 1 || !matches!(w.as_str(), "old" | "new");
    let role = words.iter().rev().filter(telling).find_map(|w| one(w))?;
    let address =
        words.iter().any(|w| matches!(w.as_str(), "recipient" | "recipients" | "url" | "iban" | "webhook" | "payee"));
    if role == Role::Which && address && last != "id" { Some(Role::Address) } else { Some(role) }
}

fn by_description(schema: Option<&Value>, name: &[String], value: &Value) -> Role {
    let text = value.as_str().unwrap_or_default();
    let words: Vec<String> =
        schema.and_then(|s| s.get("description")?.as_str()).map(|d| tokens(d).take(24).collect()).unwrap_or_default();
    let says = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    if says(&["email", "emails", "url", "urls", "address", "recipient", "recipients", "iban", "webhook", "phone"]) {
        Role::Address
    } else if says(&["password", "secret", "token"]) {
        Role::Secret
    } else if says(&["id", "ids", "identifier", "path"]) {
        Role::Which
    } else if value.is_number() && !name.iter().any(|w| is_thing(w)) {
        // A number that stands for a thing is called by it. Any other says how much.
        Role::Neutral
    } else if text.split_whitespace().count() > 6 || text.contains('\n') {
        Role::Content
    } else if matches!(shape(text), Shape::Moment) {
        Role::Neutral
    } else if says(&["text", "content", "message", "description", "note"]) {
        Role::Content
    } else {
        Role::Which
    }
}

/// True where a number under such a name stands for one of several things.
fn is_thing(word: &str) -> bool {
    matches!(word, "no" | "nr" | "num" | "serial" | "card")
        || among(vocab::NAME, word)
        || vocab::KINDS.iter().any(|kinds| among(kinds, word))
}

fn act_named(word: &str) -> Option<Act> {
    vocab::VERBS.iter().find(|(_, verbs)| verbs.contains(&word)).map(|(act, _)| *act)
}

/// Verbs by which the name and the description call what a tool does, each once.
fn says_of(words: &[String], verb: &str, description: &str) -> Vec<String> {
    let mut says: Vec<String> = words.first().cloned().into_iter().chain([verb.to_owned()]).collect();
    says.extend(words.iter().skip(1).filter(|w| act_named(w).is_some_and(|a| a != Act::Read)).cloned());
    // "Mail or text the consignee."
    let described: Vec<String> = tokens(description).take(3).collect();
    says.extend(described.first().cloned());
    if let [_, link, second] = described.as_slice()
        && matches!(link.as_str(), "or" | "and")
    {
        says.push(second.clone());
    }
    let idle = |w: &String| vocab::IDLE_WORDS.contains(&w.as_str()) || vocab::IDLE_NOUNS.contains(&w.as_str());
    says.retain(|w| w.len() > 1 && !idle(w));
    // Of what changes something no word for looking tells that it is wanted.
    says.retain(|w| act_named(w) != Some(Act::Read) || w == verb);
    says.sort();
    says.dedup();
    says
}

/// What a tool does.
struct Deed {
    act: Act,
    /// The word that says so.
    verb: String,
    /// It stands in the name.
    named: bool,
}

/// What a name made of an HTTP method and a path does: `post_v1_orders_id_refund`, `put_orders_by_id`. A verb at the end
/// of the path says more than the method.
fn requested(words: &[String]) -> Option<(Act, String)> {
    let [method, path @ ..] = words else { return None };
    let version =
        |w: &String| w.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let parted = path.iter().rev().skip(1).any(|w| w == "id")
        || path.windows(2).any(|w| matches!(w, [by, id] if by == "by" && id == "id"));
    if !matches!(method.as_str(), "post" | "put" | "patch") || !(path.first().is_some_and(version) || parted) {
        return None;
    }
    let deed = |w: &&String| act_named(w).is_some_and(|a| a != Act::Read);
    let last = path.iter().rfind(|w| !matches!(w.as_str(), "id" | "by"))?;
    if let Some(verb) = Some(last).filter(deed).filter(|w| !vocab::NOUNS_TOO.contains(&w.as_str())) {
        return act_named(verb).map(|act| (act, verb.clone()));
    }
    if method != "post" {
        return Some((Act::Change, "update".to_owned()));
    }
    let thing = vocab::THINGS.iter().find(|(_, things)| among(things, last)).map(|(act, _)| *act);
    Some(match thing {
        Some(act) => (act, last.strip_suffix('s').unwrap_or(last).to_owned()),
        None => (Act::Make, "create".to_owned()),
    })
}

/// What a tool does, by its name and the first word of its description.
fn act_of(words: &[String], all: &[String], description: &str) -> Deed {
    if let Some((act, verb)) = requested(words) {
        return Deed { act, verb, named: true };
    }
    let (act, verb) = told(words, all, description);
    let said = |w: &String| *w == verb || act_named(w) == Some(act);
    let named = all.iter().any(said) || matches!(verb.as_str(), "pay" | "get");
    Deed { act, verb, named }
}

fn told(words: &[String], all: &[String], description: &str) -> (Act, String) {
    // A list of something is looked at. `check_in` and `check_out` are no looks.
    let listing = |w: &str| w == "list" && words.len() > 1;
    let clear = |w: &str| act_named(w).filter(|_| !vocab::NOUNS_TOO.contains(&w) || listing(w));
    let first = words.first().map(String::as_str).unwrap_or_default();
    if first == "check" && words.get(1).is_some_and(|w| w == "in" || w == "out") {
        return (Act::Change, first.to_owned());
    }
    let only = vocab::READS_WITH.iter().find(|(verb, _)| *verb == first).map(|(_, with)| *with);
    if let Some(with) = only
        && (words.iter().any(|w| with.contains(&w.as_str())) || first == "recall" && words.len() == 1)
    {
        return (Act::Read, first.to_owned());
    }
    // `search_and_replace`, `get_or_create`: the second half counts where it does more.
    let joined = words.windows(2).find_map(|w| match w {
        [link, verb] if matches!(link.as_str(), "and" | "or" | "then") => {
            act_named(verb).filter(|a| *a != Act::Read).map(|a| (a, verb.clone()))
        }
        _ => None,
    });
    if let Some(found) = joined {
        return found;
    }
    let described = tokens(description).next().and_then(|word| {
        let wanted = stem(&word);
        vocab::VERBS
            .iter()
            .flat_map(|(act, verbs)| verbs.iter().map(move |v| (*act, *v)))
            .find(|(_, v)| stem(v) == wanted)
    });
    // `create_refund`, `refunds.create`, `add_comment`: making one is the act that the thing names.
    let making = ["create", "make", "add", "new", "submit", "process", "initiate", "do", "perform", "place"];
    if words.iter().any(|w| making.contains(&w.as_str())) {
        let head = all.iter().rfind(|w| !making.contains(&w.as_str()));
        let thing = head.and_then(|w| vocab::THINGS.iter().find(|(_, t)| among(t, w)).map(|(act, _)| (*act, w)));
        if let Some((act, thing)) = thing {
            return (act, thing.strip_suffix('s').unwrap_or(thing).to_owned());
        }
    }
    // `send_money`, `schedule_payment`: whatever is done with money moves it.
    let money = ["money", "payment", "fund", "transaction", "cash", "crypto", "payout"];
    if words.iter().any(|w| among(&money, w))
        && matches!(act_named(first), Some(Act::Tell | Act::Make))
        && !matches!(first, "report" | "comment" | "log")
    {
        return (Act::Pay, "pay".to_owned());
    }
    if let Some(act) = clear(first) {
        // A reader that says of itself that it does more is believed.
        return match described {
            Some((does, verb)) if act == Act::Read && does != Act::Read && !vocab::NOUNS_TOO.contains(&verb) => {
                (does, verb.to_owned())
            }
            _ => (act, first.to_owned()),
        };
    }
    // `post_update`, "Post an update.": of two words that may be the verb, the description begins with it.
    if let Some((act, verb)) = described
        && stem(first) == stem(verb)
        && act != Act::Read
    {
        return (act, first.to_owned());
    }
    if let Some((act, word)) = words.iter().skip(1).find_map(|w| clear(w).map(|a| (a, w))) {
        return (act, word.clone());
    }
    // `order_status`: two nouns, of which the last is looked at.
    if matches!(words.last().map(String::as_str), Some("status" | "details" | "info" | "history" | "summary" | "count"))
    {
        return (Act::Read, "get".to_owned());
    }
    let ambiguous = words.iter().find_map(|w| act_named(w).map(|a| (a, w.clone())));
    match (described, ambiguous) {
        (Some((act, verb)), None) => (act, verb.to_owned()),
        (Some((act, verb)), Some((other, word))) => {
            if other == Act::Read || act == Act::Read || act == other {
                (act, verb.to_owned())
            } else {
                (other, word)
            }
        }
        (None, Some(found)) => found,
        (None, None) => (Act::Unknown, first.to_owned()),
    }
}

/// Follows `$ref` inside the document, within bounds.
fn resolve<'a>(root: &'a Value, mut at: &'a Value, steps: usize) -> Option<&'a Value> {
    for _ in 0..steps {
        let Some(link) = at.get("$ref").and_then(Value::as_str) else { return Some(at) };
        at = root.pointer(link.strip_prefix('#')?)?;
    }
    None
}

/// A schema and the alternatives of which a value may be any.
pub(crate) fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let branches = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|k| schema.get(k)?.as_array()).flatten();
    std::iter::once(schema).chain(branches)
}

/// Properties at the top of a schema.
pub(crate) fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    alternatives(schema).filter_map(|s| s.get("properties")?.as_object()).flatten().map(|(k, v)| (k.as_str(), v))
}
