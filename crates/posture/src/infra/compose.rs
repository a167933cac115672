//! Compose files.

use super::{container, launch, variables};
use crate::fact::{Home, Unit};
use crate::syntax::shell::Word;
use crate::tree::{Data, Node};
use crate::value::Variables;

/// True for a document with services.
pub(crate) fn is(document: &Node) -> bool {
    let Some(services) = document.get("services") else { return false };
    services.entries().iter().any(|(_, s)| {
        ["image", "build", "command", "ports", "environment", "volumes"].iter().any(|key| s.get(key).is_some())
    })
}

/// Every service is a unit.
pub(crate) fn read(document: &Node, source: &str, units: &mut Vec<Unit>) {
    let Some(services) = document.get("services") else { return };
    for (name, service) in services.entries() {
        if service.is_map() {
            units.push(unit(name, service, source));
        }
    }
}

fn unit(name: &Node, service: &Node, source: &str) -> Unit {
    // Compose takes variables from its own environment, which is not here.
    let none = Variables::new();
    let mut unit = Unit::new(Home::Container, name.span);
    let built = service.get("build").is_some();
    if let Some(image) = service.get("image") {
        if built {
            // The name is given to what is built here.
            unit.product = image.text().and_then(crate::product::of_image);
        } else if let Some(text) = image.text() {
            container::image(&mut unit, text, image.span, &none);
        }
    }
    let mut line: Vec<Word> = Vec::new();
    for key in ["entrypoint", "command"] {
        line.extend(service.get(key).map(|node| words(node, source)).unwrap_or_default());
    }
    launch::command(&line, &mut unit, &none, source, 0);
    environment(service, &mut unit, &none);
    for port in service.get("ports").map_or(&[][..], Node::items) {
        match (&port.data, port.get("target")) {
            (Data::Scalar(text), _) => container::publish(&mut unit, text, port.span, &none),
            (_, Some(_)) => {
                let address = port.text_at("host_ip").unwrap_or_default();
                let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
                container::publish(&mut unit, &format!("{address}:0:0"), port.span, &none);
            }
            _ => {}
        }
    }
    for volume in service.get("volumes").map_or(&[][..], Node::items) {
        if let Some(path) = volume.text().and_then(container::bind_source) {
            container::mount(&mut unit, path, volume.span, &none);
        } else if let Some(path) = volume.text_at("source").filter(|p| p.starts_with(['/', '.', '~', '$'])) {
            container::mount(&mut unit, path, volume.span, &none);
        }
    }
    walls(service, &mut unit);
    unit
}

fn walls(service: &Node, unit: &mut Unit) {
    let at = |key: &str| service.get(key).filter(|n| n.text().is_some());
    if let Some(node) = at("privileged").filter(|n| n.text().is_some_and(crate::value::is_true)) {
        container::privilege(unit, "`privileged: true`", node.span);
    }
    for (key, what) in [
        ("network_mode", "the network of the machine"),
        ("pid", "the processes of the machine"),
        ("userns_mode", "the users of the machine"),
    ] {
        if let Some(node) = at(key).filter(|n| n.text() == Some("host")) {
            container::privilege(unit, what, node.span);
        }
    }
    for item in service.get("cap_add").map_or(&[][..], Node::items) {
        container::capability(unit, item.text().unwrap_or_default(), item.span);
    }
    for item in service.get("security_opt").map_or(&[][..], Node::items) {
        if item.text().is_some_and(|t| t.ends_with("unconfined") || t == "label:disable") {
            container::privilege(unit, "no seccomp, AppArmor or SELinux profile", item.span);
        }
    }
    let devices = service.at("deploy.resources.reservations.devices");
    unit.models |= devices.is_some() || service.get("gpus").is_some() || service.text_at("runtime") == Some("nvidia");
}

/// Environment variables as a mapping or as a list of `NAME=value`.
fn environment(service: &Node, unit: &mut Unit, variables: &Variables) {
    let Some(environment) = service.get("environment") else { return };
    for (name, value) in environment.entries() {
        let (Some(key), place) = (name.text(), if value.span.is_empty() { name.span } else { value.span }) else {
            continue;
        };
        match &value.data {
            // Nothing given is taken from outside.
            Data::Null => variables::take(unit, key, None, name.span, variables),
            _ => variables::take(unit, key, Some(value.text().unwrap_or_default()), place, variables),
        }
    }
    for item in environment.items() {
        let Some(text) = item.text() else { continue };
        match text.split_once('=') {
            Some((name, value)) => variables::take(unit, name, Some(value), item.span, variables),
            None => variables::take(unit, text, None, item.span, variables),
        }
    }
}

/// A command as a list of words, or as one line that is split as a shell would.
fn words(node: &Node, source: &str) -> Vec<Word> {
    match &node.data {
        Data::Scalar(text) => {
            let line = Word { text: text.clone(), span: node.span };
            let mut all = Vec::new();
            for command in launch::within(&line, source, 0) {
                all.extend(
                    command.sets.into_iter().map(|s| Word { text: format!("{}={}", s.name, s.value), span: s.span }),
                );
                all.extend(command.words);
            }
            all
        }
        _ => node.items().iter().filter_map(|i| Some(Word { text: i.text()?.to_owned(), span: i.span })).collect(),
    }
}
