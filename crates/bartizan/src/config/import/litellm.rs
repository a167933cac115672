//! LiteLLM's `config.yaml`: models, master key, guardrails.

use std::collections::BTreeMap;

use bartizan_core::Verdict;
use serde_json::{Value, json};

use super::yaml::{Node, Tree};
use super::{Import, entity_rule, variable};

/// Origins of what goes to a model, and of what comes from one.
const ASKED: &[&str] = &["user", "tool", "document"];
const ANSWERED: &[&str] = &["model"];

pub(super) fn read(import: &mut Import<'_>, root: &Node) {
    let mut upstreams = Upstreams::default();
    for (path, key, node) in import.members("", root) {
        match key {
            "model_list" => {
                for item in import.elements(&path, node) {
                    model(import, &path, item, &mut upstreams);
                }
            }
            "guardrails" => {
                for item in import.elements(&path, node) {
                    guardrail(import, &path, item);
                }
            }
            "general_settings" => general(import, &path, node),
            "litellm_settings" => settings(import, &path, node),
            _ => rest(import, &path, node),
        }
    }
    for upstream in upstreams.0 {
        import.push("upstream", upstream.entry());
    }
}

/// Every member of a section that nothing here is like.
fn rest(import: &mut Import<'_>, path: &str, node: &Node) {
    const WHY: &str = "has no equal here";
    match &node.tree {
        Tree::Map(members) if !members.is_empty() => {
            for (key, value) in members {
                import.unmet(&format!("{path}.{key}"), value.line, WHY);
            }
        }
        _ => import.unmet(path, node.line, WHY),
    }
}

struct Upstream {
    provider: String,
    url: String,
    key: Option<String>,
    dialect: &'static str,
    /// Empty is all.
    models: Vec<String>,
}

impl Upstream {
    fn entry(self) -> Value {
        let mut entry =
            json!({"name": self.provider, "url": self.url, "dialects": [self.dialect], "models": self.models});
        if let (Some(key), Value::Object(members)) = (self.key, &mut entry) {
            members.insert("key".to_owned(), json!(key));
        }
        entry
    }
}

#[derive(Default)]
struct Upstreams(Vec<Upstream>);

impl Upstreams {
    /// Models at the same place with the same key are one upstream.
    fn add(&mut self, provider: &str, url: &str, key: Option<String>, dialect: &'static str, model: Option<&str>) {
        let same = self.0.iter().position(|u| u.url == url && u.key == key && u.models.is_empty() == model.is_none());
        let at = same.unwrap_or_else(|| {
            let taken = self
                .0
                .iter()
                .filter(|u| u.provider.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-') == provider)
                .count();
            let name = if taken == 0 { provider.to_owned() } else { format!("{provider}-{}", taken + 1) };
            self.0.push(Upstream { provider: name, url: url.to_owned(), key, dialect, models: Vec::new() });
            self.0.len() - 1
        });
        if let (Some(upstream), Some(model)) = (self.0.get_mut(at), model) {
            upstream.models.push(model.to_owned());
        }
    }

    fn serves(&self, model: &str) -> bool {
        self.0.iter().any(|u| u.models.iter().any(|m| m == model))
    }
}

/// `os.environ/NAME`.
fn reference(import: &mut Import<'_>, path: &str, node: &Node) -> Option<String> {
    let text = import.text(path, node)?;
    let found = text.strip_prefix("os.environ/").and_then(variable);
    if found.is_none() {
        // The value may be the secret, so it is not repeated.
        import.unmet(
            path,
            node.line,
            "a secret has to be a reference: put it into a variable and write `os.environ/NAME`",
        );
    }
    found
}

fn model(import: &mut Import<'_>, path: &str, item: &Node, upstreams: &mut Upstreams) {
    let mut name = None;
    let mut params = BTreeMap::new();
    for (path, key, node) in import.members(path, item) {
        match key {
            "model_name" => name = import.text(&path, node).map(|text| (text, node.line)),
            "litellm_params" => {
                for (path, key, node) in import.members(&path, node) {
                    match key {
                        "model" | "api_key" | "api_base" => {
                            params.insert(key, (path, node));
                        }
                        _ => import.unmet(&path, node.line, "has no equal here"),
                    }
                }
            }
            // For people and dashboards.
            "model_info" => rest(import, &path, node),
            _ => import.unmet(&path, node.line, "has no equal here"),
        }
    }
    let Some((name, line)) = name else { return import.unmet(path, item.line, "names no `model_name`") };
    let Some((at, node)) = params.get("model") else { return import.unmet(path, item.line, "names no `model`") };
    let Some(model) = import.text(at, node) else { return };
    let key = params.get("api_key").and_then(|(path, node)| reference(import, path, node));
    let base = match params.get("api_base") {
        Some((path, node)) => match import.text(path, node) {
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => Some(url),
            Some(_) => return import.unmet(path, node.line, "a URL has to be written out"),
            None => return,
        },
        None => None,
    };
    let (provider, model) = model.split_once('/').unwrap_or(("openai", model));
    let (url, dialect) = match (provider, base) {
        ("openai" | "custom_openai" | "hosted_vllm" | "openai_like" | "litellm_proxy", Some(base)) => (base, "openai"),
        ("openai", None) => ("https://api.openai.com/v1", "openai"),
        ("anthropic", base) => (base.unwrap_or("https://api.anthropic.com"), "anthropic"),
        _ => return import.unmet(at, node.line, "this provider speaks a protocol that is not passed on here"),
    };
    if dialect == "anthropic" {
        import.notes.push(format!(
            "`{}` answers Anthropic's API only: requests are not translated.",
            crate::terminal::line(model)
        ));
    }
    let everything = name == "*" && model == "*";
    if name != model && !everything {
        return import.unmet(
            &format!("{path}.model_name"),
            line,
            "the model's name is passed on as it came, so that another name cannot stand for it",
        );
    }
    if upstreams.serves(name) {
        return import.unmet(&format!("{path}.model_name"), line, "is there twice; load is not balanced here");
    }
    upstreams.add(provider, url, key, dialect, (!everything).then_some(name));
}

fn general(import: &mut Import<'_>, path: &str, node: &Node) {
    for (path, key, node) in import.members(path, node) {
        match key {
            "master_key" => {
                if let Some(key) = reference(import, &path, node) {
                    import.push("client", json!({"name": "litellm-master-key", "key": key}));
                }
            }
            _ => import.unmet(&path, node.line, "has no equal here"),
        }
    }
}

fn settings(import: &mut Import<'_>, path: &str, node: &Node) {
    for (path, key, node) in import.members(path, node) {
        match (key, &node.tree) {
            ("request_timeout", Tree::Number(seconds)) if *seconds >= 0.001 && *seconds <= 86_400.0 => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a day")]
                let milliseconds = (seconds * 1000.0) as u64;
                import.out.insert("timeouts".to_owned(), json!({"first_byte_ms": milliseconds}));
            }
            ("callbacks", Tree::List(items)) => {
                for item in items {
                    // The rules of the family `prompt` are always on.
                    if !matches!(&item.tree, Tree::Text(name) if name == "detect_prompt_injection") {
                        import.unmet(&path, item.line, "this callback has no equal here");
                    }
                }
            }
            _ => import.unmet(&path, node.line, "has no equal here"),
        }
    }
}

