//! What a file records of what servers say of themselves: lists of tools, prompts and resources, and instructions.

use std::fmt::Write as _;

use bartizan_core::Span;

use crate::tree::{Data, Node};

/// Members of a result that list what a server has.
const LISTS: [&str; 4] = ["tools", "prompts", "resources", "resourceTemplates"];
/// Members that tell what a server or client has under a name.
const TELLING: [&str; 2] = ["instructions", "description"];
/// Members of which a tool has one besides its name.
const OF_TOOLS: [&str; 4] = ["description", "inputSchema", "input_schema", "parameters"];

/// What a server says of itself, as the result of a request that lists it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Name of the server, where the file has one; else empty.
    pub server: String,
    /// Names of its tools in their order; empty where one has none.
    pub tools: Vec<String>,
    /// Where it is in the file: bytes.
    pub span: Span,
    /// The result as JSON.
    pub json: String,
    node: Node,
}

impl Recorded {
    /// Where the value is that a JSON Pointer below the result leads to; what is around it, where there is none.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Span {
        let mut node = &self.node;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let below = match &node.data {
                Data::List(items) => token.parse::<usize>().ok().and_then(|at| items.get(at)),
                _ => node.get(&token),
            };
            let Some(below) = below else { break };
            node = below;
        }
        node.span
    }

    /// True where it lists anything, and does not only describe itself.
    pub(super) fn is_list(&self) -> bool {
        LISTS.iter().any(|key| self.node.get(key).is_some())
    }

    /// Every text of it.
    pub(super) fn leaves<'n>(&'n self, visit: &mut dyn FnMut(&str, &'n Node)) {
        self.node.leaves(visit);
    }

    fn of(server: &str, entries: Vec<(Node, Node)>, span: Span, source: &str) -> Self {
        let tools = entries.iter().filter(|(key, _)| key.text() == Some("tools")).flat_map(|(_, list)| list.items());
        let tools = tools.map(|tool| tool.text_at("name").unwrap_or_default().to_owned()).collect();
        let node = Node { data: Data::Map(entries), span };
        let mut json = String::new();
        write(&node, source, &mut json);
        Self { server: server.to_owned(), tools, span, json, node }
    }
}

/// All that a document records.
pub(super) fn recorded(document: &Node, source: &str) -> Vec<Recorded> {
    let mut all = Vec::new();
    if document.items().iter().any(is_tool) {
        let key = Node::scalar("tools", document.span);
        all.push(Recorded::of("", vec![(key, plain(document))], document.span, source));
    } else {
        walk(document, "", source, &mut all);
    }
    all
}

fn walk(node: &Node, name: &str, source: &str, all: &mut Vec<Recorded>) {
    let listed = |key: &str, value: &Node| LISTS.contains(&key) && is_list(value);
    // Clients describe their servers, and servers themselves.
    let tells = ["command", "url", "serverUrl", "httpUrl", "serverInfo"].iter().any(|key| node.get(key).is_some())
        || node.entries().iter().any(|(key, value)| listed(key.text().unwrap_or_default(), value));
    let mut own = Vec::new();
    for (key, value) in node.entries() {
        let word = key.text().unwrap_or_default();
        if listed(word, value) {
            own.push((key.clone(), plain(value)));
        } else if tells && TELLING.contains(&word) && value.text().is_some() {
            own.push((key.clone(), value.clone()));
        } else {
            let name = if matches!(word, "result" | "params") { name } else { word };
            walk(value, name, source, all);
        }
    }
    for item in node.items() {
        walk(item, name, source, all);
    }
    if !own.is_empty() {
        let name = node.text_at("serverInfo.name").unwrap_or(name);
        all.push(Recorded::of(name, own, node.span, source));
    }
}

fn is_tool(node: &Node) -> bool {
    let node = node.get("function").unwrap_or(node);
    node.text_at("name").is_some() && OF_TOOLS.iter().any(|key| node.get(key).is_some())
}

/// A list of elements with names, or a mapping of names to definitions.
fn is_list(node: &Node) -> bool {
    let named = |item: &Node| ["name", "uri", "uriTemplate", "function.name"].iter().any(|key| item.at(key).is_some());
    node.items().iter().any(named) || by_name(node)
}

fn by_name(node: &Node) -> bool {
    node.entries().iter().any(|(_, value)| OF_TOOLS.iter().any(|key| value.is_map() && value.get(key).is_some()))
}

/// The list as MCP writes it: OpenAI puts a definition one deeper, and some name it by its key.
fn plain(node: &Node) -> Node {
    let unwrapped = |item: &Node| item.get("function").filter(|inner| inner.is_map()).unwrap_or(item).clone();
    let data = match &node.data {
        Data::List(items) => Data::List(items.iter().map(unwrapped).collect()),
        Data::Map(entries) => Data::List(entries.iter().map(|(key, value)| keyed(key, value)).collect()),
        other => other.clone(),
    };
    Node { data, span: node.span }
}

fn keyed(key: &Node, value: &Node) -> Node {
    let mut value = value.clone();
    if let Data::Map(entries) = &mut value.data
        && !entries.iter().any(|(own, _)| own.text() == Some("name"))
    {
        entries.push((Node::scalar("name", key.span), key.clone()));
    }
    value
}

/// Writes JSON. What is written without quotes in the file and is a number or a truth value stays one.
fn write(node: &Node, source: &str, out: &mut String) {
    match &node.data {
        Data::Null => out.push_str("null"),
        Data::Scalar(text) => {
            let quoted = source.get(node.span.start..).is_some_and(|at| at.starts_with(['"', '\'']));
            if !quoted && is_literal(text) { out.push_str(text) } else { quote(text, out) }
        }
        Data::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write(item, source, out);
            }
            out.push(']');
        }
        Data::Map(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                quote(key.text().unwrap_or_default(), out);
                out.push(':');
                write(value, source, out);
            }
            out.push('}');
        }
    }
}

fn is_literal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = digits.bytes().all(|b| b.is_ascii_digit()) && (1..=18).contains(&digits.len());
    matches!(text, "true" | "false") || number && (digits.len() == 1 || !digits.starts_with('0'))
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}
