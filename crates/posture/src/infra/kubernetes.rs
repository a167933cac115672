//! Kubernetes objects: whatever holds a pod, whoever defines its kind.

use std::collections::BTreeMap;

use bartizan_core::Span;

use super::{container, launch, variables};
use crate::fact::{Home, Setting, Unit};
use crate::product::{self, general};
use crate::syntax::shell::Word;
use crate::tree::{Data, Node};
use crate::value::{Known, Resolved, Variables};

/// True for an object of the API.
pub(crate) fn is(document: &Node) -> bool {
    document.get("apiVersion").is_some() && document.get("kind").is_some()
}

/// Most services and policies that are compared with all pods of a file.
const MOST_AROUND: usize = 2000;

type Labels = BTreeMap<String, String>;

/// A pod's containers: their units, its labels.
struct Pod {
    units: Vec<usize>,
    labels: Labels,
}

/// Reads all objects of a file: services and policies of the file count for its pods.
pub(crate) fn read(documents: &[Node], source: &str, units: &mut Vec<Unit>) {
    let mut pods = Vec::new();
    let objects: Vec<&Node> = documents
        .iter()
        .flat_map(|d| {
            if d.text_at("kind") == Some("List") {
                d.get("items").map_or(&[][..], Node::items).iter().collect()
            } else {
                vec![d]
            }
        })
        .collect();
    for object in &objects {
        match object.text_at("kind") {
            Some("ConfigMap") => config(object, units, "data"),
            Some("Secret") => secret(object, units),
            _ => {
                let first = units.len();
                find(object, &labels(object.at("metadata.labels")), source, units, &mut pods);
                // KubeRay has the pods ask for a token.
                if let Some(mode) = object.at("spec.authOptions.mode").filter(|m| m.text() == Some("token")) {
                    let pods = units.get_mut(first..).unwrap_or_default().iter_mut();
                    for unit in pods.filter(|u| u.product.is_some_and(|p| p.name == "Ray")) {
                        let token = Resolved { text: "token".to_owned(), known: Known::Literal };
                        unit.add(Setting::AuthOn, "authOptions", token, mode.span);
                    }
                }
            }
        }
        ray(object, units);
    }
    let around_pods = |o: &&&Node| matches!(o.text_at("kind"), Some("Service" | "NetworkPolicy"));
    let mut services = BTreeMap::new();
    for object in objects.iter().filter(around_pods).take(MOST_AROUND) {
        around(object, &pods, units);
        if let (Some("Service"), Some(name)) = (object.text_at("kind"), object.text_at("metadata.name")) {
            services.insert(name, labels(object.at("spec.selector")));
        }
    }
    let mut paths = 0;
    for object in objects.iter().filter(|o| o.text_at("kind") == Some("Ingress")).take(MOST_AROUND) {
        ingress(object, &services, &pods, units, &mut paths);
    }
}

/// What an ingress leads to is published, unless a proxy that asks who calls is in front.
fn ingress(object: &Node, services: &BTreeMap<&str, Labels>, pods: &[Pod], units: &mut [Unit], paths: &mut usize) {
    let annotations = object.at("metadata.annotations").map_or(&[][..], Node::entries);
    let guarded = annotations.iter().any(|(key, value)| {
        let key = key.text().unwrap_or_default();
        let value = value.text().unwrap_or_default();
        ["auth-url", "auth-type", "auth-secret", "auth-tls-secret", "middlewares", "whitelist-source-range"]
            .iter()
            .any(|guard| key.contains(guard))
            || key.ends_with("/scheme") && value == "internal"
    });
    if guarded {
        return;
    }
    let mut open = vec![object];
    while let Some(node) = open.pop() {
        open.extend(node.items());
        open.extend(node.entries().iter().map(|(_, value)| value));
        // `service.name`, and `serviceName` before v1.
        let Some(name) = node.at("service.name").or_else(|| node.get("serviceName")) else { continue };
        let Some(selector) = name.text().and_then(|n| services.get(n)).filter(|s| !s.is_empty()) else { continue };
        *paths += 1;
        if *paths > MOST_AROUND {
            return;
        }
        let selected = pods.iter().filter(|p| selector.iter().all(|(k, v)| p.labels.get(k) == Some(v)));
        for at in selected.flat_map(|p| p.units.iter().copied()) {
            if let Some(unit) = units.get_mut(at) {
                let any = Resolved { text: String::new(), known: Known::Literal };
                unit.add(Setting::Publish, "Ingress", any, name.span);
                if object.at("spec.tls").is_some() {
                    let tls = Resolved { text: String::new(), known: Known::Literal };
                    unit.add(Setting::Tls, "Ingress", tls, name.span);
                }
            }
        }
    }
}