fn guardrail(import: &mut Import<'_>, path: &str, item: &Node) {
    for (path, key, node) in import.members(path, item) {
        match key {
            "guardrail_name" => {}
            "litellm_params" => guard(import, &path, node),
            _ => import.unmet(&path, node.line, "has no equal here"),
        }
    }
}

fn guard(import: &mut Import<'_>, path: &str, node: &Node) {
    let members = import.members(path, node);
    let named = |wanted: &str| members.iter().find(|(_, key, _)| *key == wanted);
    let Some((at, _, kind)) = named("guardrail") else {
        return import.unmet(path, node.line, "names no `guardrail`");
    };
    let kind_name = match &kind.tree {
        Tree::Text(name) => name.as_str(),
        _ => "",
    };
    let from = named("mode").map_or_else(|| ASKED.to_vec(), |(path, _, node)| modes(import, path, node));
    for (path, key, node) in &members {
        match (*key, kind_name, &node.tree) {
            ("guardrail", "presidio" | "hide-secrets" | "hide_secrets", _) | ("mode", ..) => {}
            ("guardrail", ..) => import.unmet(
                at,
                kind.line,
                "another product's judgement has no equal here; the rules of this guard are on without it",
            ),
            ("default_on", _, Tree::Bool(true)) => {}
            ("default_on", ..) => import.unmet(path, node.line, "guards are on for every request here"),
            ("pii_entities_config", "presidio", _) => entities(import, path, node, &from),
            ("output_parse_pii", "presidio", Tree::Bool(false)) | ("presidio_language", "presidio", _) => {}
            _ => import.unmet(path, node.line, "has no equal here"),
        }
    }
}

/// The origins that a mode is about.
fn modes(import: &mut Import<'_>, path: &str, node: &Node) -> Vec<&'static str> {
    let items: Vec<(&str, u64)> = match &node.tree {
        Tree::Text(mode) => vec![(mode.as_str(), node.line)],
        Tree::List(items) => items
            .iter()
            .filter_map(|item| if let Tree::Text(mode) = &item.tree { Some((mode.as_str(), item.line)) } else { None })
            .collect(),
        _ => Vec::new(),
    };
    let mut from = Vec::new();
    for (mode, line) in items {
        match mode {
            "pre_call" | "during_call" => from.extend(ASKED),
            "post_call" => from.extend(ANSWERED),
            _ => import.unmet(
                path,
                line,
                "this mode has no equal here; `mode = \"monitor\"` records only, for everything",
            ),
        }
    }
    from
}

fn entities(import: &mut Import<'_>, path: &str, node: &Node, from: &[&str]) {
    for (path, entity, node) in import.members(path, node) {
        let Some(rule) = entity_rule(entity) else {
            import.unmet(&path, node.line, "no rule finds this entity");
            continue;
        };
        match &node.tree {
            Tree::Text(action) if action == "MASK" => import.row(rule, from, Verdict::Redact),
            Tree::Text(action) if action == "BLOCK" => import.row(rule, from, Verdict::Deny),
            _ => import.unmet(&path, node.line, "is neither `MASK` nor `BLOCK`"),
        }
    }
}
