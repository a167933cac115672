//! What the columns of a row mean: which text the model is asked, which it learns to say, and what labels it.
//!
//! Every string of a row becomes a [`Turn`], whatever it means: nothing is left unexamined because its column has an
//! unknown name.

use bartizan_core::Source;
use serde::{Deserialize, Serialize};

use crate::cell::Cell;

/// Whose words a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions of the operator.
    System,
    /// What the model is asked.
    User,
    /// What the model learns to say.
    Model,
    /// The answer that the model learns not to give.
    Rejected,
    /// What a tool returned.
    Tool,
    /// A text that is read, searched or classified.
    Document,
    /// The class of the row.
    Label,
    /// Where the row is from, and when.
    Origin,
    /// Anything else.
    Field,
    /// The name of a value.
    Name,
}

impl Role {
    /// Where the engine is told that the text came from.
    #[must_use]
    pub const fn source(self) -> Source {
        match self {
            Self::System => Source::System,
            Self::User => Source::User,
            Self::Model | Self::Rejected => Source::Model,
            Self::Tool => Source::Tool,
            Self::Document | Self::Field | Self::Name => Source::Document,
            Self::Label | Self::Origin => Source::Parameter,
        }
    }
}

/// One text of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// JSON Pointer (RFC 6901) in the row.
    pub path: String,
    /// Whose words.
    pub role: Role,
    /// The text.
    pub text: String,
}

/// What columns mean where their names do not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The column that holds the text.
    pub text: Option<String>,
    /// The column that holds what the model learns to say.
    pub output: Option<String>,
    /// The column that holds the class.
    pub label: Option<String>,
}

impl Columns {
    fn role(&self, name: &str) -> Option<Role> {
        let is = |column: &Option<String>| column.as_deref() == Some(name);
        if is(&self.text) {
            Some(Role::Document)
        } else if is(&self.output) {
            Some(Role::Model)
        } else if is(&self.label) {
            Some(Role::Label)
        } else {
            None
        }
    }
}

/// A row that was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Its texts, in the order of the row.
    pub turns: Vec<Turn>,
    /// Short numbers and truths in columns whose names do not say what they are, by path: one of them may be the class.
    pub short: Vec<(String, String)>,
    /// Bytes that are no text.
    pub opaque: usize,
    /// Values nested too deep to be read.
    pub deep: usize,
}

impl Row {
    /// Takes a row apart.
    #[must_use]
    pub fn new(cell: &Cell, columns: &Columns) -> Self {
        Walk::over(cell, columns, false).row
    }

    /// The class of the row, where it has one.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.of(Role::Label).next()
    }

    /// The texts of one role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &str> {
        self.turns.iter().filter(move |turn| turn.role == role).map(|turn| turn.text.as_str())
    }

    /// What the model is given: questions and documents, in order.
    #[must_use]
    pub fn input(&self) -> String {
        let mut texts = self.asked();
        if texts.is_empty() {
            texts = self.of(Role::Field).collect();
        }
        texts.join("\n")
    }

    /// Texts in columns whose names say that the model is given them.
    pub(crate) fn asked(&self) -> Vec<&str> {
        let asked = |turn: &&Turn| matches!(turn.role, Role::User | Role::Document | Role::Tool);
        self.turns.iter().filter(asked).map(|turn| turn.text.as_str()).collect()
    }

    /// Values of columns whose names do not say what they are, by path.
    pub(crate) fn unnamed(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.turns.iter().filter(|turn| turn.role == Role::Field);
        let short = self.short.iter().map(|(path, value)| (path.as_str(), value.as_str()));
        texts.map(|turn| (turn.path.as_str(), turn.text.as_str())).chain(short)
    }

    /// What the model learns to say.
    #[must_use]
    pub fn output(&self) -> String {
        self.of(Role::Model).collect::<Vec<_>>().join("\n")
    }
}

/// Where each turn of a row is: positions in lists and maps from the root, which tell keys apart that repeat. A name that
/// is a text has [`NAME`] at the end.
pub(crate) fn places(cell: &Cell, columns: &Columns) -> Vec<Box<[u32]>> {
    Walk::over(cell, columns, true).places
}

/// Stands for the name of a value, not the value.
pub(crate) const NAME: u32 = u32::MAX;

/// One way through a row.
struct Walk<'a> {
    columns: &'a Columns,
    row: Row,
    path: String,
    steps: Vec<u32>,
    placed: bool,
    places: Vec<Box<[u32]>>,
}

impl<'a> Walk<'a> {
    fn over(cell: &Cell, columns: &'a Columns, placed: bool) -> Self {
        let mut walk =
            Self { columns, row: Row::default(), path: String::new(), steps: Vec::new(), placed, places: Vec::new() };
        walk.go(cell, if matches!(cell, Cell::Text(_)) { Role::Document } else { Role::Field });
        walk
    }