/// Files that are written into the settings of an object, by name.
pub(crate) fn files(documents: &[Node]) -> Vec<(&str, &Node)> {
    let mut all = Vec::new();
    for document in documents {
        let listed = document.get("items").map_or(&[][..], Node::items);
        for object in std::iter::once(document).chain(listed) {
            let key = match object.text_at("kind") {
                Some("ConfigMap") => "data",
                Some("Secret") => "stringData",
                _ => continue,
            };
            let entries = object.get(key).map_or(&[][..], Node::entries);
            all.extend(entries.iter().filter_map(|(name, value)| {
                let text = value.text()?;
                (text.contains('\n') || text.trim_start().starts_with('{')).then_some((name.text()?, value))
            }));
        }
    }
    all
}

/// What stands around pods.
fn around(object: &Node, pods: &[Pod], units: &mut [Unit]) {
    let spec = object.get("spec");
    let selected = |selector: &Labels, any: bool| {
        pods.iter()
            .filter(
                |p| if selector.is_empty() { any } else { selector.iter().all(|(k, v)| p.labels.get(k) == Some(v)) },
            )
            .flat_map(|p| p.units.iter().copied())
            .collect::<Vec<_>>()
    };
    match (object.text_at("kind"), spec) {
        (Some("Service"), Some(spec)) => {
            let Some(kind) = spec.get("type").filter(|t| matches!(t.text(), Some("LoadBalancer" | "NodePort"))) else {
                return;
            };
            let internal = object.at("metadata.annotations").is_some_and(|a| {
                a.entries().iter().any(|(k, v)| {
                    k.text().is_some_and(|k| k.contains("internal") || k.contains("scheme"))
                        && v.text().is_some_and(|v| matches!(v, "true" | "internal" | "Internal" | "0.0.0.0/0"))
                })
            });
            let ranges = spec.get("loadBalancerSourceRanges").is_some_and(|r| !r.items().is_empty());
            if internal || ranges {
                return;
            }
            for at in selected(&labels(spec.get("selector")), false) {
                if let Some(unit) = units.get_mut(at) {
                    let name = kind.text().unwrap_or_default();
                    unit.add(
                        Setting::Publish,
                        name,
                        Resolved { text: String::new(), known: Known::Literal },
                        kind.span,
                    );
                }
            }
        }
        (Some("NetworkPolicy"), Some(spec)) => {
            let types = spec.get("policyTypes").map_or(&[][..], Node::items);
            let ingress = types.iter().any(|t| t.text() == Some("Ingress")) || types.is_empty();
            // A rule without peers lets everybody in.
            let open = spec
                .get("ingress")
                .map_or(&[][..], Node::items)
                .iter()
                .any(|r| r.get("from").is_none_or(|f| f.items().is_empty()));
            if ingress && !open {
                for at in selected(&labels(spec.at("podSelector.matchLabels")), true) {
                    if let Some(unit) = units.get_mut(at) {
                        unit.walled = true;
                    }
                }
            }
        }
        _ => {}
    }
}

fn labels(node: Option<&Node>) -> Labels {
    let entries = node.map_or(&[][..], Node::entries);
    entries.iter().filter_map(|(k, v)| Some((k.text()?.to_owned(), v.text()?.to_owned()))).collect()
}

