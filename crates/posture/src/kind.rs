//! What a file is, by its name and by its content, and who reads it.

use bartizan_core::Reason;

use crate::fact::Unit;
use crate::infra::{compose, dockerfile, files, kubernetes, launch, policy, python};
use crate::judge::judge;
use crate::report::{Desk, Report};
use crate::syntax::{env, ini, json, toml, yaml};
use crate::tree::{Broken, Node};

/// Syntaxes by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syntax {
    Yaml,
    Json,
    Toml,
    Env,
    Dockerfile,
    Shell,
    Ini,
    Properties,
    Redis,
    Python,
}

fn syntax(path: &str) -> Option<Syntax> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|e| name.ends_with(e));
    Some(match name.as_str() {
        // What goes with a Dockerfile has its name.
        _ if ends(&[".dockerignore"]) => return None,
        _ if name.starts_with("dockerfile")
            || name.starts_with("containerfile")
            || ends(&[".dockerfile", ".containerfile"]) =>
        {
            Syntax::Dockerfile
        }
        _ if name == ".env" || name.starts_with(".env.") || ends(&[".env"]) => Syntax::Env,
        _ if ends(&[".yaml", ".yml"]) => Syntax::Yaml,
        _ if ends(&[".json", ".jsonc"]) => Syntax::Json,
        _ if ends(&[".toml"]) => Syntax::Toml,
        _ if ends(&[".sh", ".bash"]) || name == "procfile" => Syntax::Shell,
        _ if name.starts_with("redis") && ends(&[".conf"]) => Syntax::Redis,
        _ if ends(&[".service", ".ini", ".container"]) || ends(&[".conf"]) => Syntax::Ini,
        _ if ends(&[".properties"]) => Syntax::Properties,
        _ if ends(&[".py"]) => Syntax::Python,
        _ => return None,
    })
}

/// True for names of files that [`infra`] reads.
#[must_use]
pub fn is_infra_name(path: &str) -> bool {
    syntax(path).is_some()
}

/// Examines one file of infrastructure: `name` tells its syntax, its content what it configures. `bytes` is all of it.
#[must_use]
pub fn infra(name: &str, bytes: &[u8]) -> Report {
    let mut desk = Desk::default();
    let Some(text) = desk.text(bytes) else { return desk.report("unread") };
    let shebang = text.starts_with("#!") && text.lines().next().is_some_and(|l| l.contains("sh"));
    let Some(syntax) = syntax(name).or(shebang.then_some(Syntax::Shell)) else {
        desk.partial(Reason::File, 0, bytes.len(), "what this file configures is not known");
        return desk.report("unread");
    };
    let mut units = Vec::new();
    let format = read(syntax, text, &mut units, &mut desk);
    judge(&units, &mut desk);
    desk.report(format)
}

fn read(syntax: Syntax, text: &str, units: &mut Vec<Unit>, desk: &mut Desk) -> &'static str {
    match syntax {
        Syntax::Yaml => {
            let (documents, fault) = yaml::parse(text);
            if let Some(fault) = fault {
                broken(&fault, text, desk);
            }
            trees(&documents, text, units).unwrap_or("yaml")
        }
        Syntax::Json => {
            // JSON lines are no configuration.
            match json::parse(text) {
                Ok(document) => trees(&[document], text, units).unwrap_or("json"),
                Err(fault) => {
                    broken(&fault, text, desk);
                    "json"
                }
            }
        }
        Syntax::Toml => match toml::parse(text) {
            Ok(document) => trees(&[document], text, units).unwrap_or("toml"),
            Err(fault) => {
                broken(&fault, text, desk);
                "toml"
            }
        },
        Syntax::Env => {
            let (all, _) = env::parse(text);
            files::variables_of(&all, units);
            "variables"
        }
        Syntax::Properties => {
            let (all, _) = env::parse(text);
            files::properties(&all, units);
            "properties"
        }
        Syntax::Dockerfile => {
            if let Some(at) = dockerfile::read(text, units) {
                desk.partial(Reason::Malformed, at, text.len() - at, "this line is no instruction of a Dockerfile");
            }
            "dockerfile"
        }
        Syntax::Shell => {
            launch::script(text, 0, units);
            "shell"
        }
        Syntax::Redis => {
            files::redis(text, units);
            "redis"
        }
        Syntax::Ini => {
            files::unit_file(&ini::parse(text), text, units);
            "unit"
        }
        Syntax::Python => {
            if let Err(fault) = python::read(text, units) {
                broken(&fault, text, desk);
            }
            "python"
        }
    }
}

/// Reads documents by what they hold; the most telling name.
fn trees(documents: &[Node], text: &str, units: &mut Vec<Unit>) -> Option<&'static str> {
    let mut name = None;
    if documents.iter().any(kubernetes::is) {
        name = Some("kubernetes");
        kubernetes::read(documents, text, units);
        for document in documents {
            policy::read(document, units);
            files::general(document, units);
        }
        return name;
    }
    for document in documents {
        if compose::is(document) {
            name = Some("compose");
            compose::read(document, text, units);
        } else if document.is_map() || !document.items().is_empty() {
            name = files::document(document, units).or(name);
        }
    }
    name
}

fn broken(fault: &Broken, text: &str, desk: &mut Desk) {
    let reason = if fault.limit { Reason::TooDeep } else { Reason::Malformed };
    desk.partial(reason, fault.at.min(text.len()), text.len().saturating_sub(fault.at), fault.why.clone());
}
