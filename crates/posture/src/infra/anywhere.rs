//! What means the same wherever it stands in a document, whoever reads it: variables with their names, containers,
//! scripts.

use bartizan_core::Span;

use super::{container, launch, variables};
use crate::fact::{Home, Unit};
use crate::syntax::shell::Word;
use crate::tree::{Data, Node};
use crate::value::Variables;

/// Keys whose values are scripts: of GitHub Actions, GitLab, SkyPilot, Airflow, cloud-init, dev containers.
const SCRIPTS: &[&str] = &[
    "run",
    "script",
    "before_script",
    "after_script",
    "bash_command",
    "setup",
    "runcmd",
    "postStartCommand",
    "postCreateCommand",
];
/// Keys that a container has besides its image.
const OF_CONTAINERS: &[&str] = &[
    "command",
    "args",
    "entrypoint",
    "entryPoint",
    "environment",
    "env",
    "envs",
    "extraArgs",
    "extraEnvVars",
    "script",
];

/// Keys of its command line, in the order of the line.
const LINES: &[&str] = &["entrypoint", "entryPoint", "command", "args", "extraArgs"];

/// Reads all of a document that is no compose file and no object of Kubernetes.
pub(crate) fn read(document: &Node, source: &str, units: &mut Vec<Unit>) {
    let mut whole = Unit::new(Home::Part, document.span);
    walk(document, source, &mut whole, units);
    if !whole.facts.is_empty() || whole.models {
        units.push(whole);
    }
}

/// Variables of an object that somebody else reads.
pub(crate) fn variables(node: &Node, whole: &mut Unit) {
    node.items().iter().for_each(|item| variables(item, whole));
    variable(node, whole);
    node.entries().iter().for_each(|(_, value)| variables(value, whole));
}

/// Parsers bound the depth.
fn walk(node: &Node, source: &str, whole: &mut Unit, units: &mut Vec<Unit>) {
    match &node.data {
        Data::List(items) => {
            if items.iter().any(|item| item.text().is_some_and(|t| t.starts_with("--"))) {
                let mut unit = Unit::new(Home::Part, node.span);
                launch::command(&words(node), &mut unit, &Variables::new(), source, 0);
                units.push(unit);
            }
            items.iter().for_each(|item| walk(item, source, whole, units));
        }
        Data::Map(entries) => {
            variable(node, whole);
            let container = of_image(node, source);
            let taken = container.is_some();
            units.extend(container);
            for (key, value) in entries {
                if taken && key.text().is_some_and(|key| LINES.contains(&key)) {
                    continue;
                }
                if key.text().is_some_and(|key| SCRIPTS.contains(&key)) {
                    scripts(value, source, units);
                }
                walk(value, source, whole, units);
            }
        }
        Data::Scalar(_) | Data::Null => {}
    }
}

/// `name: A` with `value: b`.
fn variable(node: &Node, unit: &mut Unit) {
    if let (Some(name), Some(value)) = (node.text_at("name"), node.get("value"))
        && let Some(text) = value.text()
    {
        let at = if value.span.is_empty() { node.span } else { value.span };
        variables::take(unit, name, Some(text), at, &Variables::new());
    }
}

fn scripts(node: &Node, source: &str, units: &mut Vec<Unit>) {
    match &node.data {
        Data::Scalar(text) => launch::scalar(text, node.span, source, units),
        _ => {
            for item in node.items() {
                if let Some(text) = item.text() {
                    launch::scalar(text, item.span, source, units);
                }
            }
        }
    }
}

/// A container of an ECS task, a CI job, the values of a chart: who reaches it is said elsewhere.
fn of_image(node: &Node, source: &str) -> Option<Unit> {
    let image = node.get("image")?;
    if !OF_CONTAINERS.iter().any(|key| node.get(key).is_some()) {
        return None;
    }
    let none = Variables::new();
    let mut unit = Unit::new(Home::Part, image.span);
    match image.text() {
        Some(text) => container::image(&mut unit, text, image.span, &none),
        None => {
            // Charts give repository and tag apart.
            let repository = image.get("repository")?;
            let tag = image.get("tag").filter(|t| t.text().is_some_and(|t| !t.is_empty()));
            let text = match tag.and_then(Node::text) {
                Some(tag) => format!("{}:{tag}", repository.text()?),
                None => repository.text()?.to_owned(),
            };
            // A chart without a tag has one of its own.
            match tag {
                Some(tag) => container::image(&mut unit, &text, tag.span, &none),
                None => unit.product = crate::product::of_image(&text),
            }
        }
    }
    let mut line = Vec::new();
    for key in LINES {
        line.extend(node.get(key).map(words).unwrap_or_default());
    }
    launch::command(&line, &mut unit, &none, source, 0);
    for key in ["environment", "env", "envs", "variables", "extraEnvVars"] {
        let Some(environment) = node.get(key) else { continue };
        for (name, value) in environment.entries() {
            if let (Some(name), Some(text)) = (name.text(), value.text()) {
                variables::take(&mut unit, name, Some(text), value.span, &none);
            }
        }
        environment.items().iter().for_each(|item| variable(item, &mut unit));
    }
    if let Some(privileged) = node.get("privileged").filter(|p| p.text().is_some_and(crate::value::is_true)) {
        container::privilege(&mut unit, "`privileged: true`", privileged.span);
    }
    unit.at = line.first().map_or(unit.at, |word: &Word| Span::new(word.span.start, word.span.end));
    Some(unit)
}

fn words(node: &Node) -> Vec<Word> {
    node.items().iter().filter_map(|i| Some(Word { text: i.text()?.to_owned(), span: i.span })).collect()
}