/// Looks for pods at any depth. Parsers bound the depth.
fn find(node: &Node, own: &Labels, source: &str, units: &mut Vec<Unit>, pods: &mut Vec<Pod>) {
    match &node.data {
        Data::List(items) => items.iter().for_each(|item| find(item, own, source, units, pods)),
        Data::Map(entries) => {
            let containers = node.get("containers").is_some_and(|c| c.items().iter().any(Node::is_map));
            let model = node.get("model").filter(|m| m.get("modelFormat").is_some() || m.get("storageUri").is_some());
            if containers || model.is_some() {
                pod(node, model, own, source, units, pods);
                return;
            }
            let template = labels(node.at("metadata.labels"));
            let own = if template.is_empty() { own } else { &template };
            entries.iter().for_each(|(_, value)| find(value, own, source, units, pods));
        }
        Data::Scalar(_) | Data::Null => {}
    }
}

fn pod(spec: &Node, model: Option<&Node>, labels: &Labels, source: &str, units: &mut Vec<Unit>, pods: &mut Vec<Pod>) {
    let first = units.len();
    for key in ["initContainers", "containers"] {
        for container in spec.get(key).map_or(&[][..], Node::items) {
            units.push(unit(container, spec, source, key == "containers"));
        }
    }
    if let Some(model) = model {
        let mut unit = unit(model, spec, source, false);
        unit.models = true;
        if let Some(uri) = model.get("storageUri")
            && let Some(name) = uri.text()
        {
            unit.add(Setting::Model, "storageUri", Resolved { text: name.to_owned(), known: Known::Literal }, uri.span);
        }
        units.push(unit);
    }
    let mut mounts = Vec::new();
    for volume in spec.get("volumes").map_or(&[][..], Node::items) {
        if let Some(path) = volume.at("hostPath.path") {
            mounts.push(path);
        }
    }
    let shared = [
        ("hostNetwork", "the network of the machine"),
        ("hostPID", "the processes of the machine"),
        ("hostIPC", "the shared memory of the machine"),
    ];
    if let Some(unit) = units.get_mut(first..).and_then(<[Unit]>::last_mut) {
        for path in mounts {
            container::mount(unit, path.text().unwrap_or_default(), path.span, &Variables::new());
        }
        for (key, what) in shared {
            if let Some(node) = spec.get(key).filter(|n| n.text().is_some_and(crate::value::is_true)) {
                container::privilege(unit, what, node.span);
            }
        }
    }
    pods.push(Pod { units: (first..units.len()).collect(), labels: labels.clone() });
}

fn unit(container: &Node, spec: &Node, source: &str, serves: bool) -> Unit {
    let home = if serves { Home::Pod } else { Home::Part };
    let name = container.get("name").map_or(container.span, |n| n.span);
    let mut unit = Unit::new(home, name);
    let none = Variables::new();
    if let Some(image) = container.get("image")
        && let Some(text) = image.text()
    {
        container::image(&mut unit, text, image.span, &none);
    }
    let env = container.get("env").map_or(&[][..], Node::items);
    // `$(NAME)` in a command stands for a variable of the container.
    let known: Variables =
        env.iter().filter_map(|e| Some((e.text_at("name")?.to_owned(), e.text_at("value")?.to_owned()))).collect();
    let mut line: Vec<Word> = Vec::new();
    for key in ["command", "args"] {
        let items = container.get(key).map_or(&[][..], Node::items);
        line.extend(items.iter().filter_map(|i| Some(Word { text: i.text()?.to_owned(), span: i.span })));
    }
    launch::command(&line, &mut unit, &known, source, 0);
    for entry in env {
        let Some(name) = entry.text_at("name") else { continue };
        let value = entry.get("value").filter(|_| entry.get("valueFrom").is_none());
        let at = value.map_or(entry.span, |v| if v.span.is_empty() { entry.span } else { v.span });
        let raw = match value.map(|v| &v.data) {
            Some(Data::Scalar(text)) => Some(text.as_str()),
            // No value and no source is an empty variable.
            Some(_) => Some(""),
            None if entry.get("valueFrom").is_none() => Some(""),
            None => None,
        };
        variables::take(&mut unit, name, raw, at, &known);
    }
    for port in container.get("ports").map_or(&[][..], Node::items) {
        if let Some(host) = port.get("hostPort") {
            let address = port.text_at("hostIP").unwrap_or_default();
            unit.add(
                Setting::Publish,
                "hostPort",
                Resolved { text: address.to_owned(), known: Known::Literal },
                host.span,
            );
        }
    }
    if let Some(security) = container.get("securityContext") {
        if let Some(node) = security.get("privileged").filter(|n| n.text().is_some_and(crate::value::is_true)) {
            container::privilege(&mut unit, "`privileged: true`", node.span);
        }
        for item in security.at("capabilities.add").map_or(&[][..], Node::items) {
            container::capability(&mut unit, item.text().unwrap_or_default(), item.span);
        }
        if let Some(node) = security.at("seccompProfile.type").filter(|n| n.text() == Some("Unconfined")) {
            container::privilege(&mut unit, "no seccomp profile", node.span);
        }
    }
    let asks = |node: Option<&Node>| {
        node.map_or(&[][..], Node::entries)
            .iter()
            .any(|(k, _)| k.text().is_some_and(|k| k.contains("gpu") || k.contains("tpu")))
    };
    unit.models |= asks(container.at("resources.limits"))
        || asks(container.at("resources.requests"))
        || spec.get("model").is_some();
    unit
}

