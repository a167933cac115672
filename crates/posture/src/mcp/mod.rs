//! Configurations of agents and their tool servers, and the texts that agents take as instructions.

mod clients;
mod flow;
mod permission;
mod recorded;
mod server;
mod text;

use bartizan_core::Reason;

pub use recorded::Recorded;

use crate::report::{Desk, Report};
use crate::syntax::{json, toml, yaml};
use crate::tree::Node;

/// What a file of an agent is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Toml,
    Yaml,
    /// Text that an agent takes as instructions.
    Instructions,
    /// The same, which may also name tools and run commands: skills, commands, sub-agents.
    Definition,
}

fn kind(path: &str) -> Option<Kind> {
    let path = path.replace('\\', "/").to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let inside = |folder: &str| path.contains(&format!("{folder}/"));
    Some(match name {
        "agents.md"
        | "claude.md"
        | "claude.local.md"
        | "gemini.md"
        | "copilot-instructions.md"
        | ".cursorrules"
        | ".windsurfrules"
        | ".clinerules"
        | ".goosehints"
        | "agents.override.md" => Kind::Instructions,
        "skill.md" => Kind::Definition,
        _ if name.ends_with(".mdc") || name.ends_with(".instructions.md") || name.ends_with(".prompt") => {
            Kind::Instructions
        }
        _ if name.ends_with(".prompt.md") || name.ends_with(".agent.md") || name.ends_with(".chatmode.md") => {
            Kind::Definition
        }
        _ if name.ends_with(".md")
            && (inside(".claude/agents")
                || inside(".claude/commands")
                || inside(".claude/skills")
                || inside(".cursor/commands")
                || inside(".codex/prompts")) =>
        {
            Kind::Definition
        }
        _ if name.ends_with(".md")
            && (inside(".cursor/rules")
                || inside(".windsurf/rules")
                || inside(".clinerules")
                || inside(".claude/rules")) =>
        {
            Kind::Instructions
        }
        _ if name.ends_with(".json") || name.ends_with(".jsonc") => Kind::Json,
        _ if name.ends_with(".toml") => Kind::Toml,
        _ if name.ends_with(".yaml") || name.ends_with(".yml") => Kind::Yaml,
        _ => return None,
    })
}

/// True for names of files that [`agent`] reads in a folder of many.
#[must_use]
pub fn is_agent_name(path: &str) -> bool {
    let lower = path.replace('\\', "/").to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    match kind(path) {
        Some(Kind::Instructions | Kind::Definition) => true,
        Some(Kind::Json) => {
            name.contains("mcp")
                || matches!(
                    name,
                    "claude_desktop_config.json"
                        | ".claude.json"
                        | "settings.json"
                        | "settings.local.json"
                        | "hooks.json"
                        | "tools.json"
                        | "opencode.json"
                )
        }
        Some(Kind::Toml) => lower.ends_with(".codex/config.toml"),
        Some(Kind::Yaml) => lower.contains(".continue/") || name.contains("mcp"),
        None => false,
    }
}

/// Examines one file of an agent: `name` tells what it is. `bytes` is all of it.
#[must_use]
pub fn agent(name: &str, bytes: &[u8]) -> Report {
    let mut desk = Desk::default();
    let Some(text) = desk.text(bytes) else { return desk.report("unread") };
    // A prompt template may have any name; what has none of the others is one.
    let kind = kind(name).unwrap_or(Kind::Instructions);
    let format = match kind {
        Kind::Instructions => {
            text::examine(text, 0, &mut desk);
            "instructions"
        }
        Kind::Definition => {
            text::examine(text, 0, &mut desk);
            permission::definition(text, &mut desk);
            "definition"
        }
        Kind::Json => parsed(json::parse(text).map(|d| vec![d]), text, &mut desk),
        Kind::Toml => parsed(toml::parse(text).map(|d| vec![d]), text, &mut desk),
        Kind::Yaml => {
            let (documents, fault) = yaml::parse(text);
            let format = parsed(Ok(documents), text, &mut desk);
            if let Some(fault) = fault {
                desk.partial(Reason::Malformed, fault.at, text.len().saturating_sub(fault.at), fault.why);
            }
            format
        }
    };
    desk.report(format)
}

fn parsed(documents: Result<Vec<Node>, crate::tree::Broken>, text: &str, desk: &mut Desk) -> &'static str {
    let documents = match documents {
        Ok(documents) => documents,
        Err(fault) => {
            let reason = if fault.limit { Reason::TooDeep } else { Reason::Malformed };
            desk.partial(reason, fault.at, text.len().saturating_sub(fault.at), fault.why);
            return "unread";
        }
    };
    let mut format = "settings";
    for document in &documents {
        let servers = clients::servers(document);
        if !servers.is_empty() {
            format = "servers";
        }
        for server in &servers {
            server::judge(server, text, desk);
        }
        flow::judge(&servers, desk);
        permission::settings(document, text, desk);
        let recorded = recorded::recorded(document, text);
        if recorded.iter().any(Recorded::is_list) && servers.is_empty() {
            format = "tools";
        }
        recorded.iter().for_each(|one| text::definitions(one, desk));
        desk.record(recorded);
    }
    format
}
