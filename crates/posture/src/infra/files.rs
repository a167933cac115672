//! Configuration files of products and jobs: keys with values, by the shape of the document.

use bartizan_core::Span;

use super::{anywhere, container, launch, policy, variables};
use crate::fact::{Home, Setting, Unit};
use crate::product::{self, Auth, Product, general};
use crate::syntax::env::Variable;
use crate::syntax::ini::Entry;
use crate::tree::Node;
use crate::value::{self, Known, Resolved, Variables};

/// Reads a document that is no compose file and no object of Kubernetes; what it is called.
pub(crate) fn document(node: &Node, units: &mut Vec<Unit>) -> Option<&'static str> {
    let product = shaped(node);
    let is_policy = policy::read(node, units);
    let home = match product {
        Some(p) if p.auth == Auth::NoServer => Home::Job,
        Some(_) => Home::Config,
        None => Home::Part,
    };
    let mut unit = Unit::new(home, node.entries().first().map_or(node.span, |(k, _)| k.span));
    unit.product = product;
    // A file of its own says that it is meant.
    unit.models = product.is_some_and(|p| p.companion);
    let (mut everywhere, mut model) = (None, false);
    let none = Variables::new();
    node.leaves(&mut |path, leaf| {
        let raw = leaf.text().unwrap_or_default();
        let value = value::resolve(raw, &none);
        let key = path.rsplit('.').next().unwrap_or(path);
        unit.models |= general::SIGNS.contains(&key);
        let own = product.map_or(&[][..], |p| p.keys);
        let mut known = false;
        for (row, setting, reads) in own {
            // A Python file of Jupyter has the keys of the JSON one on `c`.
            if *row == path || row.strip_prefix("c.") == Some(path) {
                known |= matches!(setting, Setting::Key | Setting::Secret);
                if reads.takes(&value) {
                    unit.add(*setting, *row, value.clone(), leaf.span);
                }
            }
        }
        for (row, setting, reads) in general::KEYS.iter().chain(general::VARIABLES) {
            if *row == key && reads.takes(&value) {
                unit.add(*setting, key, value.clone(), leaf.span);
            }
        }
        // Tools that take their flags from a file leave the dashes out.
        let flags = product.filter(|p| p.keys.is_empty()).map_or(&[][..], |p| p.flags);
        for (row, setting, reads) in flags.iter().chain(general::FLAGS) {
            if row.strip_prefix("--").is_some_and(|flag| product::same_flag(flag, key)) && reads.takes(&value) {
                known |= matches!(setting, Setting::Key | Setting::Secret);
                unit.add(*setting, key, value.clone(), leaf.span);
            }
        }
        if ADDRESSES.contains(&key) && value::is_wildcard(&value.text) {
            everywhere.get_or_insert(leaf.span);
        }
        model |= MODELS.contains(&key);
        if !known {
            variables::secret(&mut unit, key, &value, leaf.span);
        }
    });
    if product.is_some_and(|p| p.auth == Auth::NoServer) {
        unit.models = true;
        datasets(node, units);
    }
    if let Some(at) = everywhere.filter(|_| model && product.is_none()) {
        unit.stranger = true;
        unit.at = at;
    }
    job(node, &mut unit);
    let name = product.map(|p| p.name);
    units.push(unit);
    name.or(is_policy.then_some("access policy"))
}

/// Keys of addresses that are listened on, and of models that are served, whoever reads them.
const ADDRESSES: &[&str] =
    &["host", "hostname", "bind", "bind_host", "listen", "listen_host", "server_name", "address"];
const MODELS: &[&str] = &["model", "model_path", "model_id", "model_name", "model-path", "modelPath", "modelURL"];

/// Keys that mean one thing wherever they stand, of a document that somebody else reads.
pub(crate) fn general(node: &Node, units: &mut Vec<Unit>) {
    let mut unit = Unit::new(Home::Part, Span::default());
    node.leaves(&mut |path, leaf| {
        let key = path.rsplit('.').next().unwrap_or(path);
        let value = value::resolve(leaf.text().unwrap_or_default(), &Variables::new());
        for (_, setting, reads) in general::KEYS.iter().filter(|(row, ..)| *row == key) {
            if reads.takes(&value) {
                unit.add(*setting, key, value.clone(), leaf.span);
            }
        }
    });
    anywhere::variables(node, &mut unit);
    units.push(unit);
}