/// Settings of a `ConfigMap` that are variables.
fn config(object: &Node, units: &mut Vec<Unit>, key: &str) {
    let entries = object.get(key).map_or(&[][..], Node::entries);
    let names = entries.iter().filter_map(|(k, _)| k.text());
    let mut unit = Unit::new(Home::Part, Span::default());
    unit.product = variables::product_of(names);
    for (name, value) in entries {
        if let (Some(name), Some(text)) = (name.text(), value.text())
            && !text.contains('\n')
        {
            variables::take(&mut unit, name, Some(text), value.span, &Variables::new());
        }
    }
    units.push(unit);
}

/// A secret that is written into a manifest is no secret: base64 hides nothing.
fn secret(object: &Node, units: &mut Vec<Unit>) {
    config(object, units, "stringData");
    let mut unit = Unit::new(Home::Part, Span::default());
    for (name, value) in object.get("data").map_or(&[][..], Node::entries) {
        if let (Some(name), Some(text)) = (name.text(), value.text())
            && text.len() >= 8
            && !text.contains("{{")
            && !text.contains('$')
            && crate::value::names_secret(name)
        {
            unit.models |= general::SIGNS.contains(&name);
            unit.add(Setting::Secret, name, Resolved { text: text.to_owned(), known: Known::Literal }, value.span);
        }
    }
    units.push(unit);
}

/// `rayStartParams` of KubeRay are flags of `ray start`.
fn ray(object: &Node, units: &mut Vec<Unit>) {
    let mut found = Vec::new();
    let mut open = vec![object];
    while let Some(node) = open.pop() {
        open.extend(node.items());
        for (key, value) in node.entries() {
            if key.text() == Some("headGroupSpec") {
                found.push((value, node));
            }
            open.push(value);
        }
    }
    for (head, cluster) in found {
        let mut unit = Unit::new(Home::Pod, head.span);
        unit.product = product::all().find(|p| p.name == "Ray");
        let Some(host) = head.at("rayStartParams.dashboard-host") else { continue };
        let at = host.span;
        unit.at = at;
        unit.add(
            Setting::Bind,
            "dashboard-host",
            Resolved { text: host.text().unwrap_or_default().to_owned(), known: Known::Literal },
            at,
        );
        if matches!(cluster.text_at("authOptions.mode"), Some("token")) {
            unit.add(Setting::AuthOn, "authOptions", Resolved { text: "token".to_owned(), known: Known::Literal }, at);
        }
        // The pods of the head say the rest.
        for env in head
            .at("template.spec.containers")
            .map_or(&[][..], Node::items)
            .iter()
            .flat_map(|c| c.get("env").map_or(&[][..], Node::items))
        {
            if let Some(name) = env.text_at("name") {
                let at = env.get("value").map_or(env.span, |v| v.span);
                variables::take(&mut unit, name, env.text_at("value"), at, &Variables::new());
            }
        }
        units.push(unit);
    }
}
