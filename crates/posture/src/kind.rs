//! What a file is, by its name and by its content, and who reads it.

use bartizan_core::{Reason, Span};

use crate::fact::{Setting, Unit};
use crate::infra::{anywhere, compose, dockerfile, files, kubernetes, launch, policy, python};
use crate::judge::judge;
use crate::report::{Desk, Report};
use crate::syntax::{env, ini, json, toml, yaml};
use crate::tree::{Broken, Node};
use crate::value;

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
    let format = read(syntax, text, &mut units, &mut desk, DEEPEST);
    if is_template(name) {
        // What everybody would try first is to be replaced there.
        for unit in &mut units {
            unit.facts.retain(|f| f.setting != Setting::Secret || !value::is_default(&f.value.text));
        }
    }
    judge(&units, &mut desk);
    desk.report(format)
}

/// True for files that are copied and filled in: `.env.example`.
fn is_template(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    [".example", ".sample", ".template", ".dist"].iter().any(|end| name.ends_with(end))
}

/// How deep files in settings of files are read.
const DEEPEST: usize = 3;

fn read(syntax: Syntax, text: &str, units: &mut Vec<Unit>, desk: &mut Desk, depth: usize) -> &'static str {
    match syntax {
        Syntax::Yaml => {
            let (documents, fault) = yaml::parse(text);
            if let Some(fault) = fault {
                broken(&fault, text, desk);
            }
            trees(&documents, text, units, desk, depth).unwrap_or("yaml")
        }
        Syntax::Json => {
            // JSON lines are no configuration.
            match json::parse(text) {
                Ok(document) => trees(&[document], text, units, desk, depth).unwrap_or("json"),
                Err(fault) => {
                    broken(&fault, text, desk);
                    "json"
                }
            }
        }
        Syntax::Toml => match toml::parse(text) {
            Ok(document) => trees(&[document], text, units, desk, depth).unwrap_or("toml"),
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
fn trees(documents: &[Node], text: &str, units: &mut Vec<Unit>, desk: &mut Desk, depth: usize) -> Option<&'static str> {
    let mut name = None;
    if documents.iter().any(kubernetes::is) {
        name = Some("kubernetes");
        kubernetes::read(documents, text, units);
        for document in documents {
            policy::read(document, units);
            files::general(document, units);
        }
        for (name, value) in kubernetes::files(documents) {
            within(name, value, text, units, desk, depth);
        }
        return name;
    }
    for document in documents {
        if compose::is(document) {
            name = Some("compose");
            compose::read(document, text, units);
        } else if document.is_map() || !document.items().is_empty() {
            name = files::document(document, units).or(name);
            anywhere::read(document, text, units);
        }
    }
    name
}

/// Reads a file that stands in a value of another one, with its places in that one.
fn within(name: &str, value: &Node, source: &str, units: &mut Vec<Unit>, desk: &mut Desk, depth: usize) {
    let (Some(text), Some(syntax)) = (value.text(), syntax(name)) else { return };
    if depth == 0 {
        desk.partial(Reason::TooDeep, value.span.start, text.len(), "files in files are not read deeper than this");
        return;
    }
    let places = Places::of(text, value.span, source);
    let (mut inner, mut gaps) = (Vec::new(), Desk::default());
    read(syntax, text, &mut inner, &mut gaps, depth - 1);
    for unit in &mut inner {
        unit.at = places.span(unit.at);
        unit.facts.iter_mut().for_each(|fact| fact.at = places.span(fact.at));
    }
    units.append(&mut inner);
    desk.take_gaps(gaps, |at| places.span(Span::new(at, at)).start);
}

/// Where lines of a value stand in the file.
struct Places {
    /// Start and length of each line in the value, and its start in the file.
    lines: Vec<(usize, usize, usize)>,
    whole: Span,
}

impl Places {
    fn of(text: &str, whole: Span, source: &str) -> Self {
        let raw = source.get(whole.start..whole.end).unwrap_or_default();
        let (mut lines, mut start, mut cursor) = (Vec::new(), 0, 0);
        for line in text.split_inclusive('\n') {
            let plain = line.trim_end_matches(['\n', '\r']);
            // Indentation and marks stand between lines; far more than that is another text.
            let end = raw.floor_char_boundary((cursor + plain.len() + 4096).min(raw.len()));
            let found = raw.get(cursor..end).filter(|_| !plain.is_empty()).and_then(|rest| rest.find(plain));
            if let Some(at) = found {
                lines.push((start, plain.len(), whole.start + cursor + at));
                cursor += at + plain.len();
            }
            start += line.len();
        }
        Self { lines, whole }
    }

    fn of_byte(&self, at: usize) -> Option<usize> {
        let before = self.lines.partition_point(|(start, ..)| *start <= at).checked_sub(1)?;
        let (start, length, place) = *self.lines.get(before)?;
        (at - start <= length).then_some(place + (at - start))
    }

    fn span(&self, span: Span) -> Span {
        let (start, end) = (self.of_byte(span.start), self.of_byte(span.end));
        match (start, end) {
            (Some(start), Some(end)) if start <= end => Span::new(start, end),
            _ => self.whole,
        }
    }
}

fn broken(fault: &Broken, text: &str, desk: &mut Desk) {
    let reason = if fault.limit { Reason::TooDeep } else { Reason::Malformed };
    desk.partial(reason, fault.at.min(text.len()), text.len().saturating_sub(fault.at), fault.why.clone());
}
