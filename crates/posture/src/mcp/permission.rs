//! What an agent may do unasked: settings, hooks, tools of skills, commands and sub-agents.

use bartizan_core::{Severity, Span};

use super::server;
use crate::fact::{Home, Unit};
use crate::infra::launch;
use crate::product::general;
use crate::report::Desk;
use crate::rules;
use crate::syntax::shell::{self, Command, Word};
use crate::tree::Node;
use crate::value;

/// Reports that something is allowed unasked.
pub(super) fn broad(at: Span, what: &str, desk: &mut Desk) {
    desk.find(
        &rules::BROAD_PERMISSION,
        at,
        format!("{what} may be used without asking"),
        "name the few commands and tools that need no question, such as `Bash(npm test:*)`",
    );
}

/// Switches that stop all questions, with the value that does it.
const SWITCHES: &[(&str, &str)] = &[
    ("permissions.defaultMode", "bypassPermissions"),
    ("skipDangerousModePermissionPrompt", "true"),
    ("enableAllProjectMcpServers", "true"),
    ("chat.tools.autoApprove", "true"),
    ("chat.tools.global.autoApprove", "true"),
    ("autoAccept", "true"),
    ("tools.autoAccept", "true"),
    ("general.defaultApprovalMode", "yolo"),
    ("agent.always_allow_tool_actions", "true"),
    ("approval_policy", "never"),
    ("sandbox_mode", "danger-full-access"),
    ("permission", "allow"),
];

/// Settings of an agent.
pub(super) fn settings(document: &Node, source: &str, desk: &mut Desk) {
    for (path, value) in SWITCHES {
        // VS Code writes dots into its keys.
        if let Some(node) = document.at(path).or_else(|| document.get(path)).filter(|n| n.text() == Some(value)) {
            let what = match *path {
                "enableAllProjectMcpServers" => "every server that a project brings",
                "sandbox_mode" => "the whole machine",
                _ => "every tool",
            };
            broad(node.span, what, desk);
        }
    }
    for rule in document.at("permissions.allow").map_or(&[][..], Node::items) {
        if rule.text().is_some_and(is_broad) {
            broad(rule.span, "every command or tool of this kind", desk);
        }
    }
    for (_, event) in document.get("hooks").map_or(&[][..], Node::entries) {
        for entry in event.items() {
            hook(entry, source, desk);
            entry.get("hooks").map_or(&[][..], Node::items).iter().for_each(|inner| hook(inner, source, desk));
        }
    }
    for key in ["statusLine.command", "apiKeyHelper", "awsAuthRefresh"] {
        if let Some(node) = document.at(key) {
            script(node, source, desk);
        }
    }
}

/// `Bash`, `Bash(*)`, `*`: everything. Reading is no danger of its own here.
fn is_broad(rule: &str) -> bool {
    let plain: String = rule.chars().filter(|c| !c.is_whitespace()).collect();
    matches!(
        plain.as_str(),
        "*" | "Bash"
            | "Bash(*)"
            | "Bash(:*)"
            | "Bash(*:*)"
            | "mcp__*"
            | "Shell"
            | "Shell(*)"
            | "run_shell_command"
            | "Bash(sudo:*)"
            | "Bash(curl:*)"
            | "Bash(bash:*)"
            | "Bash(sh:*)"
            | "Bash(eval:*)"
    )
}

fn hook(entry: &Node, source: &str, desk: &mut Desk) {
    if let Some(command) = entry.get("command") {
        script(command, source, desk);
    }
}

/// A command that the agent's program runs by itself.
fn script(node: &Node, source: &str, desk: &mut Desk) {
    let Some(text) = node.text() else { return };
    let word = Word { text: text.to_owned(), span: node.span };
    let commands = launch::within(&word, source, 0);
    let mut unit = Unit::new(Home::Part, node.span);
    for (at, command) in commands.iter().enumerate() {
        launch::download(at.checked_sub(1).and_then(|at| commands.get(at)), command, &mut unit);
        server::shell(&command.words, source, desk);
        if let Some(at) = sends(command) {
            desk.find(
                &rules::HOOK_EGRESS,
                at,
                "a hook sends what the agent works on to another machine",
                "keep hooks local, or send to an address of your own that is named in a policy",
            );
        }
    }
    server::downloads(&unit, rules::DOWNLOAD_AND_RUN.severity, desk);
}