fn shaped(node: &Node) -> Option<&'static Product> {
    product::all().find(|p| p.shape.iter().any(|paths| paths.iter().all(|path| node.at(path).is_some())))
}

/// Data sets that are listed, each with its own revision. Axolotl and TRL write them alike.
fn datasets(node: &Node, units: &mut Vec<Unit>) {
    for key in ["datasets", "test_datasets", "pretraining_dataset"] {
        for item in node.get(key).map_or(&[][..], Node::items) {
            let mut unit = Unit::new(Home::Job, item.span);
            unit.models = true;
            for (keys, setting) in
                [(&["path", "name_or_path"][..], Setting::Dataset), (&["revision"], Setting::DatasetRevision)]
            {
                if let Some((key, node)) = keys.iter().find_map(|k| Some((*k, item.get(k)?)))
                    && let Some(text) = node.text()
                {
                    unit.add(setting, key, value::resolve(text, &Variables::new()), node.span);
                }
            }
            units.push(unit);
        }
    }
}

/// Images of jobs that are described to a service: `AlgorithmSpecification.TrainingImage` and the like.
fn job(node: &Node, unit: &mut Unit) {
    for path in ["AlgorithmSpecification.TrainingImage", "resources.image_id", "image"] {
        if let Some(image) = node.at(path)
            && let Some(text) = image.text()
            && unit.product.is_some()
        {
            container::image(unit, text, image.span, &Variables::new());
        }
    }
}

/// A file of variables.
pub(crate) fn variables_of(all: &[Variable], units: &mut Vec<Unit>) -> bool {
    let mut unit = Unit::new(Home::Part, Span::default());
    unit.product = variables::product_of(all.iter().map(|v| v.name.as_str()));
    let known: Variables = all.iter().map(|v| (v.name.clone(), v.value.clone())).collect();
    for each in all {
        variables::take(&mut unit, &each.name, Some(&each.value), each.span, &known);
    }
    let told = unit.product.is_some() || unit.models;
    units.push(unit);
    told
}

/// A file of properties: TorchServe. True where it is one.
pub(crate) fn properties(all: &[Variable], units: &mut Vec<Unit>) -> bool {
    let product = product::all().find(|p| {
        p.shape.iter().any(|keys| keys.iter().all(|k| all.iter().any(|v| v.name == *k))) && !p.keys.is_empty()
    });
    let Some(product) = product else { return false };
    let mut unit = Unit::new(Home::Config, all.first().map_or(Span::default(), |v| v.span));
    unit.product = Some(product);
    for each in all {
        // Properties know no references: `file:` begins an address here.
        let value = Resolved { text: each.value.clone(), known: Known::Literal };
        variables::named(&mut unit, &each.name, &value, each.span, product.keys.iter());
    }
    units.push(unit);
    true
}

/// `redis.conf`: words on lines.
pub(crate) fn redis(text: &str, units: &mut Vec<Unit>) {
    let mut unit = Unit::new(Home::Config, Span::default());
    unit.product = product::all().find(|p| p.name == "Redis");
    // A file of its own says that it is meant.
    unit.models = true;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let (at, plain) = (start + line.len() - line.trim_start().len(), line.trim());
        start += line.len();
        let Some((key, value)) = plain.split_once(char::is_whitespace).filter(|_| !plain.starts_with('#')) else {
            continue;
        };
        let value = Resolved { text: value.trim().trim_matches('"').to_owned(), known: Known::Literal };
        let span = Span::new(at, at + plain.len());
        if unit.at.is_empty() {
            unit.at = span;
        }
        // `bind * -::*` is a list; the widest address counts.
        if key == "bind" {
            let all = value.text.split_whitespace().map(|a| a.trim_start_matches('-'));
            let widest =
                all.clone().find(|a| value::is_wildcard(a)).or_else(|| all.clone().find(|a| !value::is_loopback(a)));
            let text = widest.unwrap_or("127.0.0.1").to_owned();
            unit.add(Setting::Bind, key, Resolved { text, known: Known::Literal }, span);
            continue;
        }
        let rows = unit.product.map_or(&[][..], |p| p.keys);
        variables::named(&mut unit, key, &value, span, rows.iter());
    }
    units.push(unit);
}

