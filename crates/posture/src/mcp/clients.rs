//! Where clients keep their servers: Claude, Cursor, VS Code, Windsurf, Zed, Gemini CLI, Codex, Continue, Cline.

use bartizan_core::Span;

use crate::syntax::shell::Word;
use crate::tree::{Data, Node};

/// One server of a client.
pub(super) struct Server<'n> {
    pub(super) name: String,
    /// The command with its arguments.
    pub(super) words: Vec<Word>,
    pub(super) node: &'n Node,
    pub(super) at: Span,
}

/// Paths of mappings or lists of servers.
const PLACES: &[&str] = &[
    "mcpServers",
    "servers",
    "mcp_servers",
    "context_servers",
    "mcp.servers",
    "mcp",
    "amp.mcpServers",
    "mcp.mcpServers",
];

/// All servers of a document, those of projects in Claude Code's own file included.
pub(super) fn servers(document: &Node) -> Vec<Server<'_>> {
    let mut all = Vec::new();
    of(document, &mut all);
    for (_, project) in document.get("projects").map_or(&[][..], Node::entries) {
        of(project, &mut all);
    }
    all
}

fn of<'n>(node: &'n Node, all: &mut Vec<Server<'n>>) {
    for place in PLACES {
        let Some(found) = node.at(place).or_else(|| node.get(place)) else { continue };
        for (name, entry) in found.entries() {
            add(name.text().unwrap_or_default(), name.span, entry, all);
        }
        // Continue lists them.
        for entry in found.items() {
            add(entry.text_at("name").unwrap_or_default(), entry.span, entry, all);
        }
    }
}

fn add<'n>(name: &str, at: Span, entry: &'n Node, all: &mut Vec<Server<'n>>) {
    // Zed may put the command one deeper.
    let command = entry.get("command");
    let home = command.filter(|c| c.is_map()).unwrap_or(entry);
    let mut words = Vec::new();
    let program = if command.is_some_and(Node::is_map) { home.get("path") } else { command };
    match program.map(|p| (&p.data, p.span)) {
        Some((Data::Scalar(text), span)) => words.push(Word { text: text.clone(), span }),
        // OpenCode gives one list.
        Some((Data::List(items), _)) => words.extend(items.iter().filter_map(word)),
        _ => {}
    }
    words.extend(home.get("args").map_or(&[][..], Node::items).iter().filter_map(word));
    let remote = ["url", "serverUrl", "httpUrl"].iter().any(|key| entry.get(key).is_some());
    if !words.is_empty() || remote {
        all.push(Server { name: name.to_owned(), words, node: entry, at });
    }
}

fn word(node: &Node) -> Option<Word> {
    Some(Word { text: node.text()?.to_owned(), span: node.span })
}