/// The place where a command posts data to another machine.
fn sends(command: &Command) -> Option<Span> {
    let program = command.words.first()?;
    let name = program.text.rsplit('/').next().unwrap_or(&program.text);
    if !general::DOWNLOADERS.contains(&name) && !matches!(name, "nc" | "ncat" | "netcat") {
        return None;
    }
    let posts = matches!(name, "nc" | "ncat" | "netcat")
        || command.words.iter().any(|w| {
            matches!(
                w.text.as_str(),
                "-d" | "--data"
                    | "--data-binary"
                    | "--data-raw"
                    | "--data-urlencode"
                    | "-F"
                    | "--form"
                    | "-T"
                    | "--upload-file"
                    | "--json"
                    | "--post-data"
                    | "--post-file"
            ) || w.text.starts_with("--post-")
                || w.text.starts_with("-d@")
                || w.text.starts_with("--data")
        });
    let away = command.words.iter().skip(1).any(|w| {
        let host = w.text.contains("://") || w.text.contains('.') && !w.text.starts_with('-');
        host && !value::is_loopback(&w.text)
    });
    let end = command.words.last().map_or(program.span.end, |w| w.span.end);
    (posts && away).then(|| Span::new(program.span.start, end.max(program.span.start)))
}

/// Skills, commands and sub-agents: their front matter, and commands that run when they are read.
pub(super) fn definition(text: &str, desk: &mut Desk) {
    let mut start = 0;
    let (mut front, mut fenced) = (0, false);
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let plain = line.trim();
        if plain == "---" && (at == 0 || front == 1) {
            front += 1;
            continue;
        }
        if front == 1 {
            front_matter(plain, at + line.len() - line.trim_start().len(), desk);
            continue;
        }
        if plain.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        // `!` and a command in backticks: run before the text is read.
        let runs = plain.strip_prefix("!`").or_else(|| plain.split_once(" !`").map(|(_, rest)| rest));
        if let Some(script) = runs.and_then(|r| r.split('`').next()) {
            commands(script, at + line.find(script).unwrap_or(0), rules::DOWNLOAD_AND_RUN.severity, desk);
        } else if fenced && (plain.contains("curl") || plain.contains("wget")) {
            // What the agent is shown, it may run.
            commands(line, at, Severity::Medium, desk);
        }
    }
}

fn front_matter(line: &str, at: usize, desk: &mut Desk) {
    let Some((key, value)) = line.split_once(':') else { return };
    let span = Span::new(at, at + line.len());
    // A sub-agent's `tools` may name the shell: it still asks. `allowed-tools` are those that need no question.
    let asks = match key.trim() {
        "allowed-tools" => false,
        "tools" => true,
        "permissionMode" if value.trim() == "bypassPermissions" => return broad(span, "every tool", desk),
        _ => return,
    };
    let plain = |tool: &str| tool.trim_matches([' ', '"', '\'', '[', ']', '-']).to_owned();
    if value.split(',').map(plain).any(|tool| is_broad(&tool) && !(asks && matches!(tool.as_str(), "Bash" | "*"))) {
        broad(span, "every command or tool", desk);
    }
}

fn commands(script: &str, offset: usize, severity: Severity, desk: &mut Desk) {
    let commands = shell::parse(script, offset);
    let mut unit = Unit::new(Home::Part, Span::default());
    for (at, command) in commands.iter().enumerate() {
        launch::download(at.checked_sub(1).and_then(|at| commands.get(at)), command, &mut unit);
    }
    server::downloads(&unit, severity, desk);
}