/// A unit of systemd or a program of supervisord. True where it starts something known.
pub(crate) fn unit_file(entries: &[Entry], source: &str, units: &mut Vec<Unit>) -> bool {
    let mut told = false;
    for section in entries.chunk_by(|a, b| a.section == b.section) {
        let mut made = Vec::new();
        for entry in section.iter().filter(|e| matches!(e.key.as_str(), "ExecStart" | "command")) {
            let line = entry.value.trim_start_matches(['-', '@', '+', '!', ':']);
            let offset = entry.span.start + (entry.value.len() - line.len());
            // Continued lines are joined, so places are those of the line where they can be found again.
            let raw = source.get(entry.span.start..entry.span.end).unwrap_or_default();
            if raw.contains('\n') {
                let word = crate::syntax::shell::Word { text: line.to_owned(), span: entry.span };
                for command in launch::within(&word, source, 0) {
                    let mut unit = Unit::new(Home::Machine, entry.span);
                    launch::command(&command.words, &mut unit, &Variables::new(), source, 0);
                    made.push(unit);
                }
            } else {
                launch::script(line, offset, &mut made);
            }
        }
        made.retain(|u| u.product.is_some() || !u.facts.is_empty() || u.stranger);
        let set: Vec<_> = section
            .iter()
            .filter(|e| matches!(e.key.as_str(), "Environment" | "environment"))
            .flat_map(assignments)
            .collect();
        if section.first().is_some_and(|e| e.section == "Container") {
            made.push(quadlet(section));
        } else if made.is_empty() && !set.is_empty() {
            made.push(drop_in(&set));
        }
        let Some(unit) = made.first_mut() else { continue };
        for (name, value, span) in set {
            variables::take(unit, &name, Some(&value), span, &Variables::new());
        }
        told |= made.iter().any(|u| u.product.is_some());
        units.append(&mut made);
    }
    told
}

/// Variables without what they are for: a drop-in. What starts it, and so its flags, is in another file.
fn drop_in(set: &[(String, String, Span)]) -> Unit {
    let product = variables::product_of(set.iter().map(|(name, ..)| name.as_str()));
    // A key may be among the flags; where there is no authentication, an address tells all.
    let binds = product.filter(|p| p.auth == Auth::Never).is_some_and(|p| {
        let bind = |name: &str| p.variables.iter().any(|(row, setting, _)| *row == name && *setting == Setting::Bind);
        set.iter().any(|(name, ..)| bind(name))
    });
    let at = set.first().map_or(Span::default(), |(.., span)| *span);
    let mut unit = Unit::new(if binds { Home::Machine } else { Home::Part }, at);
    unit.product = product;
    unit
}

/// The container of a Podman quadlet.
fn quadlet(section: &[Entry]) -> Unit {
    let none = Variables::new();
    let mut unit = Unit::new(Home::Container, section.first().map_or(Span::default(), |e| e.span));
    for entry in section {
        let (value, at) = (entry.value.as_str(), entry.span);
        match entry.key.as_str() {
            "Image" => container::image(&mut unit, value, at, &none),
            "PublishPort" => container::publish(&mut unit, value, at, &none),
            "Volume" => {
                if let Some(path) = container::bind_source(value) {
                    container::mount(&mut unit, path, at, &none);
                }
            }
            "Network" if value == "host" => container::privilege(&mut unit, "the network of the machine", at),
            "AddCapability" => value.split_whitespace().for_each(|name| container::capability(&mut unit, name, at)),
            "SeccompProfile" if value == "unconfined" => container::privilege(&mut unit, "no seccomp profile", at),
            "PodmanArgs" if value.split_whitespace().any(|arg| arg == "--privileged") => {
                container::privilege(&mut unit, "`--privileged`", at);
            }
            _ => {}
        }
    }
    for entry in section.iter().filter(|e| e.key == "Exec") {
        let words = crate::syntax::shell::parse(&entry.value, entry.span.start);
        let words: Vec<_> = words.into_iter().flat_map(|c| c.words).collect();
        launch::command(&words, &mut unit, &none, "", 0);
    }
    unit
}

/// `Environment="A=b" C=d` of systemd, `environment=A="b",C="d"` of supervisord.
fn assignments(entry: &Entry) -> Vec<(String, String, Span)> {
    let text = if entry.key == "environment" { entry.value.replace(',', " ") } else { entry.value.clone() };
    let mut all = Vec::new();
    for command in crate::syntax::shell::parse(&text, entry.span.start) {
        all.extend(command.sets.into_iter().map(|s| (s.name, s.value, s.span)));
        all.extend(command.words.into_iter().filter_map(|w| {
            let (name, value) = w.text.split_once('=')?;
            Some((name.to_owned(), value.to_owned(), w.span))
        }));
    }
    all
}
