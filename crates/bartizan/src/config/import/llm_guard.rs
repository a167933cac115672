//! LLM Guard's `scanners.yml`: scanners, token of the server.

use bartizan_core::Verdict;
use serde_json::json;

use super::yaml::{Node, Tree};
use super::{Import, entity_rule, variable};

pub(super) fn read(import: &mut Import<'_>, root: &Node) {
    for (path, key, node) in import.members("", root) {
        match key {
            "input_scanners" => scanners(import, &path, node, false),
            "output_scanners" => scanners(import, &path, node, true),
            "auth" => auth(import, &path, node),
            "metrics" => metrics(import, &path, node),
            "rate_limit" => rate_limit(import, &path, node),
            // How its server logs and schedules.
            _ => {
                for (path, _, node) in import.members(&path, node) {
                    import.unmet(&path, node.line, "has no equal here");
                }
            }
        }
    }
    // Its server has no model behind: it only answers checks.
    import.out.insert("check_api".to_owned(), json!({"standalone": true}));
    import
        .notes
        .push("Rules for which LLM Guard has no scanner are on too; `rules.disabled` turns rules off.".to_owned());
}

/// The name in `${NAME}` or `${NAME:default}`.
fn interpolated(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("${")?.strip_suffix('}')?;
    Some(inside.split_once(':').unwrap_or((inside, "")))
}

fn auth(import: &mut Import<'_>, path: &str, node: &Node) {
    for (path, key, node) in import.members(path, node) {
        match (key, &node.tree) {
            ("type", Tree::Text(kind)) if kind == "http_bearer" => {}
            ("token", Tree::Text(token)) => match interpolated(token) {
                Some((name, "")) if variable(name).is_some() => {
                    import.push("client", json!({"name": "llm-guard", "key": variable(name)}));
                }
                _ => import.unmet(&path, node.line, "a secret has to be a reference: write `${NAME}`"),
            },
            _ => import.unmet(&path, node.line, "has no equal here"),
        }
    }
}

fn metrics(import: &mut Import<'_>, path: &str, node: &Node) {
    for (path, key, node) in import.members(path, node) {
        match (key, &node.tree) {
            ("exporter" | "type", Tree::Text(kind))
                if kind == "prometheus" || interpolated(kind).is_some_and(|(_, default)| default == "prometheus") => {}
            _ => import.unmet(&path, node.line, "has no equal here; `/metrics` serves Prometheus"),
        }
    }
}

fn rate_limit(import: &mut Import<'_>, path: &str, node: &Node) {
    let members = import.members(path, node);
    let off = |n: &Node| match &n.tree {
        Tree::Bool(on) => !on,
        Tree::Text(text) => interpolated(text).is_some_and(|(_, default)| default == "false"),
        _ => false,
    };
    if members.iter().any(|(_, key, node)| *key == "enabled" && off(node)) {
        return;
    }
    for (path, _, node) in members {
        import.unmet(&path, node.line, "has no equal here");
    }
}

fn scanners(import: &mut Import<'_>, path: &str, node: &Node, output: bool) {
    for item in import.elements(path, node) {
        let members = import.members(path, item);
        let kind = members.iter().find_map(|(_, key, node)| match (&**key, &node.tree) {
            ("type", Tree::Text(kind)) => Some((kind.as_str(), node.line)),
            _ => None,
        });
        let Some((kind, line)) = kind else {
            import.unmet(path, item.line, "names no `type`");
            continue;
        };
        let path = format!("{path}.{kind}");
        match (kind, output) {
            ("Anonymize", false)
            | ("Sensitive", true)
            | ("Secrets" | "PromptInjection", false)
            | ("InvisibleText", false) => {}
            _ => {
                import.unmet(&path, line, "this scanner has no equal here");
                continue;
            }
        }
        for (_, key, node) in &members {
            match *key {
                "type" => {}
                "params" => params(import, &path, kind, node),
                other => import.unmet(&format!("{path}.{other}"), node.line, "has no equal here"),
            }
        }
    }
}

fn params(import: &mut Import<'_>, path: &str, kind: &str, node: &Node) {
    for (path, key, node) in import.members(&format!("{path}.params"), node) {
        match (key, kind, &node.tree) {
            // How its models run.
            ("use_onnx", ..) => {}
            // What is found is always replaced whole.
            ("redact_mode", "Secrets", Tree::Text(mode)) if mode == "all" => {}
            ("redact", "Sensitive", Tree::Bool(true)) | ("use_faker", "Anonymize", Tree::Bool(false)) => {}
            // All of a text is read, whatever its length.
            ("match_type", "PromptInjection", Tree::Text(_)) => {}
            ("entity_types", "Anonymize", _) => entities(import, &path, node, "user"),
            ("entity_types", "Sensitive", _) => entities(import, &path, node, "model"),
            ("threshold", ..) => {
                import.unmet(&path, node.line, "belongs to its model; here rules decide by severity and confidence");
            }
            _ => import.unmet(&path, node.line, "has no equal here"),
        }
    }
}

/// Only these entities: the others may pass.
fn entities(import: &mut Import<'_>, path: &str, node: &Node, from: &str) {
    for item in import.elements(path, node) {
        match &item.tree {
            Tree::Text(entity) => match entity_rule(entity) {
                Some(rule) => import.row(rule, &[from], Verdict::Redact),
                None => import.unmet(&format!("{path}.{entity}"), item.line, "no rule finds this entity"),
            },
            _ => import.unmet(path, item.line, "is no text"),
        }
    }
    import.row("pii/*", &[from], Verdict::Allow);
}