    fn turn(&mut self, role: Role, text: &str) {
        self.row.turns.push(Turn { path: self.path.clone(), role, text: text.to_owned() });
        if self.placed {
            self.places.push(self.steps.as_slice().into());
        }
    }

    fn name(&mut self, name: &str) {
        let long = self.path.len();
        self.path.push_str("#key");
        self.steps.push(NAME);
        self.turn(Role::Name, name);
        self.steps.pop();
        self.path.truncate(long);
    }

    fn go(&mut self, cell: &Cell, role: Role) {
        let long = self.path.len();
        match cell {
            Cell::Null | Cell::Bool(_) => {
                if let Some(text) = cell.word() {
                    match role {
                        Role::Label => self.turn(role, &text),
                        Role::Field => self.row.short.push((self.path.clone(), text)),
                        _ => {}
                    }
                }
            }
            // A short number is no text; a long one may be an identifier of a person.
            Cell::Number(number) => {
                if role == Role::Label || number.len() >= 7 {
                    self.turn(if role == Role::Label { role } else { Role::Origin }, number);
                } else if role == Role::Field {
                    self.row.short.push((self.path.clone(), number.clone()));
                }
            }
            Cell::Text(text) => {
                if !text.is_empty() {
                    self.turn(role, text);
                }
            }
            Cell::Opaque(bytes) => self.row.opaque += bytes,
            Cell::Deep => self.row.deep += 1,
            Cell::Headed(names, row) => {
                // The first line may be a row like any other. Names that tell something are looked at with their values.
                for (step, name) in (0..).zip(names) {
                    if !name.is_empty() && (!telling(name) || row.get(name).is_none()) {
                        self.path.push('/');
                        escape(name, &mut self.path);
                        self.steps.push(step);
                        self.name(name);
                        self.steps.pop();
                        self.path.truncate(long);
                    }
                }
                self.go(row, role);
            }
            Cell::List(items) => {
                for (step, item) in (0..).zip(items) {
                    self.path.push('/');
                    self.path.push_str(&step.to_string());
                    self.steps.push(step);
                    self.go(item, role);
                    self.steps.pop();
                    self.path.truncate(long);
                }
            }
            Cell::Map(pairs) => {
                let speaker = speaker(cell);
                for (step, (name, value)) in (0..).zip(pairs) {
                    self.path.push('/');
                    escape(name, &mut self.path);
                    self.steps.push(step);
                    let inner = match speaker {
                        // A message: who speaks decides, not the name of the field.
                        Some(_) if is_speaker(name) && value.word().is_some_and(|w| w.len() <= 32) => Role::Origin,
                        Some(speaker) if role != Role::Rejected || speaker != Role::Model => speaker,
                        Some(_) => Role::Rejected,
                        None => self.columns.role(name).or_else(|| by_name(name, value)).unwrap_or(role),
                    };
                    self.go(value, inner);
                    if telling(name) {
                        self.name(name);
                    }
                    self.steps.pop();
                    self.path.truncate(long);
                }
            }
        }
    }
}

/// True for a name that may hold more than what a value is called: a text, an address, a number, a key.
pub(crate) fn telling(name: &str) -> bool {
    let mut digits = 0;
    name.len() >= 16
        || name.chars().any(|c| {
            digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
            digits >= 7 || !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' '))
        })
}

fn escape(name: &str, into: &mut String) {
    for c in name.chars() {
        match c {
            '~' => into.push_str("~0"),
            '/' => into.push_str("~1"),
            c => into.push(c),
        }
    }
}

fn is_speaker(name: &str) -> bool {
    matches!(name, "role" | "from" | "speaker")
}

/// True for a message of a chat.
pub(crate) fn is_message(cell: &Cell) -> bool {
    ["role", "from", "speaker"].iter().any(|name| cell.get(name).is_some())
}

/// Who speaks in a message.
fn speaker(cell: &Cell) -> Option<Role> {
    let said = ["content", "value", "text", "message", "parts", "tool_calls"];
    said.iter().find(|name| cell.get(name).is_some())?;
    let who = ["role", "from", "speaker"].iter().find_map(|name| cell.get(name)?.word())?;
    match who.to_lowercase().as_str() {
        "system" | "developer" => Some(Role::System),
        "user" | "human" | "prompter" | "question" | "instruction" | "customer" => Some(Role::User),
        "assistant" | "gpt" | "model" | "bot" | "chatgpt" | "bing" | "bard" | "answer" | "ai" | "agent" => {
            Some(Role::Model)
        }
        "tool" | "function" | "observation" | "ipython" | "function_response" | "tool_response" => Some(Role::Tool),
        _ => None,
    }
}

