//! The profile for coding agents: commands and edits are decided by what they do, not by who worded them. Nobody spells
//! out every command that a coding agent runs, and a person who is asked for each reads none.

mod flags;
mod impact;
mod package;
mod shell;
#[cfg(test)]
mod tests;

use bartizan_core::{Label, Origin, Source, Verdict};
use serde_json::Value;

use super::decide::{Decision, Trace, Traced, Why};
use super::text::{Shape, name_tokens};
use super::tool::{Role, Tool};
use super::work::Decider;
pub use impact::{Effects, Impact, of_line, of_words};
pub use package::{Allowed, Ecosystem, Package};

/// What coding agents may do.
#[derive(Clone, Debug, Default)]
pub struct Coding {
    /// Packages that commands may install; without a list the user names them.
    pub packages: Option<Allowed>,
    /// Folders that the agent works in, as absolute paths. What the operator's text calls the working directory is one too.
    pub workspace: Vec<String>,
}

/// What a call would do, and the argument that says so.
struct Work {
    argument: String,
    /// The command or the path.
    text: String,
    effects: Effects,
}

/// Words in names of tools that run commands.
const SHELLS: [&str; 11] =
    ["bash", "shell", "sh", "zsh", "terminal", "exec", "execute", "run", "command", "cmd", "powershell"];

/// Arguments that are the command.
const COMMANDS: [&str; 3] = ["command", "cmd", "script"];

/// Arguments beside it that change nothing of what it does.
const BESIDE: [&str; 14] = [
    "description",
    "timeout",
    "timeout_ms",
    "timeoutms",
    "run_in_background",
    "is_background",
    "isbackground",
    "explanation",
    "justification",
    "blocking",
    "requires_approval",
    "max_output_tokens",
    "yield_time_ms",
    "restart",
];

/// Arguments that are the folder in which it runs.
const FOLDERS: [&str; 4] = ["cwd", "workdir", "working_directory", "workingdirectory"];

/// Words in names of tools that edit files.
const EDITS: [&str; 9] =
    ["edit", "write", "create", "replace", "insert", "multiedit", "notebookedit", "patch", "update"];

/// Other words in their names. With any other word a tool may write elsewhere than into a file.
const OF_EDITS: [&str; 24] = [
    "file", "files", "notebook", "str", "string", "based", "tool", "text", "editor", "in", "into", "to", "cell",
    "multi", "new", "existing", "search", "and", "content", "lines", "line", "code", "apply", "diff",
];

/// Arguments of edits beside the file.
const EDITING: [&str; 25] = [
    "content",
    "contents",
    "file_text",
    "old_string",
    "new_string",
    "old_str",
    "new_str",
    "replace_all",
    "edits",
    "insert_line",
    "insert_text",
    "new_source",
    "cell_id",
    "cell_type",
    "edit_mode",
    "command",
    "code_edit",
    "instructions",
    "diff",
    "replacements",
    "expected_replacements",
    "line_count",
    "overwrite",
    "append",
    "input",
];

/// Arguments that are the file.
const FILES: [&str; 7] = ["path", "file_path", "filepath", "filename", "target_file", "notebook_path", "file"];

/// Words by which people ask for what reaches other machines without naming one.
const REACH: [&str; 11] =
    ["push", "pull", "fetch", "install", "clone", "download", "upgrade", "sync", "deploy", "publish", "dependencies"];