/// True for a name that says what a column means.
pub(crate) fn known(name: &str) -> bool {
    by_name(name, &Cell::Text(String::new())).is_some() || is_speaker(name)
}

/// What a column of that name means.
fn by_name(name: &str, value: &Cell) -> Option<Role> {
    let name = name.trim().to_lowercase().replace([' ', '-'], "_");
    Some(match name.as_str() {
        "system" | "system_prompt" | "system_message" => Role::System,
        "prompt" | "instruction" | "instructions" | "input" | "inputs" | "question" | "query" | "user" | "human"
        | "user_prompt" | "problem" | "task" | "request" => Role::User,
        "response" | "responses" | "completion" | "completions" | "output" | "outputs" | "answer" | "answers"
        | "assistant" | "chosen" | "solution" | "summary" | "reply" | "generation" | "expected_output"
        | "canonical_solution" | "gpt" | "model_answer" | "assistant_response" => Role::Model,
        "target" | "targets" if matches!(value, Cell::Text(text) if text.len() > 24) => Role::Model,
        "rejected" => Role::Rejected,
        "tool" | "observation" | "tool_output" | "tool_result" | "function_result" => Role::Tool,
        "text" | "texts" | "sentence" | "content" | "document" | "documents" | "body" | "article" | "tweet"
        | "review" | "passage" | "passages" | "context" | "contexts" | "comment" | "premise" | "hypothesis"
        | "sentence1" | "sentence2" | "title" | "abstract" | "description" | "post" | "message" | "headline"
        | "paragraph" | "chunk" | "page_content" | "markdown" | "html" | "code" => Role::Document,
        "label" | "labels" | "class" | "classes" | "category" | "sentiment" | "gold_label" | "target" | "targets"
        | "label_text" | "intent" | "rating" | "stars" => Role::Label,
        "id" | "_id" | "uid" | "uuid" | "url" | "source" | "author" | "user_id" | "username" | "timestamp" | "time"
        | "date" | "created" | "created_at" | "updated_at" | "domain" | "path" | "file" | "filename" | "lang"
        | "language" | "license" | "split" | "subset" | "dataset" | "index" | "idx" | "meta" | "metadata" => {
            Role::Origin
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> Vec<(String, Role)> {
        let cell: Cell = serde_json::from_str(json).unwrap();
        Row::new(&cell, &Columns::default()).turns.into_iter().map(|t| (t.path, t.role)).collect()
    }

    #[test]
    fn layouts_are_recognised_by_their_columns() {
        let chat = row(r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"id":"x"}"#);
        assert_eq!(
            chat.iter().map(|(p, r)| (p.as_str(), *r)).collect::<Vec<_>>(),
            [
                ("/messages/0/role", Role::Origin),
                ("/messages/0/content", Role::User),
                ("/messages/1/role", Role::Origin),
                ("/messages/1/content", Role::Model),
                ("/id", Role::Origin)
            ]
        );
        let shared = row(r#"{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}"#);
        assert_eq!(shared[1].1, Role::User);
        assert_eq!(shared[3].1, Role::Model);
        let pairs = row(r#"{"prompt":"q","chosen":"a","rejected":[{"role":"assistant","content":"b"}]}"#);
        assert_eq!(pairs.iter().map(|(_, r)| *r).collect::<Vec<_>>()[..2], [Role::User, Role::Model]);
        assert!(pairs.iter().any(|(p, r)| p == "/rejected/0/content" && *r == Role::Rejected));
        let labelled = row(r#"{"text":"t","label":1,"odd~/name":"u"}"#);
        assert_eq!(labelled[1], ("/label".to_owned(), Role::Label));
        assert_eq!(labelled[2], ("/odd~0~1name".to_owned(), Role::Field));
    }

    #[test]
    fn names_that_tell_something_are_turns() {
        for name in ["ann.lee@posteo.org", "n1234567", "a_name_of_sixteen_", "na\u{ef}ve"] {
            let turns = row(&serde_json::json!({ name: 1, "text": "x" }).to_string());
            assert_eq!(turns.iter().filter(|(_, role)| *role == Role::Name).count(), 1, "{name}");
        }
        assert_eq!(row(r#"{"user_id":"a","n 123456":1,"max-length":2}"#).len(), 1);
    }

    #[test]
    fn every_string_is_a_turn_even_under_repeated_keys() {
        let turns = row(r#"{"text":"one","text":"two","deep":{"er":["three",{"x":"four"}]},"n":123456789}"#);
        assert_eq!(turns.len(), 5);
    }
}