impl Coding {
    /// What a call of a tool for commands or edits would do; `None` for other tools, and for arguments that are not known.
    fn work(&self, roots: &[String], tool: &Tool, args: &Value) -> Option<Work> {
        let fields = args.as_object()?;
        let words = name_tokens(tool.name.rsplit("__").next().unwrap_or_default());
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let find = |list: &[&str]| fields.iter().find(|(key, _)| list.contains(&key.to_ascii_lowercase().as_str()));
        if let Some((key, command)) = find(&COMMANDS).filter(|_| has(&SHELLS)) {
            let known = |key: &str| {
                let key = key.to_ascii_lowercase();
                [&COMMANDS[..], &BESIDE, &FOLDERS].iter().any(|list| list.contains(&key.as_str()))
            };
            if !fields.keys().all(|key| known(key)) {
                return None;
            }
            let listed: Option<Vec<&str>> =
                command.as_array().map(|all| all.iter().map(|w| w.as_str().unwrap_or("\0")).collect());
            let (text, mut effects) = match (command.as_str(), listed) {
                (Some(text), _) => (text.to_owned(), of_line(text, roots)),
                (None, Some(words)) => (words.join(" "), of_words(&words, roots)),
                _ => return None,
            };
            let elsewhere = fields.iter().any(|(key, folder)| {
                FOLDERS.contains(&key.to_ascii_lowercase().as_str())
                    && folder
                        .as_str()
                        .is_none_or(|folder| folder != "." && !folder.is_empty() && impact::is_elsewhere(folder, roots))
            });
            if elsewhere && effects.impact > Impact::Read {
                effects.impact = Impact::Destructive;
            }
            return Some(Work { argument: format!("/{key}"), text, effects });
        }
        // An edit says which file and what to put there, and nothing else.
        let is = |key: &str, list: &[&str]| list.contains(&key.to_ascii_lowercase().as_str());
        let known = |word: &String| is(word, &EDITS) || is(word, &OF_EDITS);
        if !has(&EDITS) || !words.iter().all(known) {
            return None;
        }
        let patch = fields.iter().find(|(key, _)| is(key, &["input", "patch"]));
        if let (true, Some((key, patch)), 1) = (has(&["patch"]), patch, fields.len()) {
            let effects = patched(patch.as_str()?, roots)?;
            return Some(Work { argument: format!("/{key}"), text: String::new(), effects });
        }
        let (files, others): (Vec<_>, Vec<_>) = fields.iter().partition(|(key, _)| is(key, &FILES));
        let names_another = |value: &Value| {
            let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
            value.is_object()
                || parts.iter().filter_map(Value::as_object).any(|part| part.keys().any(|key| !is(key, &EDITING)))
        };
        if !others.iter().all(|(key, value)| is(key, &EDITING) && !names_another(value)) {
            return None;
        }
        let [(key, path)] = files.as_slice() else { return None };
        let path = path.as_str()?;
        let effects = Effects { impact: impact::written_to(path, roots), ..Effects::default() };
        Some(Work { argument: format!("/{key}"), text: path.to_owned(), effects })
    }
}

/// What a patch in the form of `apply_patch` does; `None` where it names no file.
fn patched(patch: &str, roots: &[String]) -> Option<Effects> {
    let mut worst = None;
    for line in patch.lines() {
        // Tools take blanks off before they look for these.
        let Some(line) = line.trim().strip_prefix("***") else { continue };
        let Some((what, path)) = line.split_once(':') else { continue };
        let impact = match what.trim().to_ascii_lowercase().as_str() {
            "add file" | "update file" | "move to" => impact::written_to(path.trim(), roots),
            "delete file" => Impact::Destructive,
            _ => continue,
        };
        worst = worst.max(Some(impact));
    }
    Some(Effects { impact: worst?, ..Effects::default() })
}

impl Decider<'_> {
    /// Decides a call by what it does, where it is a command or an edit; false for any other.
    pub(super) fn decide_work(&self, coding: &Coding, tool: &Tool, args: &Value, d: &mut Decision) -> bool {
        let mut roots = coding.workspace.clone();
        roots.extend(self.operator.working_directories());
        let Some(Work { argument, text, effects }) = coding.work(&roots, tool, args) else { return false };
        let is_users = !text.is_empty() && self.said(&text, Shape::Words);
        let (trace, origin) =
            if is_users { (Trace::User, Some(Origin::new(Source::User))) } else { (Trace::Untraced, None) };
        let label = if is_users { Label { integrity: trace.integrity(), readers: None } } else { self.label() };
        d.arguments.push(Traced { argument: argument.clone(), role: Role::Command, trace, origin, label });
        if let Some(allowed) = &coding.packages {
            let unknown = effects.packages.iter().filter(|package| !allowed.has(package)).count();
            if unknown > 0 {
                let text = format!("installs {unknown} packages that are not on the list of `packages`");
                d.stop(Verdict::Hold, Why::Package, &argument, text);
            }
        }
        if self.tainted.is_none() {
            return true;
        }
        let mut hold = |why: Why, text: &str| d.stop(Verdict::Hold, why, &argument, text.to_owned());
        match effects.impact {
            _ if is_users => {}
            Impact::Read | Impact::Workspace => {}
            Impact::Network => {
                let named = |address: &String| self.said(address, Shape::Url);
                if !effects.addresses.iter().all(named) {
                    hold(Why::Authority, "reaches an address that the user did not name");
                }
                let listed = coding.packages.is_some();
                if effects.packages.iter().any(|package| !listed && !self.holds(&package.name, Shape::Words)) {
                    hold(Why::Authority, "installs a package that the user did not name");
                }
                if effects.elsewhere && !REACH.iter().any(|word| self.asks(word)) {
                    hold(Why::NotAsked, "reaches other machines, and the user's words ask for nothing like it");
                }
            }
            Impact::Destructive => {
                hold(Why::Impact, "takes away, leaves the workspace, runs other code, or is not understood")
            }
        }
        true
    }
}
